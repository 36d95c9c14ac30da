/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Checkpointer: the thread that makes checkpoints, so that the time for a recovery has a limit, and
 * so has the room for the log; and that prepares the next log. */

#include "store/environment/environment-internal.h"

/* Once the log has grown by this many times what is between two checkpoints, the committer waits
 * for one. */
#define CHECKPOINT_LATE 2

int checkpointer_start(Environment *environment);
void checkpointer_stop(Environment *environment);

/* Wakes it, and waits until it has tried to make a checkpoint, or found that none is due. */
void checkpointer_run(Environment *environment);

/* Wakes it if the log has grown, and waits if it has grown too much. */
void checkpointer_note(Environment *environment);
