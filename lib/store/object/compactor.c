/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <semaphore.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/object/compactor.h"
#include "store/object/objects-internal.h"

/* How often the thread looks. */
#define TICK_USEC (5 * USEC_PER_SEC)

/* Below the first share a segment is worth moving at once, below the second after this time. */
#define LIVE_PERCENT     75
#define OLD_LIVE_PERCENT 90
#define OLD_USEC         (30 * USEC_PER_MIN)

/* The segment that is written is given up for another one if it has so much garbage. */
#define ROLL_SIZE (16 * KIB)

/* Each start begins a new segment. Once there are so many that have less than this part of the size
 * of a full one, they are merged, so that what they hold is copied once for so many starts. */
#define SMALL_SEGMENTS 8
#define SMALL_PART     8

/* Moved by one operation. */
#define RELOCATION_MAX  64
#define RELOCATION_SIZE ((size_t) (512 * KIB))

/* While others use the store, it rests so many times as long as it has worked. */
#define REST_FACTOR 3

/* A file is kept for a later segment if there are so many. */
#define SPARE_SEGMENTS 16

typedef struct Moved {
        uint64_t version;
        Item item;   /* as it was */
        size_t data; /* where its bytes begin in those of the relocation */
        LogPosition to;
} Moved;

typedef struct Relocation {
        Operation operation;
        ObjectStore *store; /* not owned */
        Moved items[RELOCATION_MAX];
        size_t n;
        Buffer data, scratch;
        LogPosition next; /* where the scan goes on */
        sem_t done;
        int error, result;
} Relocation;

static int apply_move(Transaction *transaction, const Moved *moved) {
        ObjectStore *store = transaction->environment->hooks.userdata;
        Lives *lives = &store->values.lives;
        int64_t size = (int64_t) entry_size(moved->item.size);
        uint64_t key = object_key(moved->version);
        Item found;
        int r;

        assert(moved->to.file > 0);

        values_note_applied(&store->values, moved->to, moved->item.size);
        r = transaction_get(transaction, store->objects, &key, sizeof(key), &transaction->scratch);
        if (r >= 0)
                r = item_decode(transaction->scratch.data, transaction->scratch.size, &found);
        if (r < 0 || !found.is_pointer || log_position_compare(found.place, moved->item.place) != 0)
                return 0; /* deleted or replaced since */

        found.place = moved->to;
        r = lives_add(lives, transaction, moved->item.place.file, -size);
        if (r >= 0)
                r = lives_add(lives, transaction, moved->to.file, size);
        return r < 0 ? r : object_put_item(transaction, moved->version, &found);
}

static int apply_relocation(Operation *operation, Transaction *transaction) {
        const Relocation *relocation = CONTAINER_OF(operation, Relocation, operation);

        if (relocation->error < 0)
                return relocation->error;

        for (size_t i = 0; i < relocation->n && transaction->error >= 0; i++)
                (void) apply_move(transaction, &relocation->items[i]); /* errors stick */
        return 0;
}

static void on_relocated(Operation *operation, int result) {
        Relocation *relocation = CONTAINER_OF(operation, Relocation, operation);

        relocation->result = result;
        (void) sem_post(&relocation->done);
}

/* Not environment_run(): the operation has to be known as what it is before it is applied. */
static int run_relocation(Relocation *relocation) {
        relocation->operation = (Operation){ .apply = apply_relocation, .done = on_relocated };
        environment_submit(relocation->store->environment, &relocation->operation);
        while (sem_wait(&relocation->done) < 0)
                ; /* interrupted by a signal */

        return relocation->result;
}

bool relocation_is(const Operation *operation) {
        return operation->apply == apply_relocation;
}

size_t relocation_add(Operation *operation, SegmentLog *log) {
        Relocation *relocation = CONTAINER_OF(operation, Relocation, operation);
        size_t size = 0;

        for (size_t i = 0; i < relocation->n && relocation->error >= 0; i++) {
                Moved *moved = &relocation->items[i];

                relocation->error = segment_log_add(
                                log, VALUE_MOVED, moved->version,
                                relocation->data.data + moved->data, moved->item.size, &moved->to);
                size += moved->item.size;
        }
        return size;
}

void relocation_fail(Operation *operation, int error) {
        CONTAINER_OF(operation, Relocation, operation)->error = error;
}

