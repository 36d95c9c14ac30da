/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "store/index/apply/garbage.h"
#include "store/index/apply/term.h"
#include "store/index/apply/upgrade.h"

/* Users of an index without revisions have seen versions as such. */
int upgrade_revision(Transaction *transaction, void *userdata) {
        Buffer *scratch = &transaction->scratch;
        uint64_t end;
        int r;

        r = transaction_get(
                        transaction, transaction->environment->state, VERSIONS_STATE,
                        strlen(VERSIONS_STATE), scratch);
        if (r >= 0)
                r = versions_decode(scratch, &end);
        if (r < 0)
                return r == -ENOENT ? 0 : transaction_fail(transaction, r);

        transaction->counters[COUNTER_REVISION] = (int64_t) (2 * end);
        return 0;
}

/* The garbage of an index that had no surplus copies yet: it may be of versions that are current.
 */
static int adopt(Transaction *transaction, Cursor *cursor) {
        Tables *tables = tables_of(transaction);
        GarbageKey start = garbage_key(INDEX_TOMBSTONES + 1, 0, 0);
        const uint8_t value = GARBAGE_FORMAT;
        int r;

        for (r = cursor_seek(cursor, &start, sizeof(start)); r >= 0; r = cursor_next(cursor)) {
                GarbageKey item;
                SurplusKey key;

                if (cursor->key.size != sizeof(item))
                        return -EBADMSG;
                memcpy(&item, cursor->key.data, sizeof(item));
                key = (SurplusKey){ item.version, item.volume };
                surplus_note(tables, be32toh(item.volume));
                r = transaction_put(
                                transaction, tables->surplus, &key, sizeof(key), &value,
                                sizeof(value));
                if (r < 0)
                        return r;
        }

        return r == -ENOENT ? 0 : r;
}

static int apply_adopt(Operation *operation, Transaction *transaction) {
        Cursor cursor;
        int r;

        r = cursor_open(transaction->environment, tables_of(transaction)->garbage, &cursor);
        if (r < 0)
                return transaction_fail(transaction, r);
        r = adopt(transaction, &cursor);
        cursor_close(&cursor);

        /* What lies behind a damaged page is not found by the collector either. */
        if (r < 0 && r != -EBADMSG)
                return transaction_fail(transaction, r);
        return transaction_set_state(transaction, ".strays", "1", 1);
}

int upgrade_surplus(Tables *tables) {
        _cleanup_(buffer_done) Buffer buffer = {};
        Operation operation = { .apply = apply_adopt };
        int r;

        r = environment_get_state(tables->environment, ".strays", &buffer);
        return r == -ENOENT ? environment_run(tables->environment, &operation) : MIN(r, 0);
}

int upgrade_is_complete(const Tables *tables) {
        _cleanup_(buffer_done) Buffer buffer = {};
        int r;

        r = environment_get_state(tables->environment, ".strays", &buffer);
        return r == -ENOENT ? -EPROTONOSUPPORT : MIN(r, 0);
}
