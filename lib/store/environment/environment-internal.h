/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Environment, the inside: what index and objects build upon. Here db.h is known, above it is not.
 *
 * There is no lock subsystem: the committer is the only writer, and the environment's lock keeps
 * readers out while it applies a batch. Pages have latches of their own, so checkpoints need no
 * lock. */

#include <db.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "base/buffer.h"
#include "store/disk/page-files.h"
#include "store/environment/environment.h"
#include "store/environment/room.h"
#include "store/format/log-mark.h"

/* Sums that live in the environment and change with its transactions. What they mean is up to
 * the owner. */
#define COUNTERS_MAX 4

/* Operations that are applied in one transaction. */
typedef struct Batch {
        Operation *first;
        size_t max;      /* so many of the list at most */
        bool has_room;   /* what grows may */
        bool is_durable; /* without the log; see prepare() */
        bool is_whole;   /* all of it or nothing; see failed() */
} Batch;

typedef struct EnvironmentHooks {
        const char *format; /* what is in this environment, and which version of it */

        /* What an environment from before there was a list of its files must have, and what else
         * than databases belongs to it, as in store/disk/members.h; both end with NULL. */
        const char *const *required, *const *others;

        /* It is the one who called members_begin_load() that opens it. */
        bool is_loading;

        /* The same of a copy of another one, made while that was in use: its log makes it whole. */
        bool is_copy;

        /* Versions before, and what makes this one of them: on the committer's thread, in the
         * transaction that writes the new format down. Optional. */
        const char *older[2];
        int (*upgrade)(Transaction *transaction, void *userdata);

        /* On the committer's thread, when a batch is about to be applied for the first time; it
         * may lower MAX, to no less than 1. If what the batch changes is on the disk elsewhere, and
         * is applied again from there after a crash, it sets IS_DURABLE: then the log is neither
         * written nor flushed for it, and the batch is not cut for its size. All batches before one
         * that is not are in the log when that one is flushed. Optional. */
        void (*prepare)(Batch *batch, void *userdata);

        /* On the committer's thread: a batch that prepare() has made .is_whole has failed and was
         * undone. None of it is tried alone. Returns whether all of it is to be applied once more,
         * and may wait before that; if not, each operation is told the error, but for those that
         * had failed by themselves. Must be there for such batches. */
        bool (*failed)(int error, void *userdata);

        /* On the committer's thread, before a transaction is committed that had no error: for what
         * is stored once for all of its operations. Errors stick in the transaction. Optional. */
        int (*ending)(Transaction *transaction, void *userdata);

        /* On the committer's thread, when a transaction was committed (not flushed yet) or rolled
         * back. Optional. */
        void (*ended)(bool committed, void *userdata);

        /* On the committer's thread, when a batch is on the disk, between before_done() and the
         * first done(). Optional. */
        void (*flushed)(void *userdata);
        void *userdata;
} EnvironmentHooks;

typedef struct Committer {
        pthread_t thread;
        bool is_running;
        _Atomic(Operation *) submitted; /* newest first; or &asleep */
        Operation asleep;               /* stands for "nothing, and the thread sleeps" */
        sem_t wakeup;
        bool stop; /* the thread's own, like the room */
        Room room;
        atomic_uint_least64_t batches;
        atomic_uint_least64_t busy_since; /* monotonic; 0 while nothing waits */
} Committer;

typedef struct Checkpointer {
        pthread_t thread;
        bool is_running;
        pthread_mutex_t mutex;
        pthread_cond_t changed;
        bool is_wanted, stop;
        uint64_t attempts;

        uint64_t log_end; /* when it was last woken; the committer's */
} Checkpointer;

typedef struct LogKeeper {
        pthread_mutex_t mutex; /* for the mark, once the threads run */
        LogMark mark;
        bool has_mark;   /* there was one */
        LogPosition end; /* when it was opened, if nothing but zeroes is behind it; else 0/0 */
        int fd;          /* of its file */
} LogKeeper;

/* Who keeps the log; see store/environment/log-hold.h. */
typedef struct LogHolds {
        pthread_mutex_t mutex;
        struct LogHold *first;
} LogHolds;

#define GROWING_MAX 2

struct Environment {
        EnvironmentOptions options;
        EnvironmentHooks hooks;
        int dir_fd;
        int lock_fd;
        bool was_recovered;
        bool is_new; /* this is the first time that it is opened, or the others did not complete */
        uint64_t progress_due; /* when on_progress() is called next; while it is opened */

        DB_ENV *db_env;
        PageFiles *page_files;
        bool is_clean;                /* everything was closed without an error */
        atomic_bool is_open;          /* before that, trouble is an error; then it is fatal */
        atomic_int panic_error;       /* of Berkeley DB, if it has given the environment up */
        DB *state;                    /* counters and named blobs */
        DB *growing[GROWING_MAX + 1]; /* those that values or records go to, then NULL */
        DB *databases[8];
        size_t n_databases;

        pthread_rwlock_t lock;
        Committer committer;
        Checkpointer checkpointer;
        LogKeeper log_keeper;
        LogHolds log_holds;
        atomic_uint_least64_t counters[COUNTERS_MAX];
};

/* Any number of readers, but not while a batch is applied. Keep it short. */
void environment_read_lock(Environment *environment);
void environment_read_unlock(Environment *environment);

/* What a call of Berkeley DB returned, as an errno. */
int environment_error(Environment *environment, int db_error);
