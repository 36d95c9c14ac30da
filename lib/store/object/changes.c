/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The object store: storing and deleting objects, and storing again what a crash has cut off. */

#include <endian.h>
#include <errno.h>
#include <semaphore.h>
#include <string.h>

#include "base/clock.h"
#include "store/object/compactor.h"
#include "store/object/objects-internal.h"

/* A batch ends when it stores so much. */
#define BATCH_SIZE ((size_t) (4 * MIB))

static ObjectStore *store_of(const Transaction *transaction) {
        return transaction->environment->hooks.userdata;
}

/* Counts an object that comes, with 1, or goes, with -1. */
static int count(Transaction *transaction, int sign, const Item *item) {
        ObjectStore *store = store_of(transaction);
        int64_t size = (int64_t) entry_size(item->size);

        transaction->counters[COUNTER_OBJECTS] += sign;
        transaction->counters[COUNTER_BYTES] += sign * (int64_t) item->value_size;
        return item->is_pointer ? lives_add(&store->values.lives, transaction, item->place.file,
                                            sign * size)
                                : 0;
}

/* Returns the encoded item, whose error is that of the transaction. */
static const Buffer *encode_item(Transaction *transaction, const Item *item) {
        Buffer *buffer = &store_of(transaction)->values.item;

        buffer_clear(buffer);
        item_encode(item, buffer);
        if (buffer_error(buffer) < 0)
                (void) transaction_fail(transaction, buffer_error(buffer));
        return buffer;
}

int object_put_item(Transaction *transaction, uint64_t version, const Item *item) {
        const Buffer *encoded = encode_item(transaction, item);
        uint64_t key = object_key(version);

        if (buffer_error(encoded) < 0)
                return buffer_error(encoded);
        return transaction_put(
                        transaction, store_of(transaction)->objects, &key, sizeof(key),
                        encoded->data, encoded->size);
}

/* Likewise, unless there is one: then -EEXIST. */
static int insert_item(Transaction *transaction, uint64_t version, const Item *item) {
        const Buffer *encoded = encode_item(transaction, item);
        uint64_t key = object_key(version);

        if (buffer_error(encoded) < 0)
                return buffer_error(encoded);
        return transaction_insert(
                        transaction, store_of(transaction)->objects, &key, sizeof(key),
                        encoded->data, encoded->size);
}

/* The old one, perhaps damaged, is in the transaction's scratch buffer. */
static int replace_object(Transaction *transaction, uint64_t version, const Item *item) {
        ObjectStore *store = store_of(transaction);
        Item old = {};
        bool had_file;
        int r;

        r = item_decode(transaction->scratch.data, transaction->scratch.size, &old);
        had_file = r < 0 || !old.is_inline;
        r = count(transaction, -1, &old);
        if (r >= 0)
                r = count(transaction, 1, item);
        if (r < 0)
                return r;

        if (had_file && item->is_inline)
                (void) versions_add(&store->deleted, version); /* else at the next start */
        return object_put_item(transaction, version, item);
}

/* What an entry of the value log does, now or after a crash. Returns -EEXIST, and what there is in
 * the transaction's scratch buffer, if the version is taken. */
static int apply_entry(
                Transaction *transaction, ValueKind kind, uint64_t version, const Item *item) {
        ObjectStore *store = store_of(transaction);
        uint64_t key = object_key(version);
        int r;

        values_note_applied(&store->values, item->place, item->size);
        r = insert_item(transaction, version, item);
        if (r >= 0) {
                reach_count(&store->reach, version);
                return count(transaction, 1, item);
        }
        if (r != -EEXIST)
                return r;

        r = transaction_get(transaction, store->objects, &key, sizeof(key), &transaction->scratch);
        if (r < 0)
                return r;
        return kind == VALUE_REPLACE ? replace_object(transaction, version, item) : -EEXIST;
}

/* Whether the very same object is there, whose item is in the transaction's scratch buffer. */
static bool is_same(Transaction *transaction, const ObjectPut *put) {
        _cleanup_(buffer_done) Buffer scratch = {};
        const Buffer *found = &transaction->scratch;
        Encoded encoded = { found->data, found->size };
        Item item;

        if (item_decode(found->data, found->size, &item) < 0)
                return false;
        if (item.is_pointer && values_read(&store_of(transaction)->values, put->version, &item,
                                           &scratch, &encoded) < 0)
                return false;

        return encoded.size == put->size && memcmp(encoded.data, put->data, put->size) == 0;
}

