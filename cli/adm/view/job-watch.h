/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Watching a job up to its end: with a bar on a terminal, else without a word. */

#include "adm/context/context.h"

#define EXIT_DETACHED 130 /* by Ctrl-C, as a shell has it */

/* Returns 0 if the job is done; EXIT_DETACHED if it was left to itself with Ctrl-C; a negative
 * errno if it failed or was cancelled, or the master went away for long: then that was said. A
 * master that is started anew meanwhile is waited for. */
int job_watch(Context *context, uint32_t id);
