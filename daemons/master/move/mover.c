/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <pthread.h>
#include <string.h>

/* The table holds what is under way; without memory for that there is nothing left to do. */
#define uthash_fatal(message) abort()
#include <uthash.h>

#include "base/clock.h"
#include "base/log.h"
#include "loop/loop.h"
#include "master/move/mover-internal.h"
#include "master/upkeep/damage.h"

#define SMALL_MAX       (1 * MIB) /* larger values go alone */
#define BATCH_BYTES_MAX (4 * MIB)
#define LOOK_USEC       USEC_PER_SEC /* how often targets are looked at whether they are up */

/* While clients are at work, a volume takes part in one call at a time, a small one, and rests
 * afterwards so many times as long as it took. Large values go alone, and slowly, as their target
 * sees to. */
#define BACKGROUND_MOVES 128
#define BACKGROUND_BYTES (512 * KIB)
#define BACKGROUND_RESTS 3

typedef struct Route {
        RouteId id;
        Move *first, **tail;
        UT_hash_handle hh;
} Route;

int mover_new(const MoverOptions *options, MoverDone done, void *userdata, Mover **ret) {
        pthread_condattr_t attributes;
        Mover *mover = calloc(1, sizeof(*mover));

        if (!mover)
                return -ENOMEM;

        mover->options = *options;
        mover->done = done;
        mover->userdata = userdata;
        mover->limits.parallel = mover->in_force.parallel = JOB_PARALLEL;
        (void) pthread_mutex_init(&mover->lock, NULL);
        (void) pthread_condattr_init(&attributes);
        (void) pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        (void) pthread_cond_init(&mover->changed, &attributes);
        (void) pthread_condattr_destroy(&attributes);

        *ret = mover;
        return 0;
}

static Batch *batch_free(Batch *batch) {
        for (size_t i = 0; i < batch->n; i++)
                free(batch->moves[i]);
        (void) rpc_call_unref(batch->call);
        free(batch);
        return NULL;
}

static void free_moves(Move *moves) {
        while (moves) {
                Move *move = moves;

                moves = move->next;
                free(move);
        }
}

Mover *mover_free(Mover *mover) {
        Route *route, *next;

        if (!mover)
                return NULL;

        HASH_ITER(hh, mover->routes, route, next) {
                HASH_DEL(mover->routes, route);
                free_moves(route->first);
                free(route);
        }
        while (mover->batches) {
                Batch *batch = mover->batches;

                mover->batches = batch->next;
                (void) batch_free(batch);
        }
        (void) pthread_cond_destroy(&mover->changed);
        (void) pthread_mutex_destroy(&mover->lock);
        free(mover);
        return NULL;
}

/* Changes of the list of batches are made by the thread of the jobs only. */
static void link_batch(Mover *mover, Batch *batch) {
        batch->next = mover->batches;
        if (batch->next)
                batch->next->previous = batch;
        mover->batches = batch;
}

static void unlink_batch(Mover *mover, Batch *batch) {
        if (batch->next)
                batch->next->previous = batch->previous;
        if (batch->previous)
                batch->previous->next = batch->next;
        else
                mover->batches = batch->next;
}

size_t mover_count(const Mover *mover) {
        return mover->n_moves;
}

void mover_set_limits(Mover *mover, const JobLimits *limits) {
        (void) pthread_mutex_lock(&mover->lock);
        mover->limits = *limits;
        (void) pthread_mutex_unlock(&mover->lock);
        mover_wake(mover);
}

void mover_wake(Mover *mover) {
        (void) pthread_mutex_lock(&mover->lock);
        mover->woken = true;
        (void) pthread_cond_signal(&mover->changed);
        (void) pthread_mutex_unlock(&mover->lock);
}

static uint32_t source_of(const Move *move) {
        const Plan *plan = &move->plan;

        /* Spread, so that not the first copy of each key is read. */
        return plan->sources[(move->version / 2 + move->n_tried) % plan->n_sources];
}

