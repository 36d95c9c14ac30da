/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>

#include "base/clock.h"
#include "store/environment/checkpointer.h"
#include "store/environment/log-hold.h"
#include "store/environment/log-keeper.h"

struct LogHold {
        Environment *environment; /* not owned */
        LogHoldOptions options;
        LogPosition begin;
        uint64_t due_usec; /* monotonic; when it was idle for too long */
        int error;         /* why it has ended */
        LogHold *next;
};

/* Whether checkpoints remove logs. */
static int set_removal(Environment *environment, bool on) {
        DB_ENV *db_env = environment->db_env;

        return environment_error(
                        environment, db_env->log_set_config(db_env, DB_LOG_AUTO_REMOVE, on));
}

/* With the lock. If nobody needs the logs any more they go at once, those before the last
 * checkpoint. */
static void remove_unless_held(Environment *environment) {
        DB_ENV *db_env = environment->db_env;

        for (const LogHold *hold = environment->log_holds.first; hold; hold = hold->next)
                if (hold->error == 0)
                        return;

        /* What is left stays until the next checkpoint tries. */
        if (set_removal(environment, true) >= 0)
                (void) db_env->log_archive(db_env, NULL, DB_ARCH_REMOVE);
}

static uint64_t held_size(const LogHold *hold, LogPosition end) {
        uint64_t log_size = hold->environment->options.log_size;

        if (log_position_compare(end, hold->begin) <= 0)
                return 0;
        return (end.file - hold->begin.file) * log_size + end.offset;
}

/* Why it must end now, if so. Until somebody looks again, the log grows by what is between two
 * checkpoints. */
static int find_limit(const LogHold *hold, uint64_t now_usec) {
        Environment *environment = hold->environment;
        uint64_t available = 0;
        LogPosition end;
        int r;

        if (now_usec >= hold->due_usec)
                return -ESTALE;

        r = log_keeper_find_flushed(environment, &end);
        if (r < 0)
                return r;
        if (held_size(hold, end) > hold->options.size_max)
                return -EFBIG;

        r = environment_free_space(environment, &available, NULL);
        if (r < 0)
                return r;
        return available < environment->options.checkpoint_size ? -ENOSPC : 0;
}

/* With the lock. */
static int check(LogHold *hold, uint64_t now_usec) {
        if (hold->error < 0)
                return hold->error;

        hold->error = find_limit(hold, now_usec);
        if (hold->error < 0)
                remove_unless_held(hold->environment);
        return hold->error;
}

static void enter(LogHold *hold) {
        LogHolds *holds = &hold->environment->log_holds;

        (void) pthread_mutex_lock(&holds->mutex);
        hold->next = holds->first;
        holds->first = hold;
        (void) pthread_mutex_unlock(&holds->mutex);
}

LogHold *log_hold_free(LogHold *hold) {
        LogHolds *holds;
        LogHold **place;

        if (!hold)
                return NULL;

        holds = &hold->environment->log_holds;
        (void) pthread_mutex_lock(&holds->mutex);
        for (place = &holds->first; *place != hold; place = &(*place)->next)
                ;
        *place = hold->next;
        if (hold->error == 0)
                remove_unless_held(hold->environment);
        (void) pthread_mutex_unlock(&holds->mutex);

        free(hold);
        return NULL;
}

static int apply_nothing(Operation *operation, Transaction *transaction) {
        return 0;
}

/* A batch and a checkpoint later no thread is at it any more to remove a log. */
static int stop_removal(Environment *environment) {
        Operation nothing = { .apply = apply_nothing };
        int r;

        r = set_removal(environment, false);
        if (r < 0)
                return r;

        r = environment_run(environment, &nothing);
        if (r < 0)
                return r;
        checkpointer_run(environment);
        return 0;
}

int log_hold_new(
                Environment *environment,
                const LogHoldOptions *options,
                LogPosition *ret_begin,
                LogHold **ret) {
        _cleanup_(log_hold_freep) LogHold *hold = NULL;
        int r;

        hold = calloc(1, sizeof(*hold));
        if (!hold)
                return -ENOMEM;
        *hold = (LogHold){
                .environment = environment,
                .options = *options,
                .begin.file = UINT32_MAX, /* nothing of it yet */
                .due_usec = UINT64_MAX,
        };
        enter(hold);

        r = stop_removal(environment);
        if (r < 0)
                return r;

        (void) pthread_mutex_lock(&environment->log_holds.mutex);
        r = log_keeper_find_needed(environment, &hold->begin);
        if (r >= 0)
                r = check(hold, clock_monotonic());
        hold->due_usec = clock_monotonic() + options->idle_usec;
        (void) pthread_mutex_unlock(&environment->log_holds.mutex);
        if (r < 0)
                return r;

        *ret_begin = hold->begin;
        *ret = TAKE_PTR(hold);
        return 0;
}

int log_hold_renew(LogHold *hold) {
        LogHolds *holds = &hold->environment->log_holds;
        uint64_t now_usec = clock_monotonic();
        int r;

        (void) pthread_mutex_lock(&holds->mutex);
        r = check(hold, now_usec);
        hold->due_usec = now_usec + hold->options.idle_usec;
        (void) pthread_mutex_unlock(&holds->mutex);
        return r;
}

void log_holds_check(Environment *environment) {
        LogHolds *holds = &environment->log_holds;

        (void) pthread_mutex_lock(&holds->mutex);
        for (LogHold *hold = holds->first; hold; hold = hold->next)
                (void) check(hold, clock_monotonic());
        (void) pthread_mutex_unlock(&holds->mutex);
}
