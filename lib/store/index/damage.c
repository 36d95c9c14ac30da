/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "core/key.h"
#include "store/index/index-internal.h"
#include "store/index/submit.h"

#define DAMAGE_FORMAT 1

/* So many marks are read under one lock. */
#define SLICE 256

/* Big-endian, so that the order of the bytes is that of the numbers. */
typedef struct __attribute__((packed)) DamageKey {
        uint64_t version;
        uint32_t volume;
} DamageKey;

typedef struct Mark {
        DamageKind kind;
        uint8_t n_copies;
        uint64_t since_usec;
        const char *key; /* points into what it was decoded from */
} Mark;

static DamageKey damage_key(uint64_t version, uint32_t volume) {
        return (DamageKey){ htobe64(version), htobe32(volume) };
}

static void encode(const Mark *mark, Buffer *buffer) {
        buffer_clear(buffer);
        buffer_put_u8(buffer, DAMAGE_FORMAT);
        buffer_put_u8(buffer, (uint8_t) mark->kind);
        buffer_put_u8(buffer, mark->n_copies);
        buffer_put_u64(buffer, mark->since_usec);
        buffer_put(buffer, mark->key, strlen(mark->key) + 1);
}

static int decode(const void *data, size_t size, Mark *ret) {
        Reader reader = READER(data, size);
        uint8_t format = reader_get_u8(&reader), kind = reader_get_u8(&reader);
        Mark mark = {
                .n_copies = reader_get_u8(&reader),
                .since_usec = reader_get_u64(&reader),
                .key = (const char *) reader.data,
        };

        if (reader_error(&reader) < 0 || reader.size == 0 || reader.size > KEY_MAX + 1 ||
            memchr(mark.key, 0, reader.size) != mark.key + reader.size - 1)
                return -EBADMSG;
        if (format != DAMAGE_FORMAT || kind == DAMAGE_NONE || kind >= _DAMAGE_KIND_MAX)
                return -EPROTONOSUPPORT;

        mark.kind = kind;
        *ret = mark;
        return 0;
}

static int note(Transaction *transaction, const DamageChange *change) {
        int r;

        r = damage_set_change(&index_of(transaction)->damage, change);
        return r < 0 ? transaction_fail(transaction, r) : 0;
}

int damage_clear(Transaction *transaction, uint64_t version, uint32_t volume) {
        Index *index = index_of(transaction);
        DamageKey key = damage_key(version, volume);
        int r;

        if (damage_set_is_empty(&index->damage))
                return 0;

        r = transaction_delete(transaction, index->damages, &key, sizeof(key));
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        return note(transaction, &(DamageChange){ .version = version, .volume = volume });
}

static int put_mark(Transaction *transaction, uint64_t version, uint32_t volume, const Mark *mark) {
        DamageKey key = damage_key(version, volume);
        _cleanup_(buffer_done) Buffer encoded = {};
        int r;

        encode(mark, &encoded);
        if (buffer_error(&encoded) < 0)
                return transaction_fail(transaction, buffer_error(&encoded));
        r = transaction_put(
                        transaction, index_of(transaction)->damages, &key, sizeof(key),
                        encoded.data, encoded.size);
        if (r < 0)
                return r;
        return note(transaction, &(DamageChange){ version, volume, mark->kind, mark->n_copies });
}

/* Returns 1 and the mark, which points into SCRATCH, or 0. One that cannot be read is made anew. */
static int
get_mark(Transaction *transaction, uint64_t version, uint32_t volume, Buffer *scratch, Mark *ret) {
        DamageKey key = damage_key(version, volume);
        int r;

        r = transaction_get(
                        transaction, index_of(transaction)->damages, &key, sizeof(key), scratch);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        return decode(scratch->data, scratch->size, ret) >= 0;
}

