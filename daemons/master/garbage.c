/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "garbage.h"
#include "master.h"

#define BATCH_MAX     4096
#define INTERVAL_USEC (USEC_PER_SEC / 2)
#define ROUNDS_MAX    8 /* calls at a time, each to another volume */

/* One batch at one volume: deleted there, then forgotten here. */
typedef struct Round {
        GarbageCollector *collector; /* not owned */
        bool busy;                   /* atomic; while it is set the rest belongs to the call */
        uint32_t volume;
        size_t n_items;
        Garbage items[BATCH_MAX];
        IndexCollected collected;
} Round;

struct GarbageCollector {
        Master *master; /* not owned */
        sd_event_source *timer;
        uint32_t next_volume; /* where the next search begins, so that each volume has its turn */
        Round rounds[ROUNDS_MAX];
};

static void round_end(Round *round) {
        __atomic_store_n(&round->busy, false, __ATOMIC_RELEASE);
}

static void on_collected(Operation *operation, int result) {
        /* What could not be forgotten is deleted once more, which does no harm. */
        round_end(CONTAINER_OF(operation, Round, collected.operation));
}

static void on_deleted(HttpCall *call, const HttpResult *result, void *userdata) {
        Round *round = userdata;

        if (result->error < 0 || result->status != 204) {
                round_end(round);
                return;
        }

        round->collected = (IndexCollected){
                .operation.done = on_collected,
                .volume = round->volume,
                .items = round->items,
                .n_items = round->n_items,
        };
        index_collected(round->collector->master->index, &round->collected);
}

static int delete_at(Round *round, const char *volume_url) {
        _cleanup_(http_call_unrefp) HttpCall *call = NULL;
        _cleanup_(buffer_done) Buffer body = {};
        char url[VOLUME_URL_SIZE + sizeof("/-/delete")];
        int r;

        for (size_t i = 0; i < round->n_items; i++)
                buffer_put_u64(&body, round->items[i].version);
        r = buffer_error(&body);
        if (r < 0)
                return r;

        (void) snprintf(url, sizeof(url), "%s/-/delete", volume_url);
        r = http_call_new(round->collector->master->client, "POST", url, &call);
        if (r < 0)
                return r;
        http_call_set_body(call, &body);
        r = http_call_sign(call);
        if (r < 0)
                return r;

        __atomic_store_n(&round->busy, true, __ATOMIC_RELAXED);
        http_call_start(TAKE_PTR(call), on_deleted, round);
        return 0;
}

static bool is_being_collected(GarbageCollector *collector, uint32_t volume) {
        for (size_t i = 0; i < ROUNDS_MAX; i++)
                if (__atomic_load_n(&collector->rounds[i].busy, __ATOMIC_ACQUIRE) &&
                    collector->rounds[i].volume == volume)
                        return true;
        return false;
}

/* Gives each idle round a volume that is up and has garbage. */
static int collect(GarbageCollector *collector) {
        Master *master = collector->master;
        _cleanup_free_ VolumeStatus *volumes = NULL;
        uint64_t epoch, now = clock_realtime();
        size_t n_volumes, i = 0;
        int r;

        r = volumes_list(master->volumes, &volumes, &n_volumes, &epoch);
        if (r < 0)
                return r;

        for (Round *round = collector->rounds;
             round < collector->rounds + ROUNDS_MAX && i < n_volumes; round++) {
                if (__atomic_load_n(&round->busy, __ATOMIC_ACQUIRE))
                        continue;

                for (bool found = false; !found && i < n_volumes; i++) {
                        const VolumeStatus *volume = volumes +
                                                     (collector->next_volume + i) % n_volumes;

                        if (!volume->up || is_being_collected(collector, volume->number))
                                continue;
                        r = index_garbage(
                                        master->index, volume->number, now, round->items,
                                        BATCH_MAX);
                        if (r < 0)
                                return r;
                        if (r == 0)
                                continue;

                        round->volume = volume->number;
                        round->n_items = (size_t) r;
                        r = delete_at(round, volume->url);
                        if (r < 0)
                                return r;
                        found = true;
                }
        }
        collector->next_volume = n_volumes > 0 ? (uint32_t) ((collector->next_volume + i) %
                                                             n_volumes)
                                               : 0;
        return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        GarbageCollector *collector = userdata;
        int r;

        r = collect(collector);
        if (r < 0)
                (void) log_warning_errno(r, "Failed to collect garbage, trying again: %m");

        r = sd_event_source_set_time_relative(source, INTERVAL_USEC);
        if (r >= 0)
                r = sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        if (r < 0)
                return log_error_errno(r, "Failed to set the timer of the garbage collector: %m");
        return 0;
}

int garbage_collector_new(Master *master, GarbageCollector **ret) {
        _cleanup_(garbage_collector_freep) GarbageCollector *collector = NULL;
        int r;

        collector = calloc(1, sizeof(*collector));
        if (!collector)
                return -ENOMEM;

        collector->master = master;
        for (size_t i = 0; i < ROUNDS_MAX; i++)
                collector->rounds[i].collector = collector;
        r = sd_event_add_time_relative(
                        master->event, &collector->timer, CLOCK_MONOTONIC, INTERVAL_USEC,
                        100 * USEC_PER_MSEC, on_timer, collector);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(collector);
        return 0;
}

GarbageCollector *garbage_collector_free(GarbageCollector *collector) {
        if (!collector)
                return NULL;

        (void) sd_event_source_disable_unref(collector->timer);
        free(collector);
        return NULL;
}
