/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "master/job/repair.h"
#include "master/upkeep/damage.h"
#include "store/index/damage.h"

#define SCAN_MAX         256
#define WATCH_USEC       USEC_PER_SEC
#define SOON_USEC        USEC_PER_SEC
#define PATIENCE_MIN     (5 * USEC_PER_SEC)
#define PATIENCE_MAX     (10 * USEC_PER_MIN)
#define IN_PLACE_MAX     3   /* times that a copy is made again in its place, then elsewhere */
#define PLACES_MAX       256 /* copies for which these times are counted */
#define REFUSING_MAX     16
#define LOOK_COPIES_MAX  256
#define LOOK_VOLUMES_MAX 64

/* A copy that was to be made again in its place. */
typedef struct Place {
        uint64_t version;
        uint32_t volume;
        unsigned n; /* times */
} Place;

struct Repair {
        RepairOptions options;
        Index *index;     /* not owned */
        Volumes *volumes; /* not owned */

        /* Of the main loop: what it saw last. */
        uint64_t looked_usec, n_made, volumes_up;
        uint32_t begun; /* the job that it has begun, until that is kept */

        /* Of the lane's thread. */
        uint32_t job;                    /* id of the job that the next two are about */
        uint32_t refusing[REFUSING_MAX]; /* volumes that could not take a copy again */
        size_t n_refusing;
        Place places[PLACES_MAX]; /* a ring */
        size_t next_place;

        uint64_t patience_usec; /* of a job that can do nothing now; under the table's lock */
};

/* A value that has marks. */
typedef struct Marked {
        uint64_t version;
        char *key; /* owned */
} Marked;

typedef struct Found {
        Marked items[SCAN_MAX];
        size_t n, n_seen;
} Found;

/* Copies of lost values on one volume, which has to read them once more. */
typedef struct Look {
        uint32_t volume;
        DamageCopy *copies; /* owned */
        size_t n;
} Look;

typedef struct Looks {
        Look items[LOOK_VOLUMES_MAX];
        size_t n;
} Looks;

static int on_mark(const IndexDamageMark *mark, void *userdata) {
        Found *found = userdata;
        char *key;

        found->n_seen++;
        if (found->n > 0 && found->items[found->n - 1].version == mark->version)
                return 0;
        key = strdup(mark->key);
        if (!key)
                return -ENOMEM;
        found->items[found->n++] = (Marked){ mark->version, key };
        return 0;
}

static bool is_refusing(const Repair *repair, uint32_t volume) {
        for (size_t i = 0; i < repair->n_refusing; i++)
                if (repair->refusing[i] == volume)
                        return true;
        return false;
}

static void moved(Pass *pass, const MoveResult *result) {
        Repair *repair = pass->userdata;

        if ((result->outcome == MOVE_FAILED || result->outcome == MOVE_FULL) &&
            !is_refusing(repair, result->target) && repair->n_refusing < REFUSING_MAX)
                repair->refusing[repair->n_refusing++] = result->target;
}

static bool has_copy(const Record *record, uint32_t volume) {
        for (size_t i = 0; record && i < record->n_copies; i++)
                if (record->copies[i] == volume)
                        return true;
        return false;
}

/* Marks of copies that are not current any more mean nothing. */
static void unmark(const Pass *pass, const Marked *marked, const Record *record) {
        Index *index = passes_index(pass->passes);

        for (size_t i = 0; i < pass->view.n_volumes; i++) {
                uint32_t volume = pass->view.volumes[i].number;

                if (!has_copy(record, volume) &&
                    index_damage_kind(index, marked->version, volume) != DAMAGE_NONE)
                        damage_unmark(index, marked->key, marked->version, volume);
        }
}

/* What to do about one value. */
typedef struct Mending {
        Repair *repair;
        Pass *pass;
        const Marked *marked;
        const Record *record;
        unsigned damaged; /* bit I stands for the record's copies[I] */
        Record rest;      /* the record without the copies that leave */
        size_t n_waiting; /* damaged copies about which nothing can be done now */
        Plan plan;
} Mending;

static const VolumeStatus *find_up(const Mending *mending, uint32_t volume) {
        const VolumeStatus *status = cluster_view_find(&mending->pass->view, volume);

        return status && status->up ? status : NULL;
}

static bool is_damaged(const Mending *mending, size_t i) {
        return mending->damaged & (1U << i);
}

static void find_sources(Mending *mending) {
        const Record *record = mending->record;

        for (size_t i = 0; i < record->n_copies; i++)
                if (!is_damaged(mending, i) && find_up(mending, record->copies[i]))
                        mending->plan.sources[mending->plan.n_sources++] = record->copies[i];
}