/* Queues the move for its next call. A step that only drops needs none, but goes the same way. */
static int enqueue(Mover *mover, Move *move) {
        RouteId id = { .source = source_of(move), .is_large = move->size > SMALL_MAX };
        PlanStep step;
        Route *route;

        plan_step(&move->plan, move->step, &step);
        id.target = step.add;
        if (step.add == 0)
                id.source = id.is_large = 0;

        HASH_FIND(hh, mover->routes, &id, sizeof(id), route);
        if (!route) {
                route = calloc(1, sizeof(*route));
                if (!route)
                        return -ENOMEM;
                route->id = id;
                route->tail = &route->first;
                HASH_ADD(hh, mover->routes, id, sizeof(route->id), route);
        }
        move->next = NULL;
        move->error = 0;
        move->was_pulled = false;
        *route->tail = move;
        route->tail = &move->next;
        return 0;
}

int mover_submit(Mover *mover, const char *key, const Record *record, const Plan *plan) {
        size_t size = strlen(key) + 1;
        Move *move;
        int r;

        assert(plan_steps(plan) > 0);
        assert(plan->n_sources > 0);

        move = malloc(sizeof(*move) + size);
        if (!move)
                return -ENOMEM;
        *move = (Move){ .plan = *plan, .version = record->version, .size = record->size };
        memcpy(move->key, key, size);

        r = enqueue(mover, move);
        if (r < 0) {
                free(move);
                return r;
        }

        mover->n_moves++;
        return 0;
}

/* Takes moves off the route, as many as go into one call. */
static uint64_t fill(Batch *batch, Route *route) {
        bool is_throttled = batch->mover->is_throttled;
        size_t max = is_throttled ? BACKGROUND_MOVES : WIRE_PULL_MAX;
        uint64_t bytes = 0, bytes_max = is_throttled ? BACKGROUND_BYTES : BATCH_BYTES_MAX;

        while (route->first && batch->n < max) {
                Move *move = route->first;

                if (batch->n > 0 && (batch->id.is_large || bytes + move->size > bytes_max))
                        break;
                route->first = move->next;
                move->batch = batch;
                batch->moves[batch->n++] = move;
                bytes += move->size;
        }
        if (!route->first)
                route->tail = &route->first;
        return bytes;
}

static void take_limits(Mover *mover) {
        uint64_t rate = mover->in_force.rate;

        (void) pthread_mutex_lock(&mover->lock);
        mover->in_force = mover->limits;
        (void) pthread_mutex_unlock(&mover->lock);
        if (mover->in_force.rate != rate)
                mover->not_before_usec = 0;
}

/* The next call has to wait until this one would be through at the rate that is allowed. */
static void pay(Mover *mover, uint64_t bytes) {
        uint64_t now = clock_monotonic(), rate = mover->in_force.rate;

        if (rate > 0)
                mover->not_before_usec = MAX(mover->not_before_usec, now) +
                                         (uint64_t) ((double) bytes / (double) rate *
                                                     (double) USEC_PER_SEC);
}

static void set_rest(const Batch *batch, uint64_t until_usec) {
        batch->mover->rest_until[batch->id.source] = until_usec;
        batch->mover->rest_until[batch->id.target] = until_usec;
}

/* A large value was slow already. */
static void rest(const Batch *batch) {
        uint64_t now = clock_monotonic();

        set_rest(batch, batch->mover->is_throttled && !batch->id.is_large
                                        ? now + BACKGROUND_RESTS * (now - batch->started_usec)
                                        : 0);
}

