/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Reads of what is damaged; how it is marked stands in store/index/apply/damage.c. */

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "store/index/apply/damage.h"
#include "store/index/engine/index-internal.h"

/* So many marks are read under one lock. */
#define SLICE 256

DamageKind index_damage_kind(Index *index, uint64_t version, uint32_t volume) {
        return damage_set_get(&index->tables.damage, version, volume);
}

unsigned index_damaged(Index *index, const Record *record) {
        unsigned bits = 0;

        if (atomic_load(&index->tables.damage.n_marks) == 0)
                return 0;

        for (size_t i = 0; i < record->n_copies; i++)
                if (damage_set_get(&index->tables.damage, record->version, record->copies[i]) !=
                    DAMAGE_NONE)
                        bits |= 1U << i;
        return bits;
}

void index_damage_counters(Index *index, IndexDamageCounters *ret) {
        const DamageSet *set = &index->tables.damage;

        *ret = (IndexDamageCounters){
                .copies = atomic_load(&set->n_marks),
                .values = atomic_load(&set->n_values),
                .lost = atomic_load(&set->n_lost),
                .made = atomic_load(&set->n_made),
        };
}

uint64_t index_damage_on(Index *index, uint32_t volume) {
        return volume <= VOLUME_MAX ? atomic_load(index->tables.damage.n_on + volume) : 0;
}

typedef struct Scan {
        Index *index;
        DamageKey after;
        size_t left;
        int (*on_mark)(const IndexDamageMark *mark, void *userdata);
        void *userdata;
} Scan;

/* A mark that cannot be read is passed over. */
static int scan_mark(Scan *scan, const Cursor *cursor) {
        uint64_t version;
        uint32_t volume;
        DamageRow mark;

        if (cursor->key.size != sizeof(scan->after))
                return -EBADMSG;
        if (memcmp(&scan->after, cursor->key.data, sizeof(scan->after)) == 0)
                return 0; /* the one behind which we go on */

        memcpy(&scan->after, cursor->key.data, sizeof(scan->after));
        scan->left--;
        if (damage_decode(cursor->value.data, cursor->value.size, &mark) < 0)
                return 0;

        version = be64toh(scan->after.version);
        volume = be32toh(scan->after.volume);
        return scan->on_mark(
                        &(IndexDamageMark){
                                        .version = version,
                                        .volume = volume,
                                        .kind = mark.kind,
                                        .is_lost = damage_set_is_lost(
                                                        &scan->index->tables.damage, version),
                                        .since_usec = mark.since_usec,
                                        .key = mark.key,
                        },
                        scan->userdata);
}

/* Returns 0 if there may be more, -ENOENT at the end, or what on_mark() returned. */
static int scan_slice(Scan *scan) {
        Environment *environment = scan->index->tables.environment;
        size_t stop = scan->left - MIN(scan->left, (size_t) SLICE);
        Cursor cursor;
        int r;

        environment_read_lock(environment);
        r = cursor_open(environment, scan->index->tables.damages, &cursor);
        if (r >= 0) {
                r = cursor_seek(&cursor, &scan->after, sizeof(scan->after));
                while (r >= 0) {
                        r = scan_mark(scan, &cursor);
                        if (r != 0 || scan->left == stop)
                                break;
                        r = cursor_next(&cursor);
                }
                cursor_close(&cursor);
        }
        environment_read_unlock(environment);
        return r;
}

int index_damage_scan(
                Index *index,
                uint64_t after_version,
                uint32_t after_volume,
                size_t limit,
                int (*on_mark)(const IndexDamageMark *mark, void *userdata),
                void *userdata) {
        Scan scan = { index, damage_key(after_version, after_volume), limit, on_mark, userdata };
        int r = 0;

        while (r == 0 && scan.left > 0)
                r = scan_slice(&scan);
        return r == -ENOENT ? 0 : r;
}

static int copy_key(const IndexDamageMark *mark, void *userdata) {
        buffer_put(userdata, mark->key, strlen(mark->key) + 1);
        return 1;
}

int index_damage_lost_key(Index *index, Buffer *ret) {
        uint64_t version = damage_set_lost_version(&index->tables.damage);
        int r;

        if (version == 0)
                return -ENOENT;

        buffer_clear(ret);
        r = index_damage_scan(index, version, 0, 1, copy_key, ret);
        if (r < 0)
                return r;
        return buffer_error(ret) ?: ret->size > 0 ? 0 : -ENOENT;
}