/* Counts how often this copy was to be made again in its place. */
static unsigned count_in_place(Repair *repair, uint64_t version, uint32_t volume) {
        for (size_t i = 0; i < PLACES_MAX; i++) {
                Place *place = repair->places + i;

                if (place->version == version && place->volume == volume)
                        return ++place->n;
        }
        repair->places[repair->next_place] = (Place){ version, volume, 1 };
        repair->next_place = (repair->next_place + 1) % PLACES_MAX;
        return 1;
}

/* Whether the copy had better be elsewhere: the volume does not take it, or spoils it each time. */
static bool is_hopeless(const Mending *mending, uint32_t volume) {
        Repair *repair = mending->repair;

        if (is_refusing(repair, volume))
                return true;
        return !mending->pass->is_counting &&
               count_in_place(repair, mending->record->version, volume) > IN_PLACE_MAX;
}

/* Decides about each damaged copy: made again in its place, elsewhere, or left for now. */
static void choose_places(Mending *mending) {
        const Record *record = mending->record;
        Plan *plan = &mending->plan;

        mending->rest = *record;
        mending->rest.n_copies = 0;
        for (size_t i = 0; i < record->n_copies; i++) {
                uint32_t volume = record->copies[i];
                const VolumeStatus *status = find_up(mending, volume);

                if (is_damaged(mending, i) && status && is_hopeless(mending, volume)) {
                        plan->drop[plan->n_drop++] = volume;
                        continue;
                }
                mending->rest.copies[mending->rest.n_copies++] = volume;
                if (!is_damaged(mending, i))
                        continue;
                if (status && status->state != VOLUME_DRAINING)
                        plan->add[plan->n_add++] = volume;
                else
                        mending->n_waiting++;
        }
}

static PlanAbility ability(const Volume *volume, void *userdata) {
        const Mending *mending = userdata;
        const Plan *plan = &mending->plan;

        for (size_t i = 0; i < plan->n_drop; i++)
                if (plan->drop[i] == volume->number)
                        return PLAN_SOURCE;
        return is_refusing(mending->repair, volume->number) ? PLAN_SOURCE
                                                            : pass_ability(volume, mending->pass);
}

/* Finds other places for copies; one that finds none stays where it is. */
static void find_other_places(Mending *mending) {
        Pass *pass = mending->pass;
        Plan *plan = &mending->plan, other;

        if (plan->n_drop == 0)
                return;

        pass->size = mending->record->size;
        pass->version = mending->record->version;
        plan_key(pass->view.cluster, key_hash(mending->marked->key), &mending->rest,
                 pass->view.copies, ability, mending, &other);
        for (size_t i = 0; i < other.n_add && i < plan->n_drop; i++)
                plan->add[plan->n_add++] = other.add[i];
        if (other.n_add < plan->n_drop) {
                pass->counts.n_full += plan->n_drop - other.n_add;
                pass->counts.full = plan->drop[other.n_add];
                plan->n_drop = other.n_add;
        }
}

static Look *find_look(Looks *looks, uint32_t volume) {
        Look *look;

        for (size_t i = 0; i < looks->n; i++)
                if (looks->items[i].volume == volume)
                        return looks->items + i;
        if (looks->n == LOOK_VOLUMES_MAX)
                return NULL;

        look = looks->items + looks->n++;
        *look = (Look){
                .volume = volume,
                .copies = calloc(LOOK_COPIES_MAX, sizeof(*look->copies)),
        };
        return look;
}

static void add_look(Looks *looks, uint32_t volume, const Marked *marked) {
        Look *look = find_look(looks, volume);
        char *key;

        if (!look || !look->copies || look->n == LOOK_COPIES_MAX)
                return; /* the next time */
        key = strdup(marked->key);
        if (key)
                look->copies[look->n++] = (DamageCopy){ marked->version, key };
}

/* There is no source. If all copies have a mark the value is lost, unless one of them turns out to
 * be good. */
static void handle_no_source(const Mending *mending, Looks *looks) {
        const Record *record = mending->record;
        Pass *pass = mending->pass;

        if (mending->damaged + 1 != 1U << record->n_copies) {
                pass->counts.n_down++;
                return;
        }
        pass_note_lost(pass, mending->marked->key);
        for (size_t i = 0; !pass->is_counting && i < record->n_copies; i++)
                if (find_up(mending, record->copies[i]))
                        add_look(looks, record->copies[i], mending->marked);
}

static void mend(Mending *mending, Looks *looks) {
        const Record *record = mending->record;
        Plan *plan = &mending->plan;
        Pass *pass = mending->pass;

        find_sources(mending);
        if (plan->n_sources == 0) {
                handle_no_source(mending, looks);
                return;
        }

        choose_places(mending);
        find_other_places(mending);
        pass->counts.n_down += mending->n_waiting;
        if (plan->n_add == 0)
                return;
        pass->counts.n_found++;
        pass->counts.bytes += record->size * plan->n_add;
        if (!pass->is_counting)
                pass_submit(pass, mending->marked->key, record, plan);
}