/* The route has a move. */
static int start_batch(Mover *mover, Route *route) {
        Batch *batch = calloc(1, sizeof(*batch));
        uint64_t bytes;
        int r = 0;

        if (!batch)
                return -ENOMEM;

        batch->mover = mover;
        batch->id = route->id;
        bytes = fill(batch, route);
        batch->n_left = batch->n + 1; /* one for the call */
        batch->started_usec = clock_monotonic();
        if (mover->is_throttled)
                set_rest(batch, UINT64_MAX);
        link_batch(mover, batch);
        batch_count_call(batch, 1);

        if (batch->id.target != 0) {
                pay(mover, bytes);
                r = batch_pull(batch, bytes);
        }
        if (batch->id.target == 0 || r < 0)
                batch_swap(batch, r, NULL);
        return 0;
}

static bool is_resting(Mover *mover, const RouteId *id) {
        uint64_t until = MAX(mover->rest_until[id->source], mover->rest_until[id->target]);

        if (!mover->is_throttled || until <= clock_monotonic())
                return false;
        mover->next_start_usec = MIN(mover->next_start_usec, until);
        return true;
}

static bool has_room(const Mover *mover, const RouteId *id) {
        const atomic_uint *n_calls = mover->n_calls[id->is_large];
        unsigned max = mover->in_force.parallel;

        return atomic_load(n_calls + id->target) < max && atomic_load(n_calls + id->source) < max;
}

/* Returns whether a call was started. */
static bool start_some(Mover *mover) {
        Route *route, *next;
        bool started = false;

        HASH_ITER(hh, mover->routes, route, next) {
                if (mover->not_before_usec > clock_monotonic())
                        return false;
                if (!has_room(mover, &route->id) || is_resting(mover, &route->id) ||
                    start_batch(mover, route) < 0)
                        continue;

                /* To the end, so that each has its turn. */
                started = true;
                HASH_DEL(mover->routes, route);
                if (route->first)
                        HASH_ADD(hh, mover->routes, id, sizeof(route->id), route);
                else
                        free(route);
        }
        return started;
}

/* A target that is down does not answer, and its call is a patient one. */
static void look_at_targets(Mover *mover) {
        char url[VOLUME_URL_SIZE];
        uint64_t now = clock_monotonic();

        if (now < mover->looked_usec + LOOK_USEC)
                return;

        mover->looked_usec = now;
        for (Batch *batch = mover->batches; batch; batch = batch->next)
                if (batch->call &&
                    volumes_url(mover->options.volumes, batch->id.target, url) == -EHOSTDOWN)
                        rpc_call_cancel(batch->call);
}

static void report(Mover *mover, Move *move, MoveOutcome outcome) {
        MoveResult result = { .key = move->key, .outcome = outcome, .bytes = move->bytes };
        PlanStep step;

        if (move->step < plan_steps(&move->plan)) {
                plan_step(&move->plan, move->step, &step);
                result.target = step.add;
        }
        mover->n_moves--;
        mover->done(&result, mover->userdata);
        free(move);
}

static void retry(Mover *mover, Move *move) {
        if (enqueue(mover, move) < 0)
                report(mover, move, MOVE_LATER);
}

/* The step was made. */
static void step_on(Mover *mover, Move *move) {
        PlanStep step;

        plan_step(&move->plan, move->step, &step);
        if (step.add != 0) {
                move->bytes += move->size;
                outbox_confirm(mover->options.outbox, step.add, move->version);
        }
        move->n_tried = 0;
        if (++move->step < plan_steps(&move->plan))
                retry(mover, move);
        else
                report(mover, move, MOVE_DONE);
}

static bool is_current(Mover *mover, const Move *move) {
        _cleanup_(buffer_done) Buffer scratch = {};
        Record record;
        int r;

        r = index_get(mover->options.index, move->key, &scratch, &record);
        return r >= 0 ? record.version == move->version : r != -ENOENT;
}

/* The source has no good copy. */
static void try_another(Mover *mover, Move *move, uint32_t source) {
        if (!is_current(mover, move)) {
                report(mover, move, MOVE_CHANGED);
                return;
        }
        if (move->error != -EHOSTDOWN)
                damage_mark(mover->options.index, move->key, move->version, source,
                            damage_kind_of_error(move->error));
        if (++move->n_tried < move->plan.n_sources)
                retry(mover, move);
        else
                report(mover, move, move->error == -EHOSTDOWN ? MOVE_LATER : MOVE_DAMAGED);
}

