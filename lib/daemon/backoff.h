/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Backoff: a daemon that cannot start.
 *
 * systemd starts it again after a second, because what keeps it from starting is often repaired
 * meanwhile, and after a crash each second counts. A daemon that fails again and again would fill
 * the log, so it waits before all else, longer after each failure. It waits itself because systemd
 * has RestartSteps= only since version 254. A start by hand does not wait. Outside of systemd none
 * of this does anything. */

/* Waits if the last starts have failed and systemd has made this one. */
void backoff_wait(void);

/* This start has failed. */
void backoff_failed(void);

/* This start has succeeded: the next failure counts as the first one. */
void backoff_forget(void);
