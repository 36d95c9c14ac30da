/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Log keeper: how far the log of an environment is known to be flushed, and that nothing of it is
 * missing when the environment is opened again (see store/format/log-scan.h). */

#include "store/environment/environment-internal.h"
#include "store/format/log-pages.h"

/* Before Berkeley DB sees the log: reads it and the mark. Changes nothing. Returns 0, -EBADMSG if
 * it is damaged (disk_last_damage() says where), or another negative errno. RET_PAGES: those that a
 * recovery rebuilds. */
int log_keeper_check(Environment *environment, LogPages **ret_pages);

/* In between, on one thread, Berkeley DB may recover once: it does not write zeroes over zeroes
 * behind the end of the log. */
void log_keeper_begin_recovery(Environment *environment);
void log_keeper_end_recovery(void);

/* The log is open and recovered: makes the mark if there is none. */
int log_keeper_start(Environment *environment);

/* Adds to the log how far it was flushed; with each batch that changes anything. Returns 0 or a
 * negative errno. */
int log_keeper_claim(Environment *environment);

/* How far the log is flushed; and where a recovery would begin now. From any thread. Return 0 or a
 * negative errno. */
int log_keeper_find_flushed(Environment *environment, LogPosition *ret);
int log_keeper_find_needed(Environment *environment, LogPosition *ret);

/* The log was flushed; before that is told to anybody. */
void log_keeper_note_flush(Environment *environment);

/* There is a new checkpoint. */
void log_keeper_note_checkpoint(Environment *environment);

/* All databases are closed, and the log is not yet. Returns 0 or a negative errno. */
int log_keeper_finish(Environment *environment);

void log_keeper_stop(Environment *environment);