static int apply_put(Operation *operation, Transaction *transaction) {
        ObjectPut *put = CONTAINER_OF(operation, ObjectPut, operation);
        const Item item = {
                .is_pointer = true,
                .is_inline = put->is_inline,
                .value_size = put->value_size,
                .place = { put->segment, put->offset },
                .size = (uint32_t) put->size,
        };
        int r;

        if (put->error < 0)
                return put->error;

        assert(put->segment > 0); /* it was prepared */
        r = apply_entry(transaction, put->is_replacing ? VALUE_REPLACE : VALUE_PUT, put->version,
                        &item);

        /* A second try of the same write is fine. */
        return r == -EEXIST && is_same(transaction, put) ? 0 : r;
}

void object_put_submit(ObjectStore *store, ObjectPut *put, const Object *object) {
        put->version = object->record.version;
        put->value_size = object->record.size;
        put->is_inline = object->is_inline;
        put->operation.apply = apply_put;
        environment_submit(store->environment, &put->operation);
}

void object_store_put(ObjectStore *store, ObjectPut *put) {
        Object object = {};

        put->error = object_decode(put->data, put->size, &object);
        if (put->error >= 0)
                put->error = object.is_inline && object.record.size <= INLINE_MAX
                                             ? object_verify(&object)
                                             : -EBADMSG;

        object_put_submit(store, put, &object);
}

static int delete_object(Transaction *transaction, uint64_t version) {
        ObjectStore *store = store_of(transaction);
        uint64_t key = object_key(version);
        Item item = {};
        int r;

        r = transaction_get(transaction, store->objects, &key, sizeof(key), &transaction->scratch);
        if (r == -ENOENT)
                return 0;
        if (r < 0)
                return r;

        /* Whether a damaged record had a file cannot be told; without memory it stays until the
         * next start. */
        r = item_decode(transaction->scratch.data, transaction->scratch.size, &item);
        if (r < 0 || !item.is_inline)
                (void) versions_add(&store->deleted, version);

        r = count(transaction, -1, &item);
        return r < 0 ? r : transaction_delete(transaction, store->objects, &key, sizeof(key));
}

static int apply_delete(Operation *operation, Transaction *transaction) {
        return delete_object(
                        transaction, CONTAINER_OF(operation, ObjectDelete, operation)->version);
}

void object_store_delete(ObjectStore *store, ObjectDelete *deletion) {
        deletion->operation.apply = apply_delete;
        environment_submit(store->environment, &deletion->operation);
}

/* A batch on its way into the log. */
typedef struct Preparation {
        ObjectStore *store;
        uint64_t room;    /* for what the batch stores */
        size_t size;      /* of what was added */
        LogPosition news; /* where a revision is; {} for none */
        bool has_news;    /* a revision has to be stored, too */
        bool is_logged;   /* all of the batch is in the log */
} Preparation;

static int add_put(Preparation *preparation, ObjectPut *put) {
        SegmentLog *log = preparation->store->values.log;
        LogPosition at;
        int r;

        if (put->size > preparation->room)
                return -ENOSPC;

        r = segment_log_add(
                        log, put->is_replacing ? VALUE_REPLACE : VALUE_PUT, put->version, put->data,
                        put->size, &at);
        if (r < 0)
                return r;

        put->segment = at.file;
        put->offset = at.offset;
        preparation->room -= put->size;
        preparation->size += put->size;
        return 0;
}

static void add_news(Preparation *preparation) {
        ObjectStore *store = preparation->store;

        if (segment_log_add(store->values.log, VALUE_REACH, store->reach.now.revision, NULL, 0,
                            &preparation->news) < 0)
                preparation->is_logged = false;
        preparation->has_news = false;
}

static void add_operation(Preparation *preparation, Operation *operation) {
        if (operation->apply == apply_put) {
                ObjectPut *put = CONTAINER_OF(operation, ObjectPut, operation);

                if (put->error < 0)
                        return;
                if (preparation->has_news)
                        add_news(preparation);
                put->error = add_put(preparation, put);
        } else if (relocation_is(operation))
                preparation->size += relocation_add(operation, preparation->store->values.log);
        else
                preparation->is_logged = false;
}

static void fail_all(const Batch *batch, int error) {
        Operation *operation = batch->first;

        for (size_t n = 0; operation && n < batch->max; n++, operation = operation->next) {
                ObjectPut *put = CONTAINER_OF(operation, ObjectPut, operation);

                if (operation->apply == apply_put && put->error >= 0)
                        put->error = error;
                else if (relocation_is(operation))
                        relocation_fail(operation, error);
        }
}

/* How much may be stored. */
static uint64_t find_room(ObjectStore *store) {
        Room *room = &store->values.room;
        uint64_t now = clock_monotonic(), available;

        if (!room_is_certain(room, now)) {
                if (environment_free_space(store->environment, &available, NULL) < 0)
                        return UINT64_MAX; /* the disk will say so when it is written to */
                room_note(room, available, now);
        }
        return room->size;
}