/* Whether a pointer leads to the entry, which is at this position. */
static bool
is_live(ObjectStore *store, const LogEntry *entry, LogPosition at, Buffer *scratch, Item *ret) {
        int r;

        if (entry->kind == VALUE_REACH)
                return false;

        r = object_find(store, entry->tag, scratch);
        if (r >= 0)
                r = item_decode(scratch->data, scratch->size, ret);
        return r >= 0 && ret->is_pointer && log_position_compare(ret->place, at) == 0;
}

/* Collects what is live. */
static int on_entry(const LogEntry *entry, LogPosition at, LogPosition behind, void *userdata) {
        Relocation *relocation = userdata;
        Item item;

        relocation->next = behind;
        if (!is_live(relocation->store, entry, at, &relocation->scratch, &item))
                return 0;

        relocation->items[relocation->n++] = (Moved){ .version = entry->tag,
                                                      .item = item,
                                                      .data = relocation->data.size };
        buffer_put(&relocation->data, entry->data, entry->size);
        if (buffer_error(&relocation->data) < 0)
                return buffer_error(&relocation->data);
        return relocation->n == RELOCATION_MAX || relocation->data.size >= RELOCATION_SIZE;
}

static bool is_stopped(Compactor *compactor) {
        bool stop;

        (void) pthread_mutex_lock(&compactor->mutex);
        stop = compactor->stop;
        (void) pthread_mutex_unlock(&compactor->mutex);

        return stop;
}

/* Until then, or until the store is closed. */
static void sleep_for(Compactor *compactor, uint64_t usec) {
        struct timespec until;
        int r = 0;

        (void) clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += (time_t) (usec / USEC_PER_SEC);
        until.tv_nsec += (long) (usec % USEC_PER_SEC) * 1000;
        if (until.tv_nsec >= 1000000000) {
                until.tv_sec++;
                until.tv_nsec -= 1000000000;
        }

        (void) pthread_mutex_lock(&compactor->mutex);
        while (!compactor->stop && r == 0)
                r = pthread_cond_timedwait(&compactor->changed, &compactor->mutex, &until);
        (void) pthread_mutex_unlock(&compactor->mutex);
}

/* Moves some objects. Returns 1 if there may be more, 0 at the end, or a negative errno. */
static int move_some(Compactor *compactor, Relocation *relocation) {
        Environment *environment = compactor->store->environment;
        uint64_t begun = clock_monotonic(), batches = environment_batches(environment);
        int more, r;

        relocation->n = 0;
        relocation->error = 0;
        buffer_clear(&relocation->data);
        more = segment_log_scan(
                        compactor->store->values.log, relocation->next, on_entry, relocation);
        if (more < 0 || relocation->n == 0)
                return more;

        r = run_relocation(relocation);
        if (r < 0)
                return r;
        if (environment_batches(environment) > batches + 1)
                sleep_for(compactor, REST_FACTOR * (clock_monotonic() - begun));
        return more;
}

static int move_segment(Compactor *compactor, uint32_t segment) {
        _cleanup_free_ Relocation *relocation = calloc(1, sizeof(*relocation));
        int r;

        if (!relocation)
                return -ENOMEM;

        (void) sem_init(&relocation->done, 0, 0);
        relocation->store = compactor->store;
        relocation->next.file = segment;
        do
                r = move_some(compactor, relocation);
        while (r > 0 && !is_stopped(compactor));

        (void) sem_destroy(&relocation->done);
        buffer_done(&relocation->data);
        buffer_done(&relocation->scratch);
        return MIN(r, 0);
}

static int apply_nothing(Operation *operation, Transaction *transaction) {
        return 0;
}

/* What the database has is on the disk then. */
static int flush(Compactor *compactor) {
        Operation nothing = { .apply = apply_nothing };

        return environment_run(compactor->store->environment, &nothing);
}

static SegmentNote *find_note(const Compactor *compactor, uint32_t segment) {
        size_t low = 0, high = compactor->n_notes;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (compactor->notes[middle].segment < segment)
                        low = middle + 1;
                else
                        high = middle;
        }

        return low < compactor->n_notes && compactor->notes[low].segment == segment
                               ? &compactor->notes[low]
                               : NULL;
}

typedef struct Survey {
        uint64_t now_usec;
        uint32_t merge_until; /* the last of the small segments that are merged; 0 for none */
        SegmentNote *notes;   /* those of this survey; owned */
        size_t n, allocated;
        uint32_t worst; /* the segment that is most worth moving; 0 for none */
        uint64_t worst_share;
        unsigned n_dead, n_segments;
} Survey;

