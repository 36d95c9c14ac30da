/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "store/index/apply/damage.h"
#include "store/index/apply/garbage.h"
#include "store/index/apply/move.h"
#include "store/index/apply/rules.h"

/* The value was overwritten meanwhile: the copy was made for nothing. */
static int refuse_move(Transaction *transaction, const IndexMove *move) {
        int r = 0;

        if (move->add != 0)
                r = garbage_add(transaction, move->add, move->garbage_due_usec, move->version);
        return r < 0 ? r : -ESTALE;
}

static int drop_copies(Transaction *transaction, const IndexMove *move) {
        for (size_t i = 0; i < move->n_drop; i++) {
                int r;

                r = surplus_add(transaction, move->drop[i], move->garbage_due_usec, move->version);
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
                r = surplus_find(transaction, move->version, move->add);
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

int apply_fences(IndexRequest *request, Transaction *transaction) {
        const IndexFences *fences = CONTAINER_OF(request, IndexFences, request);

        return tables_set_fences(transaction, fences->volumes, fences->n_volumes);
}
