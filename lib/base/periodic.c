/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>

#include "base/clock.h"
#include "base/periodic.h"

#define ACCURACY_MIN USEC_PER_MSEC /* 0 means 250 ms to sd-event */
#define ACCURACY_MAX (USEC_PER_SEC / 4)

struct Periodic {
        sd_event_source *timer;
        uint64_t interval_usec;
        void (*on_tick)(void *userdata);
        void *userdata;
};

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        Periodic *periodic = userdata;
        uint64_t begin = clock_monotonic();
        int r;

        periodic->on_tick(periodic->userdata);

        /* To sd-event, it is still the time before the work. This fails only for a loop that has
         * ended or an interval past all time. */
        r = sd_event_source_set_time_relative(
                        source, clock_monotonic() - begin + periodic->interval_usec);
        if (r >= 0)
                r = sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        assert(r >= 0);
        return 0;
}

int periodic_new(
                sd_event *event,
                uint64_t first_usec,
                uint64_t interval_usec,
                void (*on_tick)(void *userdata),
                void *userdata,
                Periodic **ret) {
        Periodic *periodic;
        uint64_t accuracy;
        int r;

        assert(event);
        assert(on_tick);
        assert(ret);

        periodic = malloc(sizeof(*periodic));
        if (!periodic)
                return -ENOMEM;

        *periodic = (Periodic){
                .interval_usec = interval_usec,
                .on_tick = on_tick,
                .userdata = userdata,
        };
        accuracy = MIN(MAX(interval_usec / 10, ACCURACY_MIN), ACCURACY_MAX);
        if (first_usec > 0)
                r = sd_event_add_time_relative(
                                event, &periodic->timer, CLOCK_MONOTONIC, first_usec, accuracy,
                                on_timer, periodic);
        else /* already due: does not wait for other timers */
                r = sd_event_add_time(
                                event, &periodic->timer, CLOCK_MONOTONIC, 0, accuracy, on_timer,
                                periodic);
        if (r < 0) {
                free(periodic);
                return r;
        }

        *ret = periodic;
        return 0;
}

Periodic *periodic_free(Periodic *periodic) {
        if (!periodic)
                return NULL;

        (void) sd_event_source_disable_unref(periodic->timer);
        free(periodic);
        return NULL;
}

void periodic_set_interval(Periodic *periodic, uint64_t interval_usec) {
        assert(periodic);

        periodic->interval_usec = interval_usec;
}
