/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/event-ids.h"
#include "base/log.h"
#include "core/call/wire.h"
#include "core/key.h"
#include "master/link/order.h"
#include "master/upkeep/damage.h"
#include "store/index/damage.h"
#include "store/index/storage.h"

/* To read many large values takes long. */
#define LOOK_PATIENCE_USEC (10 * USEC_PER_MIN)

/* The value has no known good copy; logged when the last one is found damaged. */
static void log_lost(const IndexDamageItem *item) {
        char key_field[sizeof("DKV_KEY=") + KEY_MAX], volume_field[sizeof("DKV_VOLUME=") + 10];

        (void) snprintf(key_field, sizeof(key_field), "DKV_KEY=%s", item->key);
        (void) snprintf(volume_field, sizeof(volume_field), "DKV_VOLUME=%" PRIu32, item->volume);
        log_event(LOG_ERR, EVENT_VALUE_LOST, (const char *[]){ key_field, volume_field, NULL },
                  "No good copy of key '%s' is left: the last one, on volume %" PRIu32 ", %s.",
                  item->key, item->volume, damage_kind_to_sentence(item->kind));
}

void damage_log_lost(const IndexDamage *damage) {
        for (size_t i = 0; i < damage->n_items; i++)
                if (damage->items[i].error == -EBADMSG && damage->items[i].is_new)
                        log_lost(damage->items + i);
}

void damage_log_copy(const char *key, uint64_t version, uint32_t volume) {
        char key_field[sizeof("DKV_KEY=") + KEY_MAX], volume_field[sizeof("DKV_VOLUME=") + 10];

        (void) snprintf(key_field, sizeof(key_field), "DKV_KEY=%s", key);
        (void) snprintf(volume_field, sizeof(volume_field), "DKV_VOLUME=%" PRIu32, volume);
        log_event(LOG_ERR, EVENT_CORRUPTION_FOUND,
                  (const char *[]){ key_field, volume_field, NULL },
                  "The copy of version %" PRIu64 " of key '%s' on volume %" PRIu32
                  " is damaged or missing.",
                  version, key, volume);
}

void damage_log_index(const char *key) {
        const char *page = index_last_damage();
        char field[sizeof("DKV_KEY=") + KEY_MAX];

        (void) snprintf(field, sizeof(field), "DKV_KEY=%s", key);
        log_event(LOG_ERR, EVENT_CORRUPTION_FOUND, (const char *[]){ field, NULL },
                  "The index is damaged where key '%s' belongs (last damaged page: %s).", key,
                  *page ? page : "none");
}

/* One copy, by itself. */
typedef struct Mark {
        IndexDamage damage;
        IndexDamageItem item;
        char key[];
} Mark;

static void on_marked(IndexRequest *request, IndexResult result) {
        Mark *mark = CONTAINER_OF(request, Mark, damage.request);

        if (result.outcome == INDEX_DONE)
                damage_log_lost(&mark->damage);
        free(mark);
}

void damage_mark(
                Index *index, const char *key, uint64_t version, uint32_t volume, DamageKind kind) {
        size_t size = strlen(key) + 1;
        Mark *mark = malloc(sizeof(*mark) + size);

        if (!mark)
                return; /* it will be found again */

        *mark = (Mark){
                .damage = { .request.done = on_marked,
                            .items = &mark->item,
                            .n_items = 1,
                            .now_usec = clock_realtime() },
                .item = { .version = version, .volume = volume, .key = mark->key, .kind = kind },
        };
        memcpy(mark->key, key, size);
        index_damage(index, &mark->damage);
}

void damage_unmark(Index *index, const char *key, uint64_t version, uint32_t volume) {
        damage_mark(index, key, version, volume, DAMAGE_NONE);
}

typedef struct Look {
        DamageLookOptions options;
        uint32_t volume;
        DamageCopy *copies;
        size_t n;
} Look;

static Look *look_free(Look *look) {
        if (!look)
                return NULL;

        for (size_t i = 0; i < look->n; i++)
                free(look->copies[i].key);
        free(look->copies);
        free(look);
        return NULL;
}
DEFINE_CLEANUP(Look *, look_free);

static void on_looked(const RpcResult *result, void *userdata) {
        _cleanup_(look_freep) Look *look = userdata;
        Reader answer = READER(result->body, result->body_size);
        bool any_good = false;

        if (rpc_result_error(result) < 0)
                return;

        for (size_t i = 0; i < look->n; i++) {
                const DamageCopy *copy = look->copies + i;
                int error = wire_get_error(&answer);

                if (reader_error(&answer) < 0 || error < 0)
                        continue;
                damage_unmark(look->options.index, copy->key, copy->version, look->volume);
                any_good = true;
        }
        if (any_good)
                look->options.on_good(look->options.userdata);
}

int damage_look(const DamageLookOptions *options, uint32_t volume, DamageCopy *copies, size_t n) {
        _cleanup_(look_freep) Look *look = malloc(sizeof(*look));
        _cleanup_(buffer_done) Buffer body = {};
        int r;

        assert(n <= WIRE_CHECK_VERSIONS_MAX);

        if (!look)
                abort(); /* nobody would free the copies */
        *look = (Look){ *options, volume, copies, n };

        buffer_put_u8(&body, WIRE_CHECK_WHOLE);
        for (size_t i = 0; i < n; i++)
                buffer_put_u64(&body, copies[i].version);
        r = buffer_error(&body);
        if (r < 0)
                return r;

        r = order_send(options->volumes,
                       &(Order){
                                       .volume = volume,
                                       .kind = CALL_CHECK,
                                       .peers = options->peers,
                                       .body = &body,
                                       .timeout_usec = LOOK_PATIENCE_USEC,
                                       .on_done = on_looked,
                                       .userdata = look,
                       },
                       NULL);
        if (r < 0)
                return r;

        look = NULL; /* on_looked() frees it, or has done so */
        return 0;
}

static void tell_lost(Index *index, Troubles *troubles, uint64_t n) {
        _cleanup_(buffer_done) Buffer key = {};

        if (n == 0 || index_damage_lost_key(index, &key) < 0)
                troubles_clear(troubles, TROUBLE_VALUES_LOST, 0);
        else if (n == 1)
                troubles_note(troubles, TROUBLE_VALUES_LOST, 0, "the value of '%.100s'",
                              (const char *) key.data);
        else
                troubles_note(troubles, TROUBLE_VALUES_LOST, 0,
                              "%" PRIu64 " values, of '%.100s' among them", n,
                              (const char *) key.data);
}

static void tell_volume(Index *index, Troubles *troubles, uint32_t number) {
        uint64_t n = index_damage_on(index, number);

        if (n == 0)
                troubles_clear(troubles, TROUBLE_COPIES_DAMAGED, number);
        else
                troubles_note(troubles, TROUBLE_COPIES_DAMAGED, number,
                              "%" PRIu64 " cop%s on volume %" PRIu32 " %s damaged", n,
                              n == 1 ? "y" : "ies", number, n == 1 ? "is" : "are");
}

void damage_watch(Index *index, Volumes *volumes, Troubles *troubles) {
        _cleanup_free_ VolumeStatus *list = NULL;
        IndexDamageCounters counters;
        uint64_t epoch;
        size_t n;

        index_damage_counters(index, &counters);
        if (counters.made == 0 || volumes_list(volumes, &list, &n, &epoch) < 0)
                return;
        for (size_t i = 0; i < n; i++)
                tell_volume(index, troubles, list[i].number);
        tell_lost(index, troubles, counters.lost);
}
