/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Repair: makes the copies again that have a mark (store/index/damage.h), from good ones: where
 * they are, or, if that volume cannot take them, elsewhere. It begins by itself when there is a
 * mark, and ends when there is none. What it can do nothing about, it comes back to after a while
 * that grows, and when there is news: another mark, a volume that came up, a copy that is good
 * after all. */

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "master/job/pass.h"
#include "master/master.h"
#include "master/upkeep/damage.h"
#include "store/index/damage.h"

#define SCAN_MAX         256
#define WATCH_USEC       USEC_PER_SEC
#define SOON_USEC        USEC_PER_SEC
#define PATIENCE_MIN     (5 * USEC_PER_SEC)
#define IN_PLACE_MAX     3 /* times that a copy is made anew before it goes elsewhere */
#define PATIENCE_MAX     (10 * USEC_PER_MIN)
#define LOOK_COPIES_MAX  256
#define LOOK_VOLUMES_MAX 64

/* A value that has marks. */
typedef struct Marked {
        uint64_t version;
        char *key; /* owned */
} Marked;

typedef struct Found {
        Marked items[SCAN_MAX];
        size_t n, n_seen;
} Found;

/* Copies of values that are lost, to be looked at by their volumes. */
typedef struct Looks {
        uint32_t volume;
        DamageCopy *copies; /* owned */
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

static bool is_refusing(const Job *job, uint32_t volume) {
        for (size_t i = 0; i < job->n_refusing; i++)
                if (job->refusing[i] == volume)
                        return true;
        return false;
}

static void moved(Pass *pass, const MoveResult *result) {
        Job *job = pass->job;

        if ((result->outcome == MOVE_FAILED || result->outcome == MOVE_FULL) &&
            !is_refusing(job, result->target) && job->n_refusing < JOB_REFUSING_MAX)
                job->refusing[job->n_refusing++] = result->target;
}

/* The marks of what is not current any more mean nothing. */
static void unmark(const Pass *pass, const Marked *marked, const Record *record) {
        for (uint32_t i = 0; i < pass->n_volumes; i++) {
                uint32_t volume = pass->volumes[i].number;
                bool is_copy = false;

                for (size_t j = 0; record && j < record->n_copies; j++)
                        is_copy = is_copy || record->copies[j] == volume;
                if (!is_copy &&
                    index_damage_kind(pass->jobs->master->index, marked->version, volume) !=
                                    DAMAGE_NONE)
                        damage_unmark(pass->jobs->master->index, marked->key, marked->version,
                                      volume);
        }
}

typedef struct Repair {
        Pass *pass;
        const Marked *marked;
        const Record *record;
        unsigned damaged;  /* of the record's copies, by bits */
        Record rest;       /* without those that are to go */
        size_t n_waiting;  /* damaged copies about which nothing can be done now */
        uint32_t replaced; /* how many of the plan's ADD are where the damaged copy is */
        Plan plan;
} Repair;

static void find_sources(Repair *repair) {
        const Record *record = repair->record;

        for (size_t i = 0; i < record->n_copies; i++) {
                const VolumeStatus *status = pass_volume(repair->pass, record->copies[i]);

                if (!(repair->damaged & (1U << i)) && status && status->up)
                        repair->plan.sources[repair->plan.n_sources++] = record->copies[i];
        }
}

/* Counts how often this copy was to be made anew in its place. */
static unsigned count_made_anew(Jobs *jobs, uint64_t version, uint32_t volume) {
        RepairState *state = &jobs->repair;

        for (size_t i = 0; i < REPAIR_PLACES_MAX; i++)
                if (state->places[i].version == version && state->places[i].volume == volume)
                        return ++state->places[i].n;

        state->places[state->next_place] = (RepairPlace){ version, volume, 1 };
        state->next_place = (state->next_place + 1) % REPAIR_PLACES_MAX;
        return 1;
}

/* Whether the copy had better be elsewhere: the volume does not take it, or spoils it each time. */
static bool is_hopeless(Repair *repair, uint32_t volume) {
        Pass *pass = repair->pass;

        if (is_refusing(pass->job, volume))
                return true;
        return !pass->is_counting &&
               count_made_anew(pass->jobs, repair->record->version, volume) > IN_PLACE_MAX;
}

/* Decides for each damaged copy: made anew in its place, elsewhere, or left for now. */
static void choose_places(Repair *repair) {
        const Record *record = repair->record;
        Plan *plan = &repair->plan;

        repair->rest = *record;
        repair->rest.n_copies = 0;
        for (size_t i = 0; i < record->n_copies; i++) {
                uint32_t volume = record->copies[i];
                const VolumeStatus *status = pass_volume(repair->pass, volume);

                if (repair->damaged & (1U << i) && status && status->up &&
                    is_hopeless(repair, volume)) {
                        plan->drop[plan->n_drop++] = volume;
                        continue;
                }
                repair->rest.copies[repair->rest.n_copies++] = volume;
                if (!(repair->damaged & (1U << i)))
                        continue;
                if (status && status->up && status->state != VOLUME_DRAINING)
                        plan->add[plan->n_add++] = volume;
                else
                        repair->n_waiting++;
        }
}

static PlanAbility ability(const Volume *volume, void *userdata) {
        const Repair *repair = userdata;

        for (size_t i = 0; i < repair->plan.n_drop; i++)
                if (repair->plan.drop[i] == volume->number)
                        return PLAN_SOURCE;
        return is_refusing(repair->pass->job, volume->number) ? PLAN_SOURCE
                                                              : pass_ability(volume, repair->pass);
}

/* Places for what is to be made elsewhere; what finds none stays where it is. */
static void find_other_places(Repair *repair) {
        Pass *pass = repair->pass;
        Plan *plan = &repair->plan, other;

        if (plan->n_drop == 0)
                return;

        pass->size = repair->record->size;
        pass->version = repair->record->version;
        plan_key(pass->cluster, key_hash(repair->marked->key), &repair->rest, pass->copies, ability,
                 repair, &other);
        for (size_t i = 0; i < other.n_add && i < plan->n_drop; i++)
                plan->add[plan->n_add++] = other.add[i];
        if (other.n_add < plan->n_drop) {
                pass->n_full += plan->n_drop - other.n_add;
                pass->full = plan->drop[other.n_add];
                plan->n_drop = other.n_add;
        }
}

static void add_look(Looks *looks, size_t *n, uint32_t volume, const Marked *marked) {
        Looks *look = NULL;
        char *key;

        for (size_t i = 0; i < *n && !look; i++)
                if (looks[i].volume == volume)
                        look = looks + i;
        if (!look && *n < LOOK_VOLUMES_MAX) {
                look = looks + (*n)++;
                *look = (Looks){ .volume = volume };
                look->copies = calloc(LOOK_COPIES_MAX, sizeof(*look->copies));
        }
        if (!look || !look->copies || look->n == LOOK_COPIES_MAX)
                return;
        key = strdup(marked->key);
        if (key)
                look->copies[look->n++] = (DamageCopy){ marked->version, key };
}

/* All copies have a mark: one of them may be good after all. */
static void look_again(const Repair *repair, Looks *looks, size_t *n_looks) {
        const Record *record = repair->record;

        for (size_t i = 0; i < record->n_copies; i++) {
                const VolumeStatus *status = pass_volume(repair->pass, record->copies[i]);

                if (status && status->up)
                        add_look(looks, n_looks, record->copies[i], repair->marked);
        }
}

static void repair_value(Pass *pass, const Marked *marked, Looks *looks, size_t *n_looks) {
        Index *index = pass->jobs->master->index;
        _cleanup_(buffer_done) Buffer scratch = {};
        Record record;
        Repair repair = { .pass = pass, .marked = marked, .record = &record };
        int r;

        r = index_get(index, marked->key, &scratch, &record);
        if (r < 0 && r != -ENOENT)
                return; /* the index itself is damaged there */
        unmark(pass, marked, r >= 0 && record.version == marked->version ? &record : NULL);
        if (r < 0 || record.version != marked->version)
                return;
        repair.damaged = index_damaged(index, &record);
        if (repair.damaged == 0)
                return;

        find_sources(&repair);
        if (repair.plan.n_sources == 0) {
                if (repair.damaged + 1 == 1U << record.n_copies) {
                        pass_note_lost(pass, marked->key);
                        if (!pass->is_counting)
                                look_again(&repair, looks, n_looks);
                } else
                        pass->n_down++;
                return;
        }

        choose_places(&repair);
        find_other_places(&repair);
        pass->n_down += repair.n_waiting;
        if (repair.plan.n_add == 0)
                return;
        pass->n_found++;
        pass->bytes += record.size * repair.plan.n_add;
        if (!pass->is_counting)
                pass_submit(pass, marked->key, &record, &repair.plan);
}

static void on_good(void *userdata) {
        jobs_wake_repair(userdata);
}

static int read_on(Pass *pass) {
        const Master *master = pass->jobs->master;
        const DamageLookOptions options = {
                .index = master->index,
                .volumes = master->volumes,
                .client = master->bulk,
                .on_good = on_good,
                .userdata = pass->jobs,
        };
        _cleanup_free_ Found *found = calloc(1, sizeof(*found));
        Looks looks[LOOK_VOLUMES_MAX];
        size_t n_looks = 0, n_seen;
        int r;

        if (!found)
                return -ENOMEM;

        /* Behind all marks of the last version. */
        r = index_damage_scan(
                        pass->jobs->master->index, pass->after, UINT32_MAX, SCAN_MAX, on_mark,
                        found);
        n_seen = found->n_seen;
        for (size_t i = 0; i < found->n; i++) {
                if (r >= 0)
                        repair_value(pass, found->items + i, looks, &n_looks);
                pass->after = found->items[i].version;
                free(found->items[i].key);
        }
        for (size_t i = 0; i < n_looks; i++)
                if (looks[i].copies)
                        (void) damage_look(
                                        &options, looks[i].volume, looks[i].copies,
                                        looks[i].n); /* else the next time */
        return r < 0 ? r : (int) n_seen;
}

/* "12:03:04", in local time. */
static const char *format_time(uint64_t usec, char ret[static 16]) {
        time_t seconds = (time_t) (usec / USEC_PER_SEC);
        struct tm tm;

        if (!localtime_r(&seconds, &tm) || strftime(ret, 16, "%H:%M:%S", &tm) == 0)
                *ret = '\0';
        return ret;
}

static void explain(Pass *pass, uint64_t until_usec) {
        Job *job = pass->job;
        char when[16];

        (void) format_time(until_usec, when);
        if (pass->n_lost > 0)
                job_explain(job,
                            "No good copy is left of %" PRIu64 " values (dkvadm damage); they are "
                            "looked at again at %s.",
                            pass->n_lost, when);
        else if (pass->n_full > 0)
                job_explain(job,
                            "Volume %" PRIu32 " cannot take %" PRIu64 " copies anew, and no other "
                            "can; tried again at %s.",
                            pass->full, pass->n_full, when);
        else if (pass->n_down > 0)
                job_explain(job, "Waits for a volume that is down; looks again at %s.", when);
        else
                job_explain(job, "Some copies cannot be made now; tried again at %s.", when);
}

static int pass_ended(Pass *pass) {
        Job *job = pass->job;
        IndexDamageCounters counters;

        index_damage_counters(pass->jobs->master->index, &counters);
        if (pass->n_lost > 0 || job->status.lost_keys > 0)
                job_set_lost(job, &pass->lost, pass->n_lost);
        if (counters.copies == 0)
                return 1;
        if (pass->n_moved > 0) {
                job->patience_usec = 0;
                if (pass->n_later > 0)
                        job_wait(job, SOON_USEC);
                return 0;
        }

        /* Volumes that refused get another chance, in the end. */
        if (pass->n_found == 0 || pass->n_full > 0) {
                job->n_refusing = 0;
                memset(pass->jobs->repair.places, 0, sizeof(pass->jobs->repair.places));
        }
        job->patience_usec = MIN(
                        MAX(2 * job->patience_usec, (uint64_t) PATIENCE_MIN),
                        (uint64_t) PATIENCE_MAX);
        if (pass->n_found > 0)
                job->patience_usec = SOON_USEC;
        explain(pass, clock_realtime() + job->patience_usec);
        job_wait(job, job->patience_usec);
        return 0;
}

const JobKind job_repair = { .read_on = read_on, .moved = moved, .pass_ended = pass_ended };

/* With the lock held. */
static Job *find_repair(const Jobs *jobs) {
        for (size_t i = 0; i < jobs->n_jobs; i++)
                if (jobs->jobs[i]->status.type == JOB_REPAIR &&
                    !job_state_is_final(jobs->jobs[i]->status.state))
                        return jobs->jobs[i];
        return NULL;
}

void jobs_wake_repair(Jobs *jobs) {
        Job *job;

        if (!jobs)
                return;

        (void) pthread_mutex_lock(&jobs->lock);
        job = find_repair(jobs);
        if (job && job->not_before_usec > 0) {
                job->not_before_usec = job->patience_usec = 0;
                jobs_wake(jobs);
        }
        (void) pthread_mutex_unlock(&jobs->lock);
}

static void start(Jobs *jobs) {
        Job *job;

        (void) pthread_mutex_lock(&jobs->lock);
        job = find_repair(jobs);
        if (job) /* it may be about to end */
                job->is_joined = true;
        else if ((job = jobs_add(jobs))) {
                job->status = (JobStatus){
                        .id = ++jobs->last_id,
                        .type = JOB_REPAIR,
                        .limits.parallel = JOB_PARALLEL,
                        .started_by = (uint32_t) geteuid(),
                };
                job->is_new = true;
                jobs_save(jobs);
        }
        (void) pthread_mutex_unlock(&jobs->lock);
}

/* Differs when other volumes are up. */
static uint64_t mark_of_volumes(const Jobs *jobs) {
        _cleanup_free_ VolumeStatus *volumes = NULL;
        uint64_t epoch, mark = 0;
        size_t n;

        if (volumes_list(jobs->master->volumes, &volumes, &n, &epoch) < 0)
                return 0;
        for (size_t i = 0; i < n; i++)
                if (volumes[i].up)
                        mark = (mark ^ volumes[i].number) * UINT64_C(0x9e3779b97f4a7c15);
        return mark;
}

/* A repair that was cancelled stays so until there is news. */
void job_repair_watch(Jobs *jobs) {
        uint64_t now = clock_monotonic(), volumes;
        IndexDamageCounters counters;

        if (now < jobs->repair.looked_usec + WATCH_USEC)
                return;
        jobs->repair.looked_usec = now;
        damage_watch(jobs->master->index, jobs->master->volumes, jobs->master->troubles);
        index_damage_counters(jobs->master->index, &counters);
        if (counters.copies == 0)
                return;

        volumes = mark_of_volumes(jobs);
        if (counters.made == jobs->repair.n_made && volumes == jobs->repair.volumes)
                return;
        jobs->repair.n_made = counters.made;
        jobs->repair.volumes = volumes;
        start(jobs);
        jobs_wake_repair(jobs);
}