int damage_update(Transaction *transaction, const Record *record) {
        if (damage_set_is_empty(&index_of(transaction)->damage))
                return 0;

        for (size_t i = 0; i < record->n_copies; i++) {
                _cleanup_(buffer_done) Buffer scratch = {};
                Mark mark;
                int r;

                r = get_mark(transaction, record->version, record->copies[i], &scratch, &mark);
                if (r < 0)
                        return r;
                if (r == 0 || mark.n_copies == record->n_copies)
                        continue;
                mark.n_copies = record->n_copies;
                r = put_mark(transaction, record->version, record->copies[i], &mark);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Returns 1 if all copies have a mark, 0 if not, or a negative errno. */
static int are_all_marked(Transaction *transaction, const Record *record) {
        for (size_t i = 0; i < record->n_copies; i++) {
                _cleanup_(buffer_done) Buffer scratch = {};
                Mark mark;
                int r;

                r = get_mark(transaction, record->version, record->copies[i], &scratch, &mark);
                if (r <= 0)
                        return r;
        }
        return 1;
}

static int mark_copy(
                Transaction *transaction,
                IndexDamageItem *item,
                const Record *record,
                uint64_t now_usec) {
        _cleanup_(buffer_done) Buffer scratch = {};
        Mark mark, old;
        int r;

        r = get_mark(transaction, item->version, item->volume, &scratch, &old);
        if (r < 0)
                return r;
        item->is_new = r == 0;
        mark = (Mark){
                .kind = item->kind,
                .n_copies = record->n_copies,
                .since_usec = r > 0 ? old.since_usec : now_usec,
                .key = item->key,
        };
        if (r == 0 || old.kind != mark.kind || old.n_copies != mark.n_copies) {
                r = put_mark(transaction, item->version, item->volume, &mark);
                if (r < 0)
                        return r;
        }
        r = are_all_marked(transaction, record);
        return r > 0 ? -EBADMSG : r;
}

static bool is_copy(const Record *record, uint64_t version, uint32_t volume) {
        for (size_t i = 0; record->version == version && i < record->n_copies; i++)
                if (record->copies[i] == volume)
                        return true;
        return false;
}

/* A record that cannot be read gets no mark, and fails nobody else. */
static int apply_item(Transaction *transaction, IndexDamageItem *item, uint64_t now_usec) {
        Index *index = index_of(transaction);
        Record record;
        int r;

        if (item->kind == DAMAGE_NONE)
                return damage_clear(transaction, item->version, item->volume);

        r = database_get(
                        index->environment, index->records, item->key, strlen(item->key),
                        &index->current);
        if (r >= 0)
                r = record_decode(index->current.data, index->current.size, item->key, &record);
        if (r < 0 || !is_copy(&record, item->version, item->volume))
                return -ENOENT;

        return mark_copy(transaction, item, &record, now_usec);
}

int apply_damage(IndexRequest *request, Transaction *transaction) {
        IndexDamage *damage = CONTAINER_OF(request, IndexDamage, request);

        for (size_t i = 0; i < damage->n_items; i++) {
                IndexDamageItem *item = damage->items + i;

                item->is_new = false;
                item->error = apply_item(transaction, item, damage->now_usec);
                if (transaction->error < 0)
                        return transaction->error;
        }
        return 0;
}

void index_damage(Index *index, IndexDamage *damage) {
        assert(damage->n_items <= INDEX_DAMAGE_MAX);

        index_submit(index, REQUEST_DAMAGE, &damage->request);
}

DamageKind index_damage_kind(Index *index, uint64_t version, uint32_t volume) {
        return damage_set_get(&index->damage, version, volume);
}

unsigned index_damaged(Index *index, const Record *record) {
        unsigned bits = 0;

        if (atomic_load(&index->damage.n_marks) == 0)
                return 0;

        for (size_t i = 0; i < record->n_copies; i++)
                if (damage_set_get(&index->damage, record->version, record->copies[i]) !=
                    DAMAGE_NONE)
                        bits |= 1U << i;
        return bits;
}

void index_damage_counters(Index *index, IndexDamageCounters *ret) {
        const DamageSet *set = &index->damage;

        *ret = (IndexDamageCounters){
                .copies = atomic_load(&set->n_marks),
                .values = atomic_load(&set->n_values),
                .lost = atomic_load(&set->n_lost),
                .made = atomic_load(&set->n_made),
        };
}

uint64_t index_damage_on(Index *index, uint32_t volume) {
        return volume <= VOLUME_MAX ? atomic_load(index->damage.n_on + volume) : 0;
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
        Mark mark;

        if (cursor->key.size != sizeof(scan->after))
                return -EBADMSG;
        if (memcmp(&scan->after, cursor->key.data, sizeof(scan->after)) == 0)
                return 0; /* the one behind which we go on */

        memcpy(&scan->after, cursor->key.data, sizeof(scan->after));
        scan->left--;
        if (decode(cursor->value.data, cursor->value.size, &mark) < 0)
                return 0;

        version = be64toh(scan->after.version);
        volume = be32toh(scan->after.volume);
        return scan->on_mark(
                        &(IndexDamageMark){
                                        .version = version,
                                        .volume = volume,
                                        .kind = mark.kind,
                                        .is_lost = damage_set_is_lost(
                                                        &scan->index->damage, version),
                                        .since_usec = mark.since_usec,
                                        .key = mark.key,
                        },
                        scan->userdata);
}

/* Returns 0 if there may be more, -ENOENT at the end, or what on_mark() returned. */
static int scan_slice(Scan *scan) {
        Environment *environment = scan->index->environment;
        size_t stop = scan->left - MIN(scan->left, (size_t) SLICE);
        Cursor cursor;
        int r;

        environment_read_lock(environment);
        r = cursor_open(environment, scan->index->damages, &cursor);
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
        uint64_t version = damage_set_lost_version(&index->damage);
        int r;

        if (version == 0)
                return -ENOENT;

        buffer_clear(ret);
        r = index_damage_scan(index, version, 0, 1, copy_key, ret);
        if (r < 0)
                return r;
        return buffer_error(ret) ?: ret->size > 0 ? 0 : -ENOENT;
}

static int load_mark(DamageSet *set, const Cursor *cursor, DamageKey *ret_key) {
        Mark mark;

        if (cursor->key.size != sizeof(*ret_key))
                return -EBADMSG;
        memcpy(ret_key, cursor->key.data, sizeof(*ret_key));
        if (decode(cursor->value.data, cursor->value.size, &mark) < 0 ||
            be32toh(ret_key->volume) > VOLUME_MAX)
                return 0;
        return damage_set_change(
                        set, &(DamageChange){ be64toh(ret_key->version), be32toh(ret_key->volume),
                                              mark.kind, mark.n_copies });
}

/* Marks that cannot be read are found anew, when somebody reads the copies. */
int damage_load(Index *index) {
        DamageKey key = {};
        Cursor cursor;
        int r;

        r = cursor_open(index->environment, index->damages, &cursor);
        if (r < 0)
                return r;
        for (r = cursor_seek(&cursor, &key, sizeof(key)); r >= 0; r = cursor_next(&cursor)) {
                r = load_mark(&index->damage, &cursor, &key);
                if (r < 0)
                        break;
        }
        cursor_close(&cursor);

        damage_set_keep(&index->damage);
        return r == -ENOENT || r == -EBADMSG ? 0 : r;
}
