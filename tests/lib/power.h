/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Losses of power, made from what a real run wrote.
 *
 * A scene is run once, and its writes, flushes and names are recorded (see fault.h). A state is
 * what a disk may hold if power is lost at any point of that: all that was flushed; of each write
 * that was not, nothing, all, or any of its sectors of 512 bytes, whatever came of those before and
 * behind it; of names that are not flushed, the first so many. */

#include "fault.h"

/* Checks so many states (with AddressSanitizer a fifth of them, see fault_sweep()), each in a
 * process of its own. Returns how many were bad, which is reported on stderr, with a copy of the
 * directory if $DKV_KEEP_STATES names one to put it in. */
unsigned power_loss(const FaultSweep *sweep, unsigned n_states, unsigned seed);
