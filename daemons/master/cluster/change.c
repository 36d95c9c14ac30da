/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/event-ids.h"
#include "base/log.h"
#include "master/cluster/change-internal.h"

/* What a change does to a volume; each is an event, but for the last one. */
typedef enum Effect {
        EFFECT_NEW = 1 << 0,
        EFFECT_ADDED = 1 << 1,
        EFFECT_SETTINGS = 1 << 2,
        EFFECT_MAINTENANCE_BEGAN = 1 << 3,
        EFFECT_MAINTENANCE_ENDED = 1 << 4,
        EFFECT_DRAINING = 1 << 5,
        EFFECT_REMOVED = 1 << 6,
        EFFECT_OTHER_STORE = 1 << 7,
        EFFECT_MOVED = 1 << 8, /* it is called elsewhere, where nobody has called yet */
} Effect;

Change *change_free(Change *change) {
        if (!change)
                return NULL;

        free(change->url);
        free(change->zone);
        free(change->affected);
        free(change);
        return NULL;
}

/* An address that is not set is what the volume reports (report.c). */
static bool is_moved(const Volume *before, const Volume *after) {
        return (before->url_is_set || after->url_is_set) &&
               (before->url_is_set != after->url_is_set || strcmp(before->url, after->url) != 0);
}

static unsigned find_effects(const Volume *before, const Volume *after) {
        static const Volume nothing = { .url = (char *) "", .zone = (char *) "" };
        unsigned effects = 0;

        if (!before) {
                effects |= EFFECT_NEW;
                before = &nothing;
        } else if (after->weight != before->weight || strcmp(after->url, before->url) != 0 ||
                   strcmp(after->zone, before->zone) != 0 ||
                   after->url_is_set != before->url_is_set ||
                   after->zone_is_set != before->zone_is_set)
                effects |= EFFECT_SETTINGS;
        if (is_moved(before, after))
                effects |= EFFECT_MOVED;
        if (before != &nothing && memcmp(after->uuid, before->uuid, sizeof(after->uuid)) != 0)
                effects |= EFFECT_OTHER_STORE;
        if (after->state == VOLUME_ACTIVE && before->state != VOLUME_ACTIVE)
                effects |= EFFECT_ADDED;
        if (after->state == VOLUME_DRAINING && before->state != VOLUME_DRAINING)
                effects |= EFFECT_DRAINING;
        if (after->state == VOLUME_REMOVED && before->state != VOLUME_REMOVED)
                effects |= EFFECT_REMOVED;
        if (after->maintenance_until != before->maintenance_until)
                effects |= after->maintenance_until > 0 ? EFFECT_MAINTENANCE_BEGAN
                                                        : EFFECT_MAINTENANCE_ENDED;
        return effects;
}

static int find_affected(Change *change, const Cluster *before, const Cluster *after) {
        change->affected = calloc(after->n_volumes + 1, sizeof(*change->affected));
        if (!change->affected)
                return -ENOMEM;

        for (size_t i = 0; i < after->n_volumes; i++) {
                const Volume *volume = after->volumes + i;
                unsigned effects = find_effects(cluster_find(before, volume->number), volume);

                if (effects != 0)
                        change->affected[change->n_affected++] = (Affected){
                                .number = volume->number,
                                .effects = effects,
                        };
        }
        change->copies_changed = after->copies != before->copies;
        return change->n_affected > 0 || change->copies_changed;
}

static int on_apply(MapChange *map_change, Cluster *copy) {
        Change *change = CONTAINER_OF(map_change, Change, map_change);
        int r;

        r = change->apply(change, copy);
        if (r < 0)
                return r;
        return find_affected(change, change->volumes->map.cluster, copy);
}

