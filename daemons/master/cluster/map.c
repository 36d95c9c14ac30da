/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "base/event-ids.h"
#include "base/log.h"
#include "core/placement/cluster-codec.h"
#include "master/cluster/map.h"

#define STATE_NAME "cluster"

static int load(Index *index, Cluster **ret) {
        _cleanup_(buffer_done) Buffer encoded = {};
        int r;

        r = index_get_state(index, STATE_NAME, &encoded);
        if (r == -ENOENT)
                return cluster_new(ret);
        if (r < 0)
                return r;
        return cluster_decode(encoded.data, encoded.size, ret);
}

int map_init(Map *map, Index *index, const Lead *lead) {
        *map = (Map){ .index = index, .lead = lead, .tail = &map->changes };
        (void) pthread_rwlock_init(&map->lock, NULL);
        return load(index, &map->cluster);
}

static void finish(MapChange *change, int result, const Cluster *cluster) {
        change->cluster = cluster_free(change->cluster);
        buffer_done(&change->encoded);
        change->done(change, result, cluster);
}

/* Takes the first change off the list. */
static MapChange *take_first(Map *map) {
        MapChange *change = map->changes;

        map->changes = change->next;
        if (!map->changes)
                map->tail = &map->changes;
        change->next = NULL;
        return change;
}

void map_done(Map *map) {
        while (map->changes)
                finish(take_first(map), -ESHUTDOWN, map->cluster);
        map->cluster = cluster_free(map->cluster);
        (void) pthread_rwlock_destroy(&map->lock);
}

static int prepare(MapChange *change, const Cluster *cluster) {
        _cleanup_(cluster_freep) Cluster *copy = NULL;
        int r;

        if (change->epoch != EPOCH_ANY && change->epoch != cluster->epoch)
                return -EREMCHG;
        r = cluster_copy(cluster, &copy);
        if (r < 0)
                return r;
        r = change->apply(change, copy);
        if (r < 0)
                return r;

        copy->epoch += r > 0;
        cluster_encode(copy, &change->encoded);
        r = buffer_error(&change->encoded);
        if (r < 0)
                return r;

        change->cluster = TAKE_PTR(copy);
        return 0;
}

static void on_stored(IndexRequest *request, IndexResult result);

/* Returns 0, or a negative errno if the change is refused. */
static int start(Map *map, MapChange *change) {
        int r;

        r = prepare(change, map->cluster);
        if (r < 0)
                return r;

        change->set = (IndexSet){
                .request.done = on_stored,
                .name = STATE_NAME,
                .data = change->encoded.data,
                .size = change->encoded.size,
        };
        index_set(map->index, &change->set);
        return 0;
}

/* Takes the finished changes off the list: the one that was stored, and those directly behind it
 * that are refused. The next one is on its way then. */
static MapChange *take_finished(Map *map, int result) {
        MapChange *finished = take_first(map), *last = finished;

        finished->result = result;
        while (map->changes) {
                int r = start(map, map->changes);

                if (r >= 0)
                        break;
                last = last->next = take_first(map);
                last->result = r;
        }
        return finished;
}

static void on_stored(IndexRequest *request, IndexResult result) {
        MapChange *change = CONTAINER_OF(request, MapChange, set.request), *finished, *next;
        Map *map = change->map;
        Cluster *cluster;
        bool failed_before = map->failed; /* only this thread looks */

        /* If nobody knows whether a change was stored, it is not in force here, and the next one
         * that is stored takes its place; but a restart may find it. */
        map->failed = result.error < 0;
        if (result.error < 0 && !failed_before)
                log_event(LOG_ERR, EVENT_MAP_NOT_STORED, NULL,
                          result.outcome == INDEX_UNKNOWN
                                          ? "It is unknown whether a change of the cluster map was stored; it is not made: %s."
                                          : "A change of the cluster map could not be stored and is not made: %s.",
                          strerror(-result.error));

        (void) pthread_rwlock_wrlock(&map->lock);
        if (result.outcome == INDEX_DONE) {
                cluster = map->cluster;
                map->cluster = change->cluster;
                change->cluster = cluster;
        }
        finished = take_finished(map, result.error);
        (void) pthread_rwlock_unlock(&map->lock);

        for (; finished; finished = next) {
                next = finished->next;
                finish(finished, finished->result, map->cluster);
        }
}

int map_submit(Map *map, MapChange *change) {
        int r;

        if (!lead_is_leading(map->lead))
                return -EOWNERDEAD;

        change->map = map;
        change->next = NULL;
        if (!map->changes) {
                r = start(map, change);
                if (r < 0)
                        return r;
        }
        *map->tail = change;
        map->tail = &change->next;
        return 0;
}

bool map_is_changing(const Map *map) {
        return map->changes;
}
