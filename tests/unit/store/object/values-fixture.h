/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Values fixture: an object store with small segments, and objects whose version says what is in
 * them. */

#include "test.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "scratch.h"
#include "store/disk/disk.h"
#include "store/object/objects-internal.h"

#define VALUE_SIZE 1000

/* In a child there is no cmocka that would catch a failed assertion. */
#define CHECK(condition) \
        do \
                if (!(condition)) { \
                        (void) fprintf(stderr, "line %i: %s (%s)\n", __LINE__, #condition, \
                                       disk_last_damage()); \
                        abort(); \
                } \
        while (false)

typedef struct Fixture {
        char *directory;
        ObjectStore *store;
} Fixture;

static inline int open_store(const char *directory, ObjectStore **ret) {
        const ObjectStoreOptions options = {
                .environment = { .directory = directory,
                                 .log_size = 64 * KIB,
                                 .checkpoint_size = 64 * KIB },
                .inline_max = 4096,
        };

        return object_store_open(&options, ret);
}

static inline int setup(void **state) {
        Fixture *fixture = calloc(1, sizeof(*fixture));

        fixture->directory = scratch_new();
        assert_int_equal(open_store(fixture->directory, &fixture->store), 0);
        *state = fixture;
        return 0;
}

static inline int teardown(void **state) {
        Fixture *fixture = *state;

        (void) object_store_free(fixture->store);
        (void) scratch_free(fixture->directory);
        free(fixture);
        return 0;
}

static inline void reopen(Fixture *fixture) {
        fixture->store = object_store_free(fixture->store);
        assert_int_equal(open_store(fixture->directory, &fixture->store), 0);
}

static inline void make_value(uint64_t version, uint8_t ret[static VALUE_SIZE]) {
        for (size_t i = 0; i < VALUE_SIZE; i++)
                ret[i] = (uint8_t) (version * 7 + i * 13);
}

static inline void encode(uint64_t version, Buffer *buffer) {
        uint8_t value[VALUE_SIZE];
        Object object = {
                .record = { .version = version,
                            .size = VALUE_SIZE,
                            .content_type = "",
                            .metadata = "" },
                .key = "key",
                .is_inline = true,
                .value = value,
        };

        make_value(version, value);
        object.record.checksum = checksum_of(value, VALUE_SIZE);
        object_encode(&object, buffer);
}

static inline int put_mode(ObjectStore *store, uint64_t version, bool is_replacing) {
        _cleanup_(buffer_done) Buffer buffer = {};
        ObjectPut request = { .operation.done = scratch_done, .is_replacing = is_replacing };

        encode(version, &buffer);
        request.data = buffer.data;
        request.size = buffer.size;
        object_store_put(store, &request);
        return scratch_wait();
}

static inline int put(ObjectStore *store, uint64_t version) {
        return put_mode(store, version, false);
}

static inline int drop(ObjectStore *store, uint64_t version) {
        ObjectDelete request = { .operation.done = scratch_done, .version = version };

        object_store_delete(store, &request);
        return scratch_wait();
}

static inline int get(ObjectStore *store, uint64_t version) {
        _cleanup_(buffer_done) Buffer scratch = {};
        _cleanup_close_ int fd = -1;
        uint8_t value[VALUE_SIZE];
        Object object;
        int r;

        r = object_store_get(store, version, &scratch, &object, &fd);
        if (r < 0)
                return r;

        make_value(version, value);
        CHECK(object.is_inline && object.record.version == version);
        CHECK(object.record.size == VALUE_SIZE && memcmp(object.value, value, VALUE_SIZE) == 0);
        return 0;
}

static inline int compact(ObjectStore *store, uint64_t now_usec) {
        return compactor_run(&store->compactor, now_usec);
}

/* What the segments take. */
static inline uint64_t kept(ObjectStore *store) {
        uint64_t total = 0;
        uint32_t size;

        for (uint32_t n = 0; (n = segment_log_next(store->values.log, n, &size)) > 0;)
                total += size;
        return total;
}

static inline void put_all(Fixture *fixture, uint64_t first, uint64_t n) {
        for (uint64_t version = first; version < first + n; version++)
                assert_int_equal(put(fixture->store, version), 0);
}