static void log_effects(const Affected *affected, const Volume *volume) {
        /* clang-format off */
        static const struct {
                Effect effect;
                const char *event, *text;
        } events[] = {
                { EFFECT_NEW,               EVENT_VOLUME_NEW,        "reports for the first time" },
                { EFFECT_OTHER_STORE,       EVENT_VOLUME_NEW,        "reports with another store, in place of the first one, which was never added" },
                { EFFECT_ADDED,             EVENT_VOLUME_ADDED,      "takes part in the cluster from now on" },
                { EFFECT_SETTINGS,          EVENT_VOLUME_CHANGED,    "has other settings now" },
                { EFFECT_MAINTENANCE_BEGAN, EVENT_MAINTENANCE_BEGAN, "is in maintenance and gets no new values" },
                { EFFECT_MAINTENANCE_ENDED, EVENT_MAINTENANCE_ENDED, "is in maintenance no longer" },
                { EFFECT_DRAINING,          EVENT_VOLUME_DRAINING,   "is being drained and gets no new values" },
                { EFFECT_REMOVED,           EVENT_VOLUME_REMOVED,    "is removed from the cluster" },
        };
        /* clang-format on */
        char field[sizeof("DKV_VOLUME=") + 10], details[2 * VOLUME_URL_SIZE] = "";

        (void) snprintf(field, sizeof(field), "DKV_VOLUME=%" PRIu32, affected->number);
        if (affected->effects & (EFFECT_NEW | EFFECT_SETTINGS))
                (void) snprintf(details, sizeof(details), ": weight %" PRIu32 ", zone '%s', '%s'",
                                volume->weight, volume->zone, volume->url);
        for (size_t i = 0; i < ELEMENTSOF(events); i++)
                if (affected->effects & events[i].effect)
                        log_event(LOG_NOTICE, events[i].event, (const char *[]){ field, NULL },
                                  "Volume %" PRIu32 " %s%s.", affected->number, events[i].text,
                                  events[i].effect & (EFFECT_NEW | EFFECT_SETTINGS) ? details : "");
}

static void log_copies(const Cluster *cluster) {
        if (cluster->copies > 0)
                log_event(LOG_NOTICE, EVENT_COPIES_CHANGED, NULL,
                          "There are to be %" PRIu32 " copies of each value from now on.",
                          cluster->copies);
        else
                log_event(LOG_NOTICE, EVENT_COPIES_CHANGED, NULL,
                          "There are to be as many copies as Copies= says from now on.");
}

/* With the lock held for writing. */
static void note_effects(Volumes *volumes, const Affected *affected) {
        volumes->live[affected->number].changed = true;
        if (affected->effects & EFFECT_MOVED)
                contacts_forget(volumes->contacts, affected->number);
}

static void on_done(MapChange *map_change, int result, const Cluster *cluster) {
        _cleanup_(change_freep) Change *change = CONTAINER_OF(map_change, Change, map_change);
        Volumes *volumes = change->volumes;

        if (result >= 0) {
                (void) pthread_rwlock_wrlock(&volumes->map.lock);
                for (size_t i = 0; i < change->n_affected; i++)
                        note_effects(volumes, change->affected + i);
                (void) pthread_rwlock_unlock(&volumes->map.lock);

                for (size_t i = 0; i < change->n_affected; i++)
                        log_effects(change->affected + i,
                                    cluster_find(cluster, change->affected[i].number));
                if (change->copies_changed)
                        log_copies(cluster);
        }
        if (change->asked) {
                change->asked->epoch = cluster->epoch;
                change->asked->refused = change->refused;
                change->asked->done(change->asked, result);
        }
}

Change *change_new(
                Volumes *volumes,
                int (*apply)(Change *change, Cluster *copy),
                const uint32_t numbers[],
                size_t n) {
        Change *change = calloc(1, sizeof(*change) + n * sizeof(*numbers));

        if (!change)
                return NULL;
        change->map_change.apply = on_apply;
        change->map_change.done = on_done;
        change->volumes = volumes;
        change->apply = apply;
        change->n_numbers = n;
        if (n > 0)
                memcpy(change->numbers, numbers, n * sizeof(*numbers));
        return change;
}

int change_submit(Change *change, VolumesChange *asked) {
        Map *map = &change->volumes->map;
        int r;

        assert(asked->done);

        change->map_change.epoch = asked->epoch;
        change->asked = asked;
        asked->refused = 0;
        (void) pthread_rwlock_wrlock(&map->lock);
        r = map_submit(map, &change->map_change);
        (void) pthread_rwlock_unlock(&map->lock);
        if (r < 0) {
                asked->refused = change->refused;
                (void) change_free(change);
        }
        return r;
}

int change_find_volume(const Cluster *cluster, uint32_t number, Volume **ret) {
        Volume *volume = cluster_find(cluster, number);

        if (!volume)
                return -ENOENT;
        if (volume->state == VOLUME_REMOVED)
                return -EBUSY;
        *ret = volume;
        return 0;
}