/* Without memory a segment is noticed later. */
static void add_note(Survey *survey, const SegmentNote *note) {
        if (survey->n == survey->allocated) {
                size_t allocated = MAX(2 * survey->allocated, (size_t) 64);
                SegmentNote *notes = realloc(survey->notes, allocated * sizeof(*notes));

                if (!notes)
                        return;
                survey->notes = notes;
                survey->allocated = allocated;
        }
        survey->notes[survey->n++] = *note;
}

/* How many percent of a segment have to be live. */
static uint64_t limit(const SegmentNote *note, uint64_t now_usec) {
        return now_usec >= note->since_usec + OLD_USEC ? OLD_LIVE_PERCENT : LIVE_PERCENT;
}

static bool is_small(const Compactor *compactor, uint32_t size) {
        return size < compactor->store->environment->options.log_size / SMALL_PART;
}

/* Whether all that is live was still there after it was moved. */
static bool is_stuck(const SegmentNote *note, uint64_t live) {
        return note && note->stuck_live == live;
}

/* Returns the last of the small segments if there are enough of them to be merged, or 0. */
static uint32_t find_small(Compactor *compactor) {
        Values *values = &compactor->store->values;
        uint32_t needed = atomic_load(&values->needed), segment = 0, size, last = 0;
        unsigned n = 0;

        while ((segment = segment_log_next(values->log, segment, &size)) > 0 && segment < needed) {
                uint64_t live = lives_of(&values->lives, segment);

                if (live == 0 || !is_small(compactor, size) ||
                    is_stuck(find_note(compactor, segment), live))
                        continue;
                last = segment;
                n++;
        }
        return n >= SMALL_SEGMENTS ? last : 0;
}

static void survey_segment(Compactor *compactor, Survey *survey, uint32_t segment, uint32_t size) {
        uint64_t live = lives_of(&compactor->store->values.lives, segment);
        uint64_t share = live * 100 / MAX(size, UINT32_C(1));
        bool merges = segment <= survey->merge_until && is_small(compactor, size);
        const SegmentNote *before = find_note(compactor, segment);
        SegmentNote note = before ? *before : (SegmentNote){ segment, survey->now_usec, 0 };

        survey->n_segments++;
        if (live == 0)
                survey->n_dead++;
        if (live == 0 || (share >= OLD_LIVE_PERCENT && !merges && !is_stuck(before, live)))
                return;

        add_note(survey, &note);
        if (!is_stuck(&note, live) && (merges || share < limit(&note, survey->now_usec)) &&
            (survey->worst == 0 || share < survey->worst_share)) {
                survey->worst = segment;
                survey->worst_share = share;
        }
}

/* Looks at the segments that no recovery needs, and at nothing else. */
static void survey_all(Compactor *compactor, uint64_t now_usec, uint32_t merge_until, Survey *ret) {
        Values *values = &compactor->store->values;
        uint32_t needed = atomic_load(&values->needed), segment = 0, size;
        Survey survey = { .now_usec = now_usec, .merge_until = merge_until };

        while ((segment = segment_log_next(values->log, segment, &size)) > 0 && segment < needed)
                survey_segment(compactor, &survey, segment, size);

        free(compactor->notes);
        compactor->notes = survey.notes;
        compactor->n_notes = survey.n;
        *ret = survey;
}

typedef struct LastLook {
        ObjectStore *store; /* not owned */
        Buffer scratch;
} LastLook;

static int on_last_look(const LogEntry *entry, LogPosition at, LogPosition behind, void *userdata) {
        LastLook *look = userdata;
        Item item;

        return is_live(look->store, entry, at, &look->scratch, &item);
}

/* By the sums nothing is live. Before that is believed, each entry is looked at. */
static bool is_dead(Compactor *compactor, uint32_t segment) {
        LastLook look = { .store = compactor->store };
        int r;

        if (lives_of(&compactor->store->values.lives, segment) > 0)
                return false;

        r = segment_log_scan(
                        compactor->store->values.log, (LogPosition){ segment, 0 }, on_last_look,
                        &look);
        buffer_done(&look.scratch);
        return r == 0;
}

/* What was moved or deleted is on the disk: nothing leads to these segments any more, and never
 * will. */
static void remove_dead(Compactor *compactor, const Survey *survey) {
        Values *values = &compactor->store->values;
        uint32_t needed = atomic_load(&values->needed), segment = 0, size;
        bool keeps_spare = survey->n_segments - survey->n_dead >= SPARE_SEGMENTS;

        while ((segment = segment_log_next(values->log, segment, &size)) > 0 && segment < needed)
                if (!is_dead(compactor, segment))
                        continue;
                else if (keeps_spare)
                        segment_log_recycle(values->log, segment);
                else
                        segment_log_remove(values->log, segment);
        if (!keeps_spare)
                segment_log_trim(values->log);
}

