/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "store/index/apply/collect.h"
#include "store/index/apply/garbage.h"
#include "store/index/apply/rollback.h"
#include "store/index/apply/rules.h"

/* After a rollback the copy may be all that is left of the value, if what the record names was
 * moved away in the time that the index has lost. */
static int adopt_copy(
                Transaction *transaction,
                const IndexSettle *settle,
                IndexSettleItem *item,
                Record *current) {
        int r;

        r = surplus_find(transaction, item->version, settle->volume);
        if (r != 0 || current->n_copies == COPIES_MAX)
                return MIN(r, 0);

        current->copies[current->n_copies++] = settle->volume;
        item->current = true;
        return tables_put(transaction, item->key, current);
}

static int make_garbage(
                Transaction *transaction, const IndexSettle *settle, const IndexSettleItem *item) {
        int r;

        r = garbage_add(transaction, settle->volume, settle->garbage_due_usec, item->version);
        if (r < 0)
                return r;
        return garbage_add(
                        transaction, INDEX_TOMBSTONES, settle->tombstone_due_usec, item->version);
}

static int settle_item(Transaction *transaction, const IndexSettle *settle, IndexSettleItem *item) {
        uint64_t old_end = tables_of(transaction)->rollback.now.version_end;
        Record current;
        int r;

        /* A record that cannot be read may be about this copy, so the copy stays; the other items
         * do not suffer. */
        r = tables_peek(transaction, item->key, &current);
        item->current = r == -EBADMSG || r == -EPROTONOSUPPORT;
        if (item->current)
                return MIN(transaction->error, 0);
        if (r < 0)
                return transaction_fail(transaction, r);

        switch (rules_settle(r > 0 ? &current : NULL, item->version, settle->volume, old_end)) {
        case SETTLE_CURRENT:
                item->current = true;
                return 0;
        case SETTLE_ADOPT:
                return adopt_copy(transaction, settle, item, &current);
        case SETTLE_KEEP:
                return rollback_keep_unknown(transaction);
        case SETTLE_SURPLUS:
                return surplus_add(
                                transaction, settle->volume, settle->garbage_due_usec,
                                item->version);
        case SETTLE_GARBAGE:
        default:
                return make_garbage(transaction, settle, item);
        }
}

int apply_settle(IndexRequest *request, Transaction *transaction) {
        IndexSettle *settle = CONTAINER_OF(request, IndexSettle, request);
        int r = 0;

        for (size_t i = 0; i < settle->n_items && r >= 0; i++)
                r = settle_item(transaction, settle, &settle->items[i]);
        return r;
}

/* A copy is gone: with the last one of a version that may still be asked for, a tombstone is put
 * up. */
static int forget(Transaction *transaction, const IndexCollected *collected, const Garbage *item) {
        int r;

        r = garbage_delete(transaction, collected->volume, item);
        if (r <= 0 || collected->volume == INDEX_TOMBSTONES)
                return r;
        r = surplus_delete(transaction, item->version, collected->volume);
        if (r < 0)
                return r;
        if (!garbage_is_deadly(collected->volume, item->version) ||
            dead_contains(&tables_of(transaction)->dead, item->version))
                return 0;

        return garbage_add(
                        transaction, INDEX_TOMBSTONES, collected->tombstone_due_usec,
                        item->version);
}

static int put_off(Transaction *transaction, const IndexCollected *collected, const Garbage *item) {
        int r;

        r = garbage_delete(transaction, collected->volume, item);
        if (r <= 0)
                return r;

        return garbage_add(
                        transaction, collected->volume, collected->again_due_usec, item->version);
}

int apply_collected(IndexRequest *request, Transaction *transaction) {
        const IndexCollected *collected = CONTAINER_OF(request, IndexCollected, request);
        int r = 0;

        for (size_t i = 0; i < collected->n_items && r >= 0; i++)
                r = i < collected->n_gone ? forget(transaction, collected, collected->items + i)
                                          : put_off(transaction, collected, collected->items + i);
        return MIN(r, 0);
}
