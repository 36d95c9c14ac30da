/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Environment: one Berkeley DB environment with its committer.
 *
 * All changes go through one thread, the committer: it takes everything that is waiting, applies it
 * in one transaction, lets readers see it, flushes the log once, and only then tells each operation
 * that it is done. A lone operation never waits for a timer; a batch is whatever gathered while the
 * last flush ran. Readers never wait for a flush, only for the applying of a batch in memory.
 *
 * An error of the disk (a failed write or flush, or a failed read of the log) ends the process (see
 * base/fatal.h). A page that is damaged or cannot be read does not: what needs it gets -EBADMSG and
 * everything else goes on. */

#include "base/macro.h"

typedef struct Environment Environment;
typedef struct Transaction Transaction;
typedef struct Operation Operation;

/* A change that waits for the committer; embedded in what knows the details. */
struct Operation {
        /* On the committer's thread. Returns 0 or more, or a negative errno if it changed nothing
         * (a condition that does not hold, say). If a write to the database itself fails, the whole
         * transaction is rolled back and each of its operations is applied once more, alone; so it
         * may run twice. */
        int (*apply)(Operation *operation, Transaction *transaction);

        /* On the committer's thread, after the flush, with what apply() returned; the operation is
         * the caller's again. Must not block. */
        void (*done)(Operation *operation, int result);

        /* private */
        Operation *next;
        int result;
};

typedef struct EnvironmentOptions {
        const char *directory;    /* must exist */
        uint64_t cache_size;      /* in bytes; 0 for the least that works */
        uint64_t log_size;        /* of one file of the log; 0 for what suits the file system */
        uint64_t checkpoint_size; /* bytes of log after which a checkpoint is made; 0 likewise */
        uint64_t reserve_size;    /* free space below which changes that need room get -ENOSPC; at
                                   * least what the log may need is kept */

        /* Called before and after the done() calls of a batch, on the committer's thread; may be
         * NULL. For what is better done once for all of them. */
        void (*before_done)(void);
        void (*after_done)(void);

        /* While a recovery takes long, about once a second, on the opener's thread; may be NULL. */
        void (*on_progress)(unsigned percent);
} EnvironmentOptions;

/* For cache_size: an eighth of the machine's memory, at least 64 MiB, at most 4 GiB. */
uint64_t environment_default_cache(void);

/* Whether the last run ended without closing the environment. */
bool environment_was_recovered(const Environment *environment);

/* How many pages are known to be damaged, so that what is in them cannot be read; and how many were
 * put right since the environment was opened. From any thread. */
unsigned environment_damaged_pages(const Environment *environment);
unsigned environment_repaired_pages(const Environment *environment);

/* Names the damaged page number I, counted from 0: "page 7 of '/var/lib/dkv/index.db'". Returns
 * false if there is no such page. */
bool environment_damaged_page(const Environment *environment, unsigned i, char *ret, size_t size);

/* Submits an operation; from any thread; never blocks on the disk. */
void environment_submit(Environment *environment, Operation *operation);

/* Submits and waits; for start-up and tests, never on a server thread. Returns what done() was
 * told. The operation's own done() is not called. */
int environment_run(Environment *environment, Operation *operation);

/* How many batches the committer has completed; a watchdog looks whether it grows while work waits.
 */
uint64_t environment_batches(const Environment *environment);
bool environment_is_stuck(const Environment *environment, uint64_t timeout_usec);

/* Free bytes above the reserve, and the size of the file system. */
int environment_free_space(const Environment *environment, uint64_t *ret_free, uint64_t *ret_size);