/* Moves what can be moved of the worst one, and notes the rest. */
static int move_worst(Compactor *compactor, const Survey *survey) {
        SegmentNote *note = find_note(compactor, survey->worst);
        int r;

        if (!note)
                return -ENOMEM;

        r = move_segment(compactor, survey->worst);
        if (r == -ENODATA) /* it is missing */
                r = 0;
        if (r >= 0)
                note->stuck_live = lives_of(&compactor->store->values.lives, survey->worst);
        return r;
}

/* The segment that is written is like any other once there is a new one. */
static int roll(Compactor *compactor) {
        Values *values = &compactor->store->values;
        uint32_t segment = 0, size = 0, last = 0, last_size = 0;
        uint64_t live;

        while ((segment = segment_log_next(values->log, segment, &size)) > 0) {
                last = segment;
                last_size = size;
        }
        live = last > 0 ? lives_of(&values->lives, last) : 0;
        if (last_size < live + ROLL_SIZE || live * 100 >= (uint64_t) last_size * LIVE_PERCENT)
                return 0;

        atomic_store(&values->is_rolling, true);
        return flush(compactor);
}

static int run(Compactor *compactor, uint64_t now_usec) {
        uint32_t merge_until;
        Survey survey;
        int r;

        r = flush(compactor);
        if (r >= 0)
                r = roll(compactor);
        merge_until = find_small(compactor);
        while (r >= 0 && !is_stopped(compactor)) {
                survey_all(compactor, now_usec, merge_until, &survey);
                if (survey.n_dead > 0)
                        r = flush(compactor);
                if (r >= 0 && survey.n_dead > 0)
                        remove_dead(compactor, &survey);
                if (r < 0 || survey.worst == 0)
                        break;
                r = move_worst(compactor, &survey);
        }
        return MIN(r, 0);
}

int compactor_run(Compactor *compactor, uint64_t now_usec) {
        int r;

        (void) pthread_mutex_lock(&compactor->running);
        r = run(compactor, now_usec);
        compactor->seen_batches = environment_batches(compactor->store->environment);
        (void) pthread_mutex_unlock(&compactor->running);

        return r;
}

/* Old garbage needs no change of the store to get old. */
static bool is_due(Compactor *compactor) {
        bool result;

        (void) pthread_mutex_lock(&compactor->running);
        result = compactor->n_notes > 0 ||
                 environment_batches(compactor->store->environment) != compactor->seen_batches;
        (void) pthread_mutex_unlock(&compactor->running);

        return result;
}

static void *compactor_main(void *userdata) {
        Compactor *compactor = userdata;

        (void) pthread_setname_np(pthread_self(), "compactor");

        while (!is_stopped(compactor)) {
                int r;

                sleep_for(compactor, TICK_USEC);
                if (is_stopped(compactor) || !is_due(compactor))
                        continue;
                r = compactor_run(compactor, clock_monotonic());
                if (r < 0) /* it is tried again */
                        log_debug_errno(r, "Failed to give space back: %m");
        }

        return NULL;
}

void compactor_init(Compactor *compactor, ObjectStore *store) {
        pthread_condattr_t attributes;

        *compactor = (Compactor){ .store = store };
        (void) pthread_mutex_init(&compactor->mutex, NULL);
        (void) pthread_mutex_init(&compactor->running, NULL);
        (void) pthread_condattr_init(&attributes);
        (void) pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        (void) pthread_cond_init(&compactor->changed, &attributes);
        (void) pthread_condattr_destroy(&attributes);
}

void compactor_done(Compactor *compactor) {
        (void) pthread_cond_destroy(&compactor->changed);
        (void) pthread_mutex_destroy(&compactor->running);
        (void) pthread_mutex_destroy(&compactor->mutex);
        free(compactor->notes);
}

int compactor_start(Compactor *compactor) {
        int r;

        r = pthread_create(&compactor->thread, NULL, compactor_main, compactor);
        if (r > 0)
                return -r;

        compactor->is_running = true;
        return 0;
}

void compactor_stop(Compactor *compactor) {
        if (!compactor->is_running)
                return;

        (void) pthread_mutex_lock(&compactor->mutex);
        compactor->stop = true;
        (void) pthread_cond_broadcast(&compactor->changed);
        (void) pthread_mutex_unlock(&compactor->mutex);

        (void) pthread_join(compactor->thread, NULL);
        compactor->is_running = false;
}
