/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Watches a job until it ends: with a bar on a terminal, else silently. */

#include "adm/context/context.h"

#define EXIT_DETACHED 130 /* after Ctrl-C, as in a shell */

/* Returns 0 if the job is done; EXIT_DETACHED if Ctrl-C left it running; or a negative errno,
 * having said why, if it failed or was cancelled, or if the master was away for too long. Waits for
 * a master that restarts. */
int job_watch(Context *context, uint32_t id);
