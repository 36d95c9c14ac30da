/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "core/checksum.h"
#include "store/index/engine/dump-internal.h"

static DB *table_of(const Index *index, DumpTable table) {
        switch (table) {
        case DUMP_RECORDS:
                return index->tables.records;
        case DUMP_GARBAGE:
                return index->tables.garbage;
        case DUMP_SURPLUS:
                return index->tables.surplus;
        case DUMP_DAMAGES:
                return index->tables.damages;
        default:
                return index->tables.environment->state;
        }
}

DB *dump_table(const Index *index, DumpTable table) {
        return table > DUMP_END && table < _DUMP_TABLE_MAX ? table_of(index, table) : NULL;
}

typedef struct Dump {
        Index *index;
        Buffer buffer;
        ChecksumState *checksum;
        uint64_t n_entries;
        int (*write)(const void *data, size_t size, void *userdata);
        void *userdata;
} Dump;

static int flush(Dump *dump) {
        int r = buffer_error(&dump->buffer);

        if (r < 0)
                return r;
        checksum_state_update(dump->checksum, dump->buffer.data, dump->buffer.size);
        r = dump->write(dump->buffer.data, dump->buffer.size, dump->userdata);
        buffer_clear(&dump->buffer);
        return MIN(r, 0);
}

bool dump_has(DumpTable table, const void *key, size_t size) {
        return table != DUMP_STATE || size != strlen(DUMP_FORMAT_STATE) ||
               memcmp(key, DUMP_FORMAT_STATE, size) != 0;
}

static int put_entry(Dump *dump, DumpTable table, const Cursor *cursor) {
        if (!dump_has(table, cursor->key.data, cursor->key.size))
                return 0;

        buffer_put_u8(&dump->buffer, (uint8_t) table);
        buffer_put_bytes(&dump->buffer, cursor->key.data, cursor->key.size);
        buffer_put_bytes(&dump->buffer, cursor->value.data, cursor->value.size);
        dump->n_entries++;
        return dump->buffer.size >= DUMP_PIECE ? flush(dump) : 0;
}

static int put_table(Dump *dump, DumpTable table) {
        Cursor cursor;
        int r, written = 0;

        r = cursor_open(dump->index->tables.environment, table_of(dump->index, table), &cursor);
        if (r < 0)
                return r;

        for (r = cursor_seek(&cursor, "", 0); r >= 0 && written >= 0; r = cursor_next(&cursor))
                written = put_entry(dump, table, &cursor);
        cursor_close(&cursor);
        if (written < 0)
                return written;
        return r == -ENOENT ? 0 : r;
}

static int put_end(Dump *dump) {
        Checksum sum;
        int r;

        buffer_put_u8(&dump->buffer, DUMP_END);
        buffer_put_u64(&dump->buffer, dump->n_entries);
        r = flush(dump);
        if (r < 0)
                return r;

        sum = checksum_state_final(dump->checksum);
        buffer_put(&dump->buffer, sum.bytes, sizeof(sum.bytes));
        return flush(dump);
}

/* RET_ENTRY, which may be NULL, is the last entry that is in the tables, 0 without a group. */
static int dump_tables(
                Index *index,
                int (*write)(const void *data, size_t size, void *userdata),
                void *userdata,
                uint64_t *ret_entry) {
        _cleanup_(checksum_state_freep) ChecksumState *checksum = NULL;
        Dump dump = { .index = index, .write = write, .userdata = userdata };
        uint64_t round;
        int r;

        r = checksum_state_new(&checksum);
        if (r < 0)
                return r;
        dump.checksum = checksum;
        buffer_put(&dump.buffer, DUMP_MAGIC, sizeof(DUMP_MAGIC));

        environment_read_lock(index->tables.environment);
        for (DumpTable table = DUMP_END + 1; table < _DUMP_TABLE_MAX && r >= 0; table++)
                r = put_table(&dump, table);
        round = durable_round(&index->tables.durable);
        if (ret_entry)
                *ret_entry = index->follow ? index->follow->applied.now.index : 0;
        environment_read_unlock(index->tables.environment);

        durable_wait(&index->tables.durable, round);
        if (r >= 0)
                r = put_end(&dump);
        buffer_done(&dump.buffer);
        return r;
}

int index_dump(Index *index,
               int (*write)(const void *data, size_t size, void *userdata),
               void *userdata) {
        return dump_tables(index, write, userdata, NULL);
}

static int hash_piece(const void *data, size_t size, void *userdata) {
        checksum_state_update(userdata, data, size);
        return 0;
}

int index_hash(Index *index, Checksum *ret, uint64_t *ret_entry) {
        _cleanup_(checksum_state_freep) ChecksumState *checksum = NULL;
        uint64_t entry = 0;
        int r;

        r = checksum_state_new(&checksum);
        if (r >= 0)
                r = dump_tables(index, hash_piece, checksum, &entry);
        if (r < 0)
                return r;

        *ret = checksum_state_final(checksum);
        *ret_entry = entry;
        return 0;
}
