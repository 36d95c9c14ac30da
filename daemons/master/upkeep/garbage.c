/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/event-ids.h"
#include "base/log.h"
#include "base/periodic.h"
#include "core/call/wire.h"
#include "master/link/order.h"
#include "master/upkeep/deadlines.h"
#include "master/upkeep/garbage.h"
#include "store/index/garbage.h"

#define BATCH_MAX     4096
#define INTERVAL_USEC (USEC_PER_SEC / 2)
#define ROUNDS_MAX    8 /* calls at a time, each to another volume */

/* One batch at one volume: deleted there, then forgotten here. */
typedef struct Round {
        GarbageCollector *collector; /* not owned */
        atomic_bool is_busy;         /* while it is set the rest belongs to the call */
        uint32_t volume;
        size_t n_items;
        Garbage items[BATCH_MAX];
        IndexCollected collected;
} Round;

struct GarbageCollector {
        GarbageOptions options;
        Periodic *timer;
        uint32_t next_volume; /* where the next search begins, so that each volume has its turn */
        Round rounds[ROUNDS_MAX];
        Round tombstones; /* nobody has to be asked about these */
        int error;        /* that was logged last */

        /* The volumes about which it was logged that they cannot delete something; on the peers'
         * thread. */
        uint32_t *complained; /* owned */
        size_t n_complained;
};

static void round_end(Round *round) {
        atomic_store(&round->is_busy, false);
}

static void on_collected(IndexRequest *request, IndexResult result) {
        /* What could not be forgotten is deleted once more, which does no harm. */
        round_end(CONTAINER_OF(request, Round, collected.request));
}

/* Forgets the first N_GONE items of the round. */
static void forget(Round *round, size_t n_gone) {
        round->collected = (IndexCollected){
                .request.done = on_collected,
                .volume = round->volume,
                .items = round->items,
                .n_gone = n_gone,
                .n_items = round->n_items,
                .again_due_usec = clock_realtime() + GARBAGE_AGAIN_USEC,
                .tombstone_due_usec = deadline_of_tombstone(),
        };
        index_collected(round->collector->options.index, &round->collected);
}

/* Whether this is the first complaint about the volume. */
static bool is_first_complaint(GarbageCollector *collector, uint32_t volume) {
        uint32_t *complained;

        for (size_t i = 0; i < collector->n_complained; i++)
                if (collector->complained[i] == volume)
                        return false;

        complained = reallocarray(
                        collector->complained, collector->n_complained + 1, sizeof(*complained));
        if (complained) { /* else it is said again */
                complained[collector->n_complained++] = volume;
                collector->complained = complained;
        }
        return true;
}

/* Once for each volume: the same copies will fail again. */
static void complain(Round *round, uint64_t version, int error) {
        char field[sizeof("DKV_VOLUME=") + 10];

        if (!is_first_complaint(round->collector, round->volume))
                return;

        (void) snprintf(field, sizeof(field), "DKV_VOLUME=%" PRIu32, round->volume);
        if (error == -EBADMSG)
                log_event(LOG_ERR, EVENT_CORRUPTION_FOUND, (const char *[]){ field, NULL },
                          "Volume %" PRIu32 " cannot delete version %" PRIu64
                          ", since its database is damaged there; trying again every %u minutes.",
                          round->volume, version, (unsigned) (GARBAGE_AGAIN_USEC / USEC_PER_MIN));
        else
                (void) log_warning_errno(
                                error,
                                "Volume %" PRIu32 " cannot delete version %" PRIu64
                                ", trying again every %u minutes: %m",
                                round->volume, version,
                                (unsigned) (GARBAGE_AGAIN_USEC / USEC_PER_MIN));
}

/* Brings what is gone to the front. Returns how much that is, or -EBADMSG if the answer is not one.
 */
static int sort_out(Round *round, const RpcResult *result) {
        Reader reader = READER(result->body, result->body_size);
        size_t n_gone = 0;

        for (size_t i = 0; i < round->n_items; i++) {
                Garbage item = round->items[i];
                int error = wire_get_error(&reader);

                if (reader_error(&reader) < 0)
                        return -EBADMSG;
                if (error < 0) {
                        complain(round, item.version, error);
                        continue;
                }
                round->items[i] = round->items[n_gone];
                round->items[n_gone++] = item;
        }

        return reader_end(&reader) < 0 ? -EBADMSG : (int) n_gone;
}

static void on_deleted(const RpcResult *result, void *userdata) {
        Round *round = userdata;
        int r = rpc_result_error(result);

        volumes_note_call(round->collector->options.volumes, round->volume, result);
        if (r >= 0)
                r = sort_out(round, result);

        if (r < 0)
                round_end(round); /* all of it again */
        else
                forget(round, (size_t) r);
}