static void handle_marked(Pass *pass, const Marked *marked, Looks *looks) {
        Index *index = passes_index(pass->passes);
        _cleanup_(buffer_done) Buffer scratch = {};
        Record record;
        Mending mending = {
                .repair = pass->userdata,
                .pass = pass,
                .marked = marked,
                .record = &record,
        };
        bool is_current;
        int r;

        r = index_get(index, marked->key, &scratch, &record);
        if (r < 0 && r != -ENOENT)
                return; /* the index itself is damaged there */
        is_current = r >= 0 && record.version == marked->version;
        unmark(pass, marked, is_current ? &record : NULL);
        if (!is_current)
                return;
        mending.damaged = index_damaged(index, &record);
        if (mending.damaged != 0)
                mend(&mending, looks);
}

/* With the lock held. NULL if there is none that goes on. */
static Job *find_repair(const JobTable *table) {
        for (size_t i = 0; i < table->n_jobs; i++)
                if (table->jobs[i]->status.type == JOB_REPAIR &&
                    !job_state_is_final(table->jobs[i]->status.state))
                        return table->jobs[i];
        return NULL;
}

/* Has a repair that waits go on, since there is news. From any thread. */
static void wake_repair(void *userdata) {
        Repair *repair = userdata;
        JobTable *table = job_queue_table(repair->options.queue);
        Job *job;

        (void) pthread_mutex_lock(&table->lock);
        job = find_repair(table);
        if (job && job->not_before_usec > 0) {
                job->not_before_usec = repair->patience_usec = 0;
                job_queue_wake(repair->options.queue, job);
        }
        (void) pthread_mutex_unlock(&table->lock);
}

static void send_looks(Repair *repair, Looks *looks) {
        DamageLookOptions options = {
                .index = repair->index,
                .volumes = repair->volumes,
                .peers = repair->options.peers,
                .on_good = wake_repair,
                .userdata = repair,
        };

        for (size_t i = 0; i < looks->n; i++) {
                Look *look = looks->items + i;

                if (look->copies) /* else, and if it fails, the next time */
                        (void) damage_look(&options, look->volume, look->copies, look->n);
        }
}

static int read_on(Pass *pass) {
        _cleanup_free_ Found *found = calloc(1, sizeof(*found));
        Looks looks = {};
        size_t n_seen;
        int r;

        if (!found)
                return -ENOMEM;

        /* Behind all marks of the last version. */
        r = index_damage_scan(
                        passes_index(pass->passes), pass->after, UINT32_MAX, SCAN_MAX, on_mark,
                        found);
        n_seen = found->n_seen;
        for (size_t i = 0; i < found->n; i++) {
                if (r >= 0)
                        handle_marked(pass, found->items + i, &looks);
                pass->after = found->items[i].version;
                free(found->items[i].key);
        }
        send_looks(pass->userdata, &looks);
        return r < 0 ? r : (int) n_seen;
}

static void explain(Pass *pass, uint64_t until_usec) {
        const PassCounts *counts = &pass->counts;
        Job *job = pass->job;
        char when[PASS_TIME_SIZE];

        (void) pass_format_time(until_usec, when);
        if (counts->n_lost > 0)
                job_explain(job,
                            "No good copy is left of %" PRIu64 " values (dkvadm damage); it looks "
                            "at them again at %s.",
                            counts->n_lost, when);
        else if (counts->n_full > 0)
                job_explain(job,
                            "Volume %" PRIu32 " cannot take %" PRIu64 " copies again, and no other "
                            "can; it tries again at %s.",
                            counts->full, counts->n_full, when);
        else if (counts->n_down > 0)
                job_explain(job, "Waits for a volume that is down; it looks again at %s.", when);
        else
                job_explain(job, "Some copies cannot be made now; it tries again at %s.", when);
}

static uint64_t next_patience(const Pass *pass, uint64_t patience_usec) {
        if (pass->counts.n_found > 0)
                return SOON_USEC;
        return MIN(MAX(2 * patience_usec, (uint64_t) PATIENCE_MIN), (uint64_t) PATIENCE_MAX);
}

/* Nothing could be done. Volumes that refused get another chance, in the end. */
static void wait_for_news(Pass *pass) {
        Repair *repair = pass->userdata;
        uint64_t patience;

        if (pass->counts.n_found == 0 || pass->counts.n_full > 0) {
                repair->n_refusing = 0;
                memset(repair->places, 0, sizeof(repair->places));
        }
        (void) pthread_mutex_lock(&pass->job->table->lock);
        patience = repair->patience_usec = next_patience(pass, repair->patience_usec);
        (void) pthread_mutex_unlock(&pass->job->table->lock);
        explain(pass, clock_realtime() + patience);
        job_wait(pass->job, patience);
}

