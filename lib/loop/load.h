/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Load: how busy a loop is.
 *
 * A loop is busy while it runs, and while something holds it up that it does. It is not while it
 * waits for an event, nor while it could run but others have the processor: on a machine that is
 * too busy, what is spread over more threads gets no faster. Time in which a disk reads for it
 * counts eight times, since another loop could serve all others meanwhile.
 *
 * Thread: the loop's, unless a function says otherwise. */

#include <stdatomic.h>

#include "base/macro.h"

/* Over so long, at least, it is measured. */
#define LOAD_USEC (100 * USEC_PER_MSEC)

/* What has become of a thread's time, in µs. */
typedef struct LoadTimes {
        uint64_t now;     /* monotonic */
        uint64_t idle;    /* it has waited for events, so far; of this and the rest, only how they
                           * differ from one time to another means anything */
        uint64_t run;     /* it had a processor */
        uint64_t delayed; /* it waited for one */
        uint64_t blocks;  /* no time: what a disk had to read for it */
} LoadTimes;

typedef struct Load {
        int fd;                    /* what the kernel knows of the thread; -1 unless it runs */
        LoadTimes last;            /* when it was measured */
        uint64_t idle;             /* so far */
        _Atomic uint64_t measured; /* monotonic */
        atomic_uint percent;
        atomic_bool is_asleep; /* it waits for events, or does not run */
        atomic_int pretended;  /* percent; negative unless somebody pretends */
} Load;

/* Before the thread starts, which calls load_begin() first, and load_end() last. */
void load_init(Load *load);
void load_begin(Load *load, uint64_t now);
void load_end(Load *load);

/* The thread is about to wait for events, until the next turn begins. */
void load_note_sleep(Load *load);

/* A turn of the loop began, before which the thread waited for events for IDLE µs. */
void load_note_turn(Load *load, uint64_t now, uint64_t idle);

/* In percent of the time. Of a loop that no turn has begun of for long: 0 if it is asleep, and else
 * 100, for what it does holds it up. Thread: any. */
unsigned load_get(const Load *load);

/* The load between two times, in percent. Pure. */
unsigned load_between(const LoadTimes *from, const LoadTimes *to);