static int delete_at(Round *round) {
        const GarbageOptions *options = &round->collector->options;
        _cleanup_(buffer_done) Buffer body = {};
        uint64_t number = index_next_version(options->index, VERSION_DIRECT);
        int r;

        if (number == 0)
                return -EOWNERDEAD;

        /* One that we give up may arrive late; the volume will know by the number that it did. */
        buffer_put_u64(&body, number);
        for (size_t i = 0; i < round->n_items; i++)
                buffer_put_u64(&body, round->items[i].version);
        r = buffer_error(&body);
        if (r < 0)
                return r;

        atomic_store(&round->is_busy, true);
        r = order_send(options->volumes,
                       &(Order){
                                       .volume = round->volume,
                                       .kind = CALL_DELETE,
                                       .peers = options->peers,
                                       .body = &body,
                                       .on_done = on_deleted,
                                       .userdata = round,
                       },
                       NULL);
        if (r < 0)
                atomic_store(&round->is_busy, false);
        return r;
}

static bool is_being_collected(GarbageCollector *collector, uint32_t volume) {
        for (size_t i = 0; i < ROUNDS_MAX; i++)
                if (atomic_load(&collector->rounds[i].is_busy) &&
                    collector->rounds[i].volume == volume)
                        return true;
        return false;
}

/* Starts a round at the volume. Returns 1, 0 if there is nothing to do, or a negative errno. */
static int start_round(Round *round, const VolumeStatus *volume) {
        bool is_removed = volume->state == VOLUME_REMOVED;
        int r;

        if ((!volume->up && !is_removed) || is_being_collected(round->collector, volume->number))
                return 0;

        r = index_garbage(
                        round->collector->options.index, volume->number, clock_realtime(),
                        round->items, BATCH_MAX);
        if (r <= 0)
                return r;

        round->volume = volume->number;
        round->n_items = (size_t) r;
        if (is_removed) { /* nobody will come back to ask for it */
                atomic_store(&round->is_busy, true);
                forget(round, round->n_items);
                return 1;
        }
        r = delete_at(round);
        if (r == -EINPROGRESS) /* it is about to report */
                return 0;
        return r < 0 ? r : 1;
}

/* Gives each idle round a volume that is up and has garbage. Returns 0, or the error of a volume,
 * from which the others do not suffer. */
static int collect(GarbageCollector *collector) {
        _cleanup_free_ VolumeStatus *volumes = NULL;
        size_t n_volumes, i = 0;
        uint64_t epoch;
        int r, error = 0;

        r = volumes_list(collector->options.volumes, &volumes, &n_volumes, &epoch);
        if (r < 0)
                return r;

        for (Round *round = collector->rounds; round < collector->rounds + ROUNDS_MAX; round++) {
                if (atomic_load(&round->is_busy))
                        continue;

                for (r = 0; r <= 0 && i < n_volumes; i++) {
                        r = start_round(round, volumes + (collector->next_volume + i) % n_volumes);
                        error = MIN(error, r);
                }
        }
        collector->next_volume = n_volumes > 0 ? (uint32_t) ((collector->next_volume + i) %
                                                             n_volumes)
                                               : 0;
        return error;
}

/* Forgets tombstones that nobody can meet any more. */
static int drop_tombstones(GarbageCollector *collector) {
        Round *round = &collector->tombstones;
        int r;

        if (atomic_load(&round->is_busy))
                return 0;

        r = index_garbage(
                        collector->options.index, INDEX_TOMBSTONES, clock_realtime(), round->items,
                        BATCH_MAX);
        if (r <= 0)
                return r;

        round->volume = INDEX_TOMBSTONES;
        round->n_items = (size_t) r;
        atomic_store(&round->is_busy, true);
        forget(round, round->n_items);
        return 0;
}

static void on_tick(void *userdata) {
        GarbageCollector *collector = userdata;
        int r, error;

        if (!lead_is_leading(collector->options.lead))
                return;

        error = collect(collector);
        r = drop_tombstones(collector);
        error = error < 0 ? error : r;
        if (error < 0 && error != collector->error)
                (void) log_warning_errno(error, "Failed to collect all garbage, trying again: %m");
        collector->error = error;
}

int garbage_collector_new(const GarbageOptions *options, sd_event *event, GarbageCollector **ret) {
        _cleanup_(garbage_collector_freep) GarbageCollector *collector = NULL;
        int r;

        collector = calloc(1, sizeof(*collector));
        if (!collector)
                return -ENOMEM;

        collector->options = *options;
        for (size_t i = 0; i < ROUNDS_MAX; i++)
                collector->rounds[i].collector = collector;
        collector->tombstones.collector = collector;
        r = periodic_new(
                        event, INTERVAL_USEC, INTERVAL_USEC, on_tick, collector, &collector->timer);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(collector);
        return 0;
}

GarbageCollector *garbage_collector_free(GarbageCollector *collector) {
        if (!collector)
                return NULL;

        (void) periodic_free(collector->timer);
        free(collector->complained);
        free(collector);
        return NULL;
}
