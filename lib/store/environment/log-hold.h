/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Log hold: keeps the log from where a recovery would begin now, for somebody who copies the
 * databases while they change.
 *
 * A checkpoint removes the logs from before it, and not while anybody holds them. Each hold has
 * limits, so that the disk does not fill up for a copy that does not get on: then the hold ends,
 * and the logs go. For any number of threads; a hold has one owner. */

#include "store/environment/environment-internal.h"

typedef struct LogHold LogHold;

typedef struct LogHoldOptions {
        uint64_t size_max;  /* of the log that is kept */
        uint64_t idle_usec; /* without a log_hold_renew() */
} LogHoldOptions;

/* Begins to hold, behind a checkpoint. Waits for the committer and for the checkpointer. Returns 0,
 * -ENOSPC if there is too little room for that, or another negative errno. RET_BEGIN: where the
 * recovery of a copy begins that is made from now on. */
int log_hold_new(
                Environment *environment,
                const LogHoldOptions *options,
                LogPosition *ret_begin,
                LogHold **ret);

/* Lets go. Before the environment is freed. */
LogHold *log_hold_free(LogHold *hold);
DEFINE_CLEANUP(LogHold *, log_hold_free);

/* The owner gets on. Returns 0, or why it has ended and the copy is of no use any more: -ESTALE if
 * it was idle for too long, -EFBIG if there was too much log, -ENOSPC if there was too little room.
 */
int log_hold_renew(LogHold *hold);

/* For the checkpointer: ends the holds that have reached their limits. */
void log_holds_check(Environment *environment);