static void finish_move(Mover *mover, Move *move, uint32_t source) {
        if (move->error == 0) {
                step_on(mover, move);
                return;
        }
        if (move->was_pulled) {
                report(mover, move, move->error == -ESTALE ? MOVE_CHANGED : MOVE_LATER);
                return;
        }

        switch (move->error) {
        case -EBADMSG:
        case -ENOENT:
        case -EHOSTDOWN:
                try_another(mover, move, source);
                break;
        case -ENOSPC:
        case -EDQUOT:
                report(mover, move, MOVE_FULL);
                break;
        case -EIO:
        case -EREMOTEIO:
        case -EEXIST:
                report(mover, move, MOVE_FAILED);
                break;
        default:
                report(mover, move, MOVE_LATER);
        }
}

/* All that it confirms wakes the loop once. */
static void finish_batch(Mover *mover, Batch *batch) {
        loop_hold();
        for (size_t i = 0; i < batch->n; i++)
                finish_move(mover, TAKE_PTR(batch->moves[i]), batch->id.source);
        if (batch->id.target != 0)
                outbox_flush(mover->options.outbox, batch->id.target);
        loop_release();

        rest(batch);
        unlink_batch(mover, batch);
        (void) batch_free(batch);
}

/* Waits for something to happen. Returns the batches that have ended. */
static Batch *wait_for_ended(Mover *mover, uint64_t until_usec) {
        struct timespec until = {
                .tv_sec = (time_t) (until_usec / USEC_PER_SEC),
                .tv_nsec = (long) (until_usec % USEC_PER_SEC * 1000),
        };
        Batch *ended;
        int r = 0;

        (void) pthread_mutex_lock(&mover->lock);
        while (!mover->ended && !mover->woken && r == 0)
                r = pthread_cond_timedwait(&mover->changed, &mover->lock, &until);
        ended = TAKE_PTR(mover->ended);
        mover->woken = false;
        (void) pthread_mutex_unlock(&mover->lock);
        return ended;
}

static void finish_ended(Mover *mover, Batch *ended) {
        while (ended) {
                Batch *batch = ended;

                ended = batch->next_ended;
                finish_batch(mover, batch);
        }
}

void mover_work(Mover *mover, uint64_t until_usec) {
        const MoverOptions *options = &mover->options;
        uint64_t now = clock_monotonic();

        take_limits(mover);
        look_at_targets(mover);
        mover->is_throttled = options->has_clients && options->has_clients(options->userdata);
        mover->next_start_usec = UINT64_MAX;
        while (start_some(mover))
                ;
        if (mover->n_moves == 0)
                return;
        if (mover->routes && mover->not_before_usec > now)
                until_usec = MIN(until_usec, mover->not_before_usec);
        until_usec = MIN(until_usec, mover->next_start_usec);
        finish_ended(mover, wait_for_ended(mover, MIN(until_usec, now + LOOK_USEC)));
}

static void give_up_waiting(Mover *mover) {
        Route *route, *next;

        HASH_ITER(hh, mover->routes, route, next) {
                while (route->first) {
                        Move *move = route->first;

                        route->first = move->next;
                        report(mover, move, MOVE_DROPPED);
                }
                HASH_DEL(mover->routes, route);
                free(route);
        }
}

void mover_stop(Mover *mover) {
        for (Batch *batch = mover->batches; batch; batch = batch->next)
                if (batch->call)
                        rpc_call_cancel(batch->call);

        for (;;) {
                give_up_waiting(mover);
                if (!mover->batches)
                        return;
                finish_ended(mover, wait_for_ended(mover, clock_monotonic() + LOOK_USEC));
        }
}
