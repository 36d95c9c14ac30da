/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Periodic: something that an event loop does again and again.
 *
 * An interval begins when the work of the last tick is done, so a slow tick is never followed by
 * another one at once. A tick may be late by a tenth of the interval, or 250 ms if that is less, so
 * that the machine wakes up less often. */

#include <systemd/sd-event.h>

#include "base/macro.h"

typedef struct Periodic Periodic;

/* Calls on_tick() on EVENT every INTERVAL_USEC, for the first time after FIRST_USEC; at once for 0.
 */
int periodic_new(
                sd_event *event,
                uint64_t first_usec,
                uint64_t interval_usec,
                void (*on_tick)(void *userdata),
                void *userdata,
                Periodic **ret);

/* Ends it. Must not be called by on_tick(). */
Periodic *periodic_free(Periodic *periodic);
DEFINE_CLEANUP(Periodic *, periodic_free);

/* Takes effect at the end of the next tick. */
void periodic_set_interval(Periodic *periodic, uint64_t interval_usec);