/* A new segment needs an entry, since what a recovery needs of the log begins behind the last one
 * that is applied. */
static void begin_preparation(Preparation *preparation, const Batch *batch) {
        ObjectStore *store = preparation->store;

        if (batch->has_room)
                preparation->room = find_room(store);
        if (atomic_exchange(&store->values.is_rolling, false)) {
                segment_log_seal(store->values.log);
                add_news(preparation);
        }
}

void object_prepare(Batch *batch, void *userdata) {
        ObjectStore *store = userdata;
        Preparation preparation = { .store = store, .is_logged = true };
        Operation *operation = batch->first;
        size_t n = 0;
        int r;

        preparation.has_news = reach_take(&store->reach);
        if (!store->values.log) /* it is being opened */
                return;

        begin_preparation(&preparation, batch);
        for (; operation && n < batch->max && preparation.size < BATCH_SIZE; n++) {
                add_operation(&preparation, operation);
                operation = operation->next;
        }
        batch->max = n;

        room_use(&store->values.room, preparation.size);
        r = segment_log_append(store->values.log);
        if (r < 0)
                fail_all(batch, r);
        else if (preparation.news.file > 0)
                values_note_applied(&store->values, preparation.news, 0); /* it comes first */

        /* That a revision was heard is stored with it, if it was not in the log. */
        batch->is_durable = preparation.is_logged && preparation.size > 0 &&
                            !preparation.has_news && r >= 0;
        store->values.is_batch_logged = batch->is_durable;
}

/* Storing again, when the store is opened: some entries at a time. */

#define REPLAY_MAX 256

typedef struct Replay Replay;

typedef struct Replayed {
        Operation operation;
        Replay *replay; /* not owned */
        ValueKind kind;
        uint64_t tag;
        Item item;
} Replayed;

struct Replay {
        ObjectStore *store;
        Replayed entries[REPLAY_MAX];
        size_t n;
        sem_t done;
        int error; /* the committer's until they are done */
};

static int apply_replayed(Operation *operation, Transaction *transaction) {
        const Replayed *entry = CONTAINER_OF(operation, Replayed, operation);
        ObjectStore *store = entry->replay->store;

        if (entry->kind == VALUE_PUT || entry->kind == VALUE_REPLACE)
                return apply_entry(transaction, entry->kind, entry->tag, &entry->item);

        if (entry->kind == VALUE_REACH)
                store->reach.now.revision = MAX(store->reach.now.revision, entry->tag);
        values_note_applied(&store->values, entry->item.place, entry->item.size);
        return 0;
}

/* What was refused then is refused now; what lies in a damaged page is lost with it. */
static void on_replayed(Operation *operation, int result) {
        Replayed *entry = CONTAINER_OF(operation, Replayed, operation);

        if (result < 0 && result != -EEXIST && result != -EBADMSG)
                entry->replay->error = result;
        (void) sem_post(&entry->replay->done);
}

static int run_replay(Replay *replay) {
        for (size_t i = 0; i < replay->n; i++) {
                replay->entries[i].operation = (Operation){ .apply = apply_replayed,
                                                            .done = on_replayed };
                environment_submit(replay->store->environment, &replay->entries[i].operation);
        }
        for (size_t i = 0; i < replay->n; i++)
                while (sem_wait(&replay->done) < 0)
                        ; /* interrupted by a signal */

        replay->n = 0;
        return replay->error;
}

static int on_entry(const LogEntry *entry, LogPosition at, LogPosition behind, void *userdata) {
        Replay *replay = userdata;
        Object object = {};
        bool is_sound;

        /* Of a damaged object it is known that it should be there. */
        is_sound = !entry->is_damaged && object_decode(entry->data, entry->size, &object) >= 0;
        replay->entries[replay->n++] = (Replayed){
                .replay = replay,
                .kind = entry->kind,
                .tag = entry->tag,
                .item = { .is_pointer = true,
                          .is_inline = !is_sound || object.is_inline,
                          .value_size = is_sound ? object.record.size : 0,
                          .place = at,
                          .size = entry->size },
        };
        return replay->n < REPLAY_MAX ? 0 : run_replay(replay);
}

int object_open_values(ObjectStore *store) {
        _cleanup_free_ Replay *replay = calloc(1, sizeof(*replay));
        int r;

        if (!replay)
                return -ENOMEM;

        replay->store = store;
        (void) sem_init(&replay->done, 0, 0);
        r = values_open(&store->values, store->environment, on_entry, replay);
        if (r >= 0)
                r = run_replay(replay);
        (void) sem_destroy(&replay->done);

        atomic_store(&store->values.needed, store->values.stored.file);
        return r;
}
