/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The reach of an object store: see reach.h. */

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "store/object/object-reach.h"
#include "store/object/objects-internal.h"

#define REACH_STATE ".reach"

int object_save_reach(Transaction *transaction, void *userdata) {
        ObjectStore *store = userdata;
        Buffer *scratch = &transaction->scratch;

        if (!reach_has_changed(&store->reach))
                return 0;

        buffer_clear(scratch);
        reach_encode(&store->reach.now, scratch);
        if (buffer_error(scratch) < 0)
                return transaction_fail(transaction, buffer_error(scratch));
        return transaction_set_state(transaction, REACH_STATE, scratch->data, scratch->size);
}

void object_reach_ended(bool committed, void *userdata) {
        ObjectStore *store = userdata;

        if (committed)
                reach_keep(&store->reach);
        else
                reach_undo(&store->reach);
}

/* A store from before there was account of it has come at least as far as the last object in it. */
static int guess_reach(ObjectStore *store, Reach *ret) {
        Cursor cursor;
        int r;

        *ret = (Reach){ .objects = atomic_load(store->environment->counters + COUNTER_OBJECTS) };
        r = cursor_open(store->environment, store->objects, &cursor);
        if (r < 0)
                return r;
        r = cursor_last(&cursor);
        if (r >= 0 && cursor.key.size == sizeof(ret->version)) {
                memcpy(&ret->version, cursor.key.data, sizeof(ret->version));
                ret->version = be64toh(ret->version);
        }
        cursor_close(&cursor);
        return r == -ENOENT || r == -EBADMSG ? 0 : MIN(r, 0);
}

int object_open_reach(ObjectStore *store) {
        _cleanup_(buffer_done) Buffer buffer = {};
        int r;

        r = environment_get_state(store->environment, REACH_STATE, &buffer);
        if (r >= 0)
                r = reach_decode(buffer.data, buffer.size, &store->reach.now);
        else if (r == -ENOENT)
                r = guess_reach(store, &store->reach.now);
        if (r < 0)
                return r;

        store->reach.heard = store->reach.now.revision;
        reach_keep(&store->reach);
        reach_show(&store->reach);
        return 0;
}

Reach object_store_reach(const ObjectStore *store) {
        return reach_shown(&store->reach);
}

static int apply_nothing(Operation *operation, Transaction *transaction) {
        return 0;
}

static void on_noted(Operation *operation, int result) {
        ObjectStore *store = CONTAINER_OF(operation, ObjectStore, note);

        atomic_store(&store->is_noting, false);
}

void object_store_hear(ObjectStore *store, uint64_t revision) {
        (void) reach_hear(&store->reach, revision);
}

void object_store_save_reach(ObjectStore *store) {
        if (atomic_load_explicit(&store->reach.heard, memory_order_relaxed) <=
                            reach_shown(&store->reach).revision ||
            atomic_exchange(&store->is_noting, true))
                return;

        store->note = (Operation){ .apply = apply_nothing, .done = on_noted };
        environment_submit(store->environment, &store->note);
}
