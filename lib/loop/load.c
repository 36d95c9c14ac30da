/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "loop/load.h"

/* What was measured longer ago says nothing any more. */
#define STALE_USEC (3 * LOAD_USEC)

/* So often counts the time in which a disk reads for a loop, and all that the loop serves waits. */
#define HELD_UP_WEIGHT 8

/* What the kernel does not tell stays as it was: without its help, all that is not idle counts. */
static void read_times(const Load *load, LoadTimes *times) {
        uint64_t run, delayed;
        char text[128];
        ssize_t n = pread(load->fd, text, sizeof(text) - 1, 0);
        struct rusage usage = {};

        (void) getrusage(RUSAGE_THREAD, &usage); /* cannot fail */
        times->blocks = (uint64_t) usage.ru_inblock;
        text[MAX(n, 0)] = '\0';
        if (sscanf(text, "%" SCNu64 " %" SCNu64, &run, &delayed) == 2) {
                times->run = run / 1000;
                times->delayed = delayed / 1000;
        } else {
                times->run = load->last.run;
                times->delayed = load->last.delayed;
        }
}

void load_init(Load *load) {
        *load = (Load){ .fd = -1, .is_asleep = true, .pretended = -1 };
}

void load_begin(Load *load, uint64_t now) {
        load->fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
        load->last = (LoadTimes){ .now = now, .idle = load->idle };
        read_times(load, &load->last);
        atomic_store(&load->percent, 0);
        atomic_store(&load->measured, now);
}

void load_end(Load *load) {
        closep(&load->fd);
        load_note_sleep(load);
}

void load_note_sleep(Load *load) {
        atomic_store_explicit(&load->is_asleep, true, memory_order_release);
}

/* It is awake once it was measured, so that it never seems to hang because it has slept long. */
void load_note_turn(Load *load, uint64_t now, uint64_t idle) {
        LoadTimes times = { .now = now, .idle = load->idle += idle };

        if (now >= load->last.now + LOAD_USEC) {
                read_times(load, &times);
                atomic_store(&load->percent, load_between(&load->last, &times));
                atomic_store(&load->measured, now);
                load->last = times;
        }
        atomic_store_explicit(&load->is_asleep, false, memory_order_release);
}

/* In this order: the loop may wake up meanwhile. */
unsigned load_get(const Load *load) {
        int pretended = atomic_load(&load->pretended);
        bool is_asleep = atomic_load(&load->is_asleep);
        uint64_t now = clock_monotonic();

        if (pretended >= 0)
                return (unsigned) pretended;
        if (now < atomic_load(&load->measured) + STALE_USEC)
                return atomic_load(&load->percent);
        return is_asleep ? 0 : 100;
}

/* The thread may have waited for a processor when it was woken, too, which counts as idle already:
 * then it has been busy for as long as it ran, at least. The rest is taken to be a disk's if one
 * has read for it; interrupts and other machines take time as well. */
unsigned load_between(const LoadTimes *from, const LoadTimes *to) {
        uint64_t passed = to->now - from->now, run = to->run - from->run;
        uint64_t others = to->idle - from->idle + to->delayed - from->delayed;
        uint64_t busy = MAX(passed - MIN(others, passed), run);

        if (run > 0 && to->blocks > from->blocks)
                busy = MAX(busy, (busy - run) * HELD_UP_WEIGHT);
        return passed > 0 ? (unsigned) MIN(busy * 100 / passed, 100U) : 0;
}
