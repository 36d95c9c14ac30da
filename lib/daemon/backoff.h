/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Backoff: a daemon that cannot start.
 *
 * systemd starts it again after a second, since what keeps it from starting is often mended while
 * it tries, and after a crash each second counts. What fails again and again had better wait, or it
 * fills the log. The daemon waits itself, in front of all else, longer after each failure: systemd
 * has RestartSteps= only since 254. Whoever starts it by hand does not wait. Outside of systemd
 * nothing of this does anything. */

/* Waits if the last starts have failed and this one is systemd's. */
void backoff_wait(void);

/* This start has failed. */
void backoff_failed(void);

/* It has not: the next failure is the first one. */
void backoff_forget(void);
