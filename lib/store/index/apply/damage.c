/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "core/key.h"
#include "store/index/apply/damage.h"

#define DAMAGE_FORMAT 1

DamageKey damage_key(uint64_t version, uint32_t volume) {
        return (DamageKey){ htobe64(version), htobe32(volume) };
}

static void encode(const DamageRow *mark, Buffer *buffer) {
        buffer_clear(buffer);
        buffer_put_u8(buffer, DAMAGE_FORMAT);
        buffer_put_u8(buffer, (uint8_t) mark->kind);
        buffer_put_u8(buffer, mark->n_copies);
        buffer_put_u64(buffer, mark->since_usec);
        buffer_put(buffer, mark->key, strlen(mark->key) + 1);
}

int damage_decode(const void *data, size_t size, DamageRow *ret) {
        Reader reader = READER(data, size);
        uint8_t format = reader_get_u8(&reader), kind = reader_get_u8(&reader);
        DamageRow mark = {
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

        r = damage_set_change(&tables_of(transaction)->damage, change);
        return r < 0 ? transaction_fail(transaction, r) : 0;
}

int damage_clear(Transaction *transaction, uint64_t version, uint32_t volume) {
        Tables *tables = tables_of(transaction);
        DamageKey key = damage_key(version, volume);
        int r;

        if (damage_set_is_empty(&tables->damage))
                return 0;

        r = transaction_delete(transaction, tables->damages, &key, sizeof(key));
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        return note(transaction, &(DamageChange){ .version = version, .volume = volume });
}

static int
put_mark(Transaction *transaction, uint64_t version, uint32_t volume, const DamageRow *mark) {
        DamageKey key = damage_key(version, volume);
        _cleanup_(buffer_done) Buffer encoded = {};
        int r;

        encode(mark, &encoded);
        if (buffer_error(&encoded) < 0)
                return transaction_fail(transaction, buffer_error(&encoded));
        r = transaction_put(
                        transaction, tables_of(transaction)->damages, &key, sizeof(key),
                        encoded.data, encoded.size);
        if (r < 0)
                return r;
        return note(transaction, &(DamageChange){ version, volume, mark->kind, mark->n_copies });
}

/* Returns 1 and the mark, which points into SCRATCH, or 0. One that cannot be read is made again.
 */
static int get_mark(
                Transaction *transaction,
                uint64_t version,
                uint32_t volume,
                Buffer *scratch,
                DamageRow *ret) {
        DamageKey key = damage_key(version, volume);
        int r;

        r = transaction_get(
                        transaction, tables_of(transaction)->damages, &key, sizeof(key), scratch);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        return damage_decode(scratch->data, scratch->size, ret) >= 0;
}

int damage_update(Transaction *transaction, const Record *record) {
        if (damage_set_is_empty(&tables_of(transaction)->damage))
                return 0;

        for (size_t i = 0; i < record->n_copies; i++) {
                _cleanup_(buffer_done) Buffer scratch = {};
                DamageRow mark;
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
                DamageRow mark;
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
        DamageRow mark, old;
        int r;

        r = get_mark(transaction, item->version, item->volume, &scratch, &old);
        if (r < 0)
                return r;
        item->is_new = r == 0;
        mark = (DamageRow){
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
        Record record;
        int r;

        if (item->kind == DAMAGE_NONE)
                return damage_clear(transaction, item->version, item->volume);

        r = tables_peek(transaction, item->key, &record);
        if (r <= 0 || !is_copy(&record, item->version, item->volume))
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

static int load_mark(Tables *tables, const Cursor *cursor, DamageKey *ret_key) {
        DamageRow mark;

        if (cursor->key.size != sizeof(*ret_key))
                return -EBADMSG;
        memcpy(ret_key, cursor->key.data, sizeof(*ret_key));
        if (damage_decode(cursor->value.data, cursor->value.size, &mark) < 0 ||
            be32toh(ret_key->volume) > VOLUME_MAX)
                return tables->is_strict ? -EBADMSG : 0;
        return damage_set_change(
                        &tables->damage,
                        &(DamageChange){ be64toh(ret_key->version), be32toh(ret_key->volume),
                                         mark.kind, mark.n_copies });
}

/* Marks that cannot be read are found again when somebody reads the copies. */
int damage_load(Tables *tables) {
        DamageKey key = {};
        Cursor cursor;
        int r;

        r = cursor_open(tables->environment, tables->damages, &cursor);
        if (r < 0)
                return r;
        for (r = cursor_seek(&cursor, &key, sizeof(key)); r >= 0; r = cursor_next(&cursor)) {
                r = load_mark(tables, &cursor, &key);
                if (r < 0)
                        break;
        }
        cursor_close(&cursor);

        damage_set_keep(&tables->damage);
        return r == -ENOENT || (r == -EBADMSG && !tables->is_strict) ? 0 : r;
}
