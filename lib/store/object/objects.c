/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "store/disk/disk.h"
#include "store/environment/committer.h"
#include "store/environment/opening.h"
#include "store/object/objects-internal.h"

#define N_WORKERS 4

Environment *object_store_environment(ObjectStore *store) {
        return store->environment;
}

const uint8_t *object_store_uuid(const ObjectStore *store) {
        return store->uuid;
}

uint64_t object_key(uint64_t version) {
        return htobe64(version);
}

int object_store_counters(ObjectStore *store, ObjectStoreCounters *ret) {
        const atomic_uint_least64_t *counters = store->environment->counters;
        ObjectStoreCounters result = {
                .objects = atomic_load(&counters[COUNTER_OBJECTS]),
                .bytes = atomic_load(&counters[COUNTER_BYTES]),
        };
        int r;

        r = environment_free_space(store->environment, &result.disk_free, &result.disk_size);
        if (r < 0)
                return r;

        *ret = result;
        return 0;
}

static int on_ending(Transaction *transaction, void *userdata) {
        ObjectStore *store = userdata;
        int r;

        r = object_save_reach(transaction, store);
        return r < 0 ? r : values_save(&store->values, transaction);
}

static void on_ended(bool committed, void *userdata) {
        ObjectStore *store = userdata;

        object_reach_ended(committed, store);
        values_ended(&store->values, committed);
}

/* The deletion of the records is on the disk: now the files may go. */
static void on_flushed(void *userdata) {
        ObjectStore *store = userdata;

        reach_show(&store->reach);
        values_flushed(&store->values);
        if (store->deleted.n > 0)
                object_files_remove(store, &store->deleted);
}

static int apply_set(Operation *operation, Transaction *transaction) {
        ObjectStoreSet *set = CONTAINER_OF(operation, ObjectStoreSet, operation);

        return transaction_set_state(transaction, set->name, set->data, set->size);
}

void object_store_set(ObjectStore *store, ObjectStoreSet *set) {
        assert(set->name[0] != '.');

        set->operation.apply = apply_set;
        environment_submit(store->environment, &set->operation);
}

int object_store_get_state(ObjectStore *store, const char *name, Buffer *ret) {
        assert(name[0] != '.');

        return environment_get_state(store->environment, name, ret);
}

static int open_uuid(ObjectStore *store) {
        ObjectStoreSet set = {
                .operation.apply = apply_set,
                .name = ".uuid",
                .data = store->uuid,
                .size = sizeof(store->uuid),
        };
        _cleanup_(buffer_done) Buffer buffer = {};
        int r;

        r = environment_get_state(store->environment, ".uuid", &buffer);
        if (r == -ENOENT) {
                if (getrandom(store->uuid, sizeof(store->uuid), 0) != sizeof(store->uuid))
                        return -errno;
                return environment_run(store->environment, &set.operation);
        }
        if (r < 0)
                return r;
        if (buffer.size != sizeof(store->uuid))
                return -EBADMSG;

        memcpy(store->uuid, buffer.data, sizeof(store->uuid));
        return 0;
}

static int store_new(uint64_t inline_max, ObjectStore **ret) {
        ObjectStore *store;

        store = calloc(1, sizeof(*store));
        if (!store)
                return -ENOMEM;

        store->inline_max = MIN(inline_max, INLINE_MAX);
        store->files_fd = -1;
        for (size_t i = 0; i < DIRECTORIES; i++)
                store->directory_fds[i] = -1;
        workers_init(&store->workers);
        values_init(&store->values);
        compactor_init(&store->compactor, store);
        (void) pthread_mutex_init(&store->claims_mutex, NULL);

        *ret = store;
        return 0;
}

/* What the database and the log of the values hold. */
static int open_database(ObjectStore *store) {
        int r;

        r = environment_open_database(
                        store->environment, "objects" DATABASE_SUFFIX, &store->objects);
        if (r < 0)
                return r;

        store->environment->growing[0] = store->objects;

        r = open_uuid(store);
        if (r < 0)
                return r;

        r = object_open_reach(store);
        if (r < 0)
                return r;

        return object_open_values(store);
}

int object_store_open(const ObjectStoreOptions *options, ObjectStore **ret) {
        _cleanup_(object_store_freep) ObjectStore *store = NULL;
        static const char *const required[] = { "state" DATABASE_SUFFIX, "objects" DATABASE_SUFFIX,
                                                OBJECTS_DIRECTORY, NULL };
        static const char *const others[] = { OBJECTS_DIRECTORY, VALUES_DIRECTORY, NULL };
        EnvironmentHooks hooks = { .required = required,
                                   .others = others,
                                   .format = "objects 3",
                                   .older = { "objects 2", "objects 1" },
                                   .prepare = object_prepare,
                                   .ending = on_ending,
                                   .ended = on_ended,
                                   .flushed = on_flushed };
        int r;

        assert(options);
        assert(ret);

        r = store_new(options->inline_max, &store);
        if (r < 0)
                return r;

        hooks.userdata = store;
        r = environment_open(&options->environment, &hooks, &store->environment);
        if (r < 0)
                return r;

        r = open_database(store);
        if (r < 0)
                return r;

        r = object_files_open(store, store->environment->dir_fd);
        if (r < 0)
                return r;

        r = environment_seal(store->environment);
        if (r < 0)
                return r;

        r = workers_start(&store->workers, N_WORKERS);
        if (r < 0)
                return r;

        r = compactor_start(&store->compactor);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(store);
        return 0;
}

ObjectStore *object_store_free(ObjectStore *store) {
        if (!store)
                return NULL;

        compactor_stop(&store->compactor);

        /* The committer may still find work for the workers, not the other way round. */
        if (store->environment)
                committer_stop(store->environment);
        workers_done(&store->workers);
        environment_free(store->environment);

        object_files_close(store);
        compactor_done(&store->compactor);
        values_done(&store->values);
        (void) pthread_mutex_destroy(&store->claims_mutex);
        free(store->deleted.items);
        free(store);
        return NULL;
}
