/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Moves of copies, and the volumes that no commit may name: how their requests are applied. */

#include <errno.h>
#include <string.h>

#include "store/index/rules.h"
#include "store/index/submit.h"
#include "store/index/tables.h"

#define BARS_STATE  ".barred"
#define BARS_FORMAT 1

/* The value was overwritten meanwhile: the copy was made for nothing. */
static int refuse_move(Transaction *transaction, const IndexMove *move) {
        int r = 0;

        if (move->add != 0)
                r = tables_add_garbage(
                                transaction, move->add, move->garbage_due_usec, move->version);
        return r < 0 ? r : -ESTALE;
}

static int drop_copies(Transaction *transaction, const IndexMove *move) {
        for (size_t i = 0; i < move->n_drop; i++) {
                int r;

                r = tables_add_stray(
                                transaction, move->drop[i], move->garbage_due_usec, move->version);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int change_copies(Transaction *transaction, const IndexMove *move, const Record *record) {
        int r;

        r = drop_copies(transaction, move);
        if (r < 0)
                return r;
        (void) tables_next_revision(transaction); /* the value keeps its own */
        if (move->add != 0) {
                r = damage_clear(transaction, move->version, move->add);
                if (r < 0)
                        return r;
        }
        r = damage_update(transaction, record);
        return r < 0 ? r : tables_put(transaction, move->key, record);
}

int apply_move(IndexRequest *request, Transaction *transaction) {
        const IndexMove *move = CONTAINER_OF(request, IndexMove, request);
        Record record;
        int r;

        r = tables_get(transaction, move->key, &record);
        if (r < 0)
                return r;
        if (r == 0 || record.version != move->version)
                return refuse_move(transaction, move);

        if (move->add != 0) {
                r = tables_find_stray(transaction, move->version, move->add);
                if (r != 0)
                        return r < 0 ? r : -EBUSY;
        }
        r = rules_move_copies(move, &record);
        if (r < 0)
                return r;
        if (!request->has_room)
                return -ENOSPC;
        return change_copies(transaction, move, &record);
}

void index_move(Index *index, IndexMove *move) {
        index_submit(index, REQUEST_MOVE, &move->request);
}

static void bar(Index *index, const uint32_t volumes[], size_t n) {
        memset(index->barred, 0, sizeof(index->barred));
        for (size_t i = 0; i < n; i++)
                index->barred[volumes[i]] = true;
}

int apply_bars(IndexRequest *request, Transaction *transaction) {
        const IndexBars *bars = CONTAINER_OF(request, IndexBars, request);
        Buffer *scratch = &transaction->scratch;
        Index *index = index_of(transaction);

        buffer_clear(scratch);
        buffer_put_u8(scratch, BARS_FORMAT);
        for (size_t i = 0; i < bars->n_volumes; i++)
                buffer_put_u32(scratch, bars->volumes[i]);
        if (buffer_error(scratch) < 0)
                return transaction_fail(transaction, buffer_error(scratch));

        if (!index->has_barred)
                memcpy(index->barred_before, index->barred, sizeof(index->barred));
        index->has_barred = true;
        bar(index, bars->volumes, bars->n_volumes);
        return transaction_set_state(
                        transaction, BARS_STATE, bars->n_volumes > 0 ? scratch->data : NULL,
                        scratch->size);
}

int index_load_bars(Index *index) {
        Environment *environment = index->environment;
        _cleanup_(buffer_done) Buffer encoded = {};
        Reader reader;
        int r;

        bar(index, NULL, 0);
        r = database_get(environment, environment->state, BARS_STATE, strlen(BARS_STATE), &encoded);
        if (r < 0)
                return r == -ENOENT ? 0 : r;

        reader = READER(encoded.data, encoded.size);
        if (reader_get_u8(&reader) != BARS_FORMAT)
                return -EPROTONOSUPPORT;
        while (reader.size > 0) {
                uint32_t volume = reader_get_u32(&reader);

                if (reader_error(&reader) < 0 || volume > VOLUME_MAX)
                        return -EBADMSG;
                index->barred[volume] = true;
        }
        return 0;
}

void index_bars_ended(Index *index, bool committed) {
        if (index->has_barred && !committed)
                memcpy(index->barred, index->barred_before, sizeof(index->barred));
        index->has_barred = false;
}

int index_set_bars(Index *index, const uint32_t volumes[], size_t n) {
        IndexBars bars = { .volumes = volumes, .n_volumes = n };

        for (size_t i = 0; i < n; i++)
                assert(volumes[i] <= VOLUME_MAX);

        return index_run(index, REQUEST_BARS, &bars.request);
}
