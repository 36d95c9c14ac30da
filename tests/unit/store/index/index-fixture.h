/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* An index in a scratch directory, and changes of it that wait. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "scratch.h"
#include "store/index/apply/rules.h"
#include "store/index/engine/index-internal.h"
#include "store/index/storage.h"
#include "test.h"

#define DUE           UINT64_C(1000000)
#define TOMBSTONE_DUE UINT64_C(2000000)

typedef struct Fixture {
        char *directory;
        Index *index;
        Buffer scratch;
} Fixture;

static inline Index *open_index(const char *directory) {
        IndexOptions options = { .directory = directory };
        Index *index;

        assert_int_equal(index_open(&options, &index), 0);
        return index;
}

static inline int setup(void **state) {
        Fixture *fixture = calloc(1, sizeof(*fixture));

        fixture->directory = scratch_new();
        fixture->index = open_index(fixture->directory);
        *state = fixture;
        return 0;
}

static inline int teardown(void **state) {
        Fixture *fixture = *state;

        index_free(fixture->index);
        scratch_free(fixture->directory);
        buffer_done(&fixture->scratch);
        free(fixture);
        return 0;
}

static inline void reopen(Fixture *fixture) {
        fixture->index = index_free(fixture->index);
        fixture->index = open_index(fixture->directory);
}

/* A record whose checksum says its version, with one copy. */
static inline Record make_record(uint64_t version, uint32_t volume) {
        return (Record){
                .version = version,
                .size = 100 * version,
                .mtime_usec = 1,
                .checksum.bytes = { (uint8_t) version },
                .content_type = "text/plain",
                .metadata = "",
                .n_copies = 1,
                .copies = { volume },
        };
}

static inline int run_commit(Index *index, IndexCommit *commit) {
        commit->request.done = scratch_answered;
        index_commit(index, commit);
        return scratch_wait();
}

static inline int commit(Index *index, const char *key, uint64_t version, uint32_t volume) {
        IndexCommit request = {
                .key = key,
                .record = make_record(version, volume),
                .garbage_due_usec = DUE,
        };

        return run_commit(index, &request);
}

static inline int erase(Index *index, const char *key, const Condition *condition) {
        IndexDelete request = {
                .request.done = scratch_answered,
                .key = key,
                .condition = *condition,
                .garbage_due_usec = DUE,
        };

        index_delete(index, &request);
        return scratch_wait();
}

static inline void assert_current(Fixture *fixture, const char *key, uint64_t version) {
        Record record;

        assert_int_equal(index_get(fixture->index, key, &fixture->scratch, &record), 0);
        assert_int_equal(record.version, version);
        assert_int_equal(record.checksum.bytes[0], (uint8_t) version);
        assert_string_equal(record.content_type, "text/plain");
}

static inline void assert_absent(Fixture *fixture, const char *key) {
        Record record;

        assert_int_equal(index_get(fixture->index, key, &fixture->scratch, &record), -ENOENT);
}

static inline void assert_counters(Index *index, uint64_t keys, uint64_t bytes, uint64_t garbage) {
        IndexCounters counters;

        index_counters(index, &counters);
        assert_int_equal(counters.keys, keys);
        assert_int_equal(counters.bytes, bytes);
        assert_int_equal(counters.garbage, garbage);
}

static inline void assert_garbage(Index *index, uint32_t volume, uint64_t version) {
        Garbage garbage[16];
        int n;

        n = index_garbage(index, volume, DUE, garbage, ELEMENTSOF(garbage));
        assert_ok(n);
        for (int i = 0; i < n; i++)
                if (garbage[i].version == version)
                        return;
        fail_msg("version %d of volume %u is no garbage", (int) version, volume);
}

static inline void fill(Index *index, unsigned n) {
        for (unsigned i = 0; i < n; i++) {
                char key[32];

                (void) snprintf(key, sizeof(key), "key/%04u", i);
                assert_int_equal(commit(index, key, i + 1, 3), 0);
        }
}