static void reset_patience(Repair *repair, const Job *job) {
        (void) pthread_mutex_lock(&job->table->lock);
        repair->patience_usec = 0;
        (void) pthread_mutex_unlock(&job->table->lock);
}

static int pass_ended(Pass *pass) {
        PassCounts *counts = &pass->counts;
        Repair *repair = pass->userdata;
        Job *job = pass->job;
        IndexDamageCounters damage;

        index_damage_counters(repair->index, &damage);
        if (counts->n_lost > 0 || job->status.lost_keys > 0)
                job_set_lost(job, &counts->lost, counts->n_lost);
        if (damage.copies == 0)
                return JOB_STEP_DONE;
        if (counts->n_moved == 0) {
                wait_for_news(pass);
                return JOB_STEP_AGAIN;
        }

        reset_patience(repair, job);
        if (counts->n_later > 0)
                job_wait(job, SOON_USEC);
        return JOB_STEP_AGAIN;
}

static int run(Job *job, void *userdata) {
        static const PassKind kind = {
                .read_on = read_on,
                .moved = moved,
                .ended = pass_ended,
        };
        Repair *repair = userdata;

        if (repair->job != job->status.id) {
                repair->job = job->status.id;
                repair->n_refusing = 0;
                reset_patience(repair, job);
        }
        return passes_run(repair->options.passes, job, &kind, repair);
}

static void wake(Job *job, void *userdata) {
        Repair *repair = userdata;

        passes_wake(repair->options.passes, job);
}

JobKind repair_kind(Repair *repair) {
        return (JobKind){
                .type = JOB_REPAIR,
                .lane = JOB_LANE_MOVE,
                .run = run,
                .wake = wake,
                .userdata = repair,
        };
}

static void start(Repair *repair) {
        const JobStatus status = {
                .type = JOB_REPAIR,
                .limits.parallel = JOB_PARALLEL,
                .started_by = (uint32_t) geteuid(),
        };
        JobTable *table = job_queue_table(repair->options.queue);
        Job *job;

        (void) pthread_mutex_lock(&table->lock);
        job = find_repair(table);
        if (job) /* it may be about to end */
                job->is_joined = true;
        else
                job = job_table_begin(table, &status, NULL); /* else with the next mark */
        repair->begun = job && job->is_new ? job->status.id : 0;
        (void) pthread_mutex_unlock(&table->lock);
}

/* Whether the job that was begun last is gone, as it could not be kept: this master may not have
 * led then. */
static bool was_refused(Repair *repair) {
        JobTable *table = job_queue_table(repair->options.queue);
        const Job *job;
        bool is_gone;

        (void) pthread_mutex_lock(&table->lock);
        job = job_table_find(table, repair->begun);
        is_gone = repair->begun > 0 && !job;
        if (!job || !job->is_new)
                repair->begun = 0;
        (void) pthread_mutex_unlock(&table->lock);
        return is_gone;
}

/* Differs when other volumes are up. */
static uint64_t mark_of_volumes(const Repair *repair) {
        _cleanup_free_ VolumeStatus *volumes = NULL;
        uint64_t epoch, mark = 0;
        size_t n;

        if (volumes_list(repair->volumes, &volumes, &n, &epoch) < 0)
                return 0;
        for (size_t i = 0; i < n; i++)
                if (volumes[i].up)
                        mark = (mark ^ volumes[i].number) * UINT64_C(0x9e3779b97f4a7c15);
        return mark;
}

/* A repair that was cancelled stays so until there is news. */
void repair_watch(Repair *repair) {
        uint64_t now = clock_monotonic(), volumes_up;
        IndexDamageCounters counters;

        if (now < repair->looked_usec + WATCH_USEC)
                return;
        repair->looked_usec = now;
        damage_watch(repair->index, repair->volumes, repair->options.troubles);
        index_damage_counters(repair->index, &counters);
        if (counters.copies == 0)
                return;

        volumes_up = mark_of_volumes(repair);
        if (!was_refused(repair) && counters.made == repair->n_made &&
            volumes_up == repair->volumes_up)
                return;
        repair->n_made = counters.made;
        repair->volumes_up = volumes_up;
        start(repair);
        wake_repair(repair);
}

int repair_new(const RepairOptions *options, Repair **ret) {
        Repair *repair = calloc(1, sizeof(*repair));

        if (!repair)
                return -ENOMEM;

        repair->options = *options;
        repair->index = passes_index(options->passes);
        repair->volumes = passes_volumes(options->passes);
        *ret = repair;
        return 0;
}

Repair *repair_free(Repair *repair) {
        free(repair);
        return NULL;
}
