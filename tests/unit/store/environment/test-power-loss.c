/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Power is lost at any point of a run, with any part of what was not flushed on the disk: all that
 * was acknowledged is there. $DKV_POWER_STATES: how many states of each scene; many in nightly
 * runs. */

#include "test.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "fault.h"
#include "power.h"
#include "scratch.h"
#include "store/disk/disk.h"
#include "store/index/index.h"
#include "store/index/storage.h"
#include "store/object/objects.h"
#include "store/object/writer.h"

#define STEPS 240
#define KEYS  40

/* In a child there is no cmocka that would catch a failed assertion. */
#define CHECK(condition) \
        do \
                if (!(condition)) { \
                        (void) fprintf(stderr, "line %i: %s (%s)\n", __LINE__, #condition, \
                                       disk_last_damage()); \
                        abort(); \
                } \
        while (false)

/* Small, so that there are checkpoints, several logs, and pages that leave the cache. */
static EnvironmentOptions make_options(const char *directory) {
        return (EnvironmentOptions){
                .directory = directory,
                .log_size = 64 * KIB,
                .checkpoint_size = 64 * KIB,
        };
}

/* The same keys are written again and again, and others are added. */
static unsigned key_of_step(unsigned step) {
        return step % 3 == 0 ? KEYS + step : (step * 7) % KEYS;
}

/* The index */

static int open_index(const char *directory, Index **ret) {
        EnvironmentOptions options = make_options(directory);

        return scratch_open_index(&options, ret);
}

static int commit(Index *index, unsigned step) {
        static char metadata[1500] = "m";
        size_t size = 200 + step * 5;
        char key[16];
        IndexCommit request = {
                .request.done = scratch_answered,
                .key = key,
                .record = {
                        .version = step + 1,
                        .content_type = "",
                        .metadata = metadata,
                        .metadata_size = size,
                        .n_copies = 1,
                        .copies = { 1 },
                },
        };

        memset(metadata + 2, 'v', size - 3);
        metadata[size - 1] = '\0';
        (void) snprintf(key, sizeof(key), "key/%u", key_of_step(step));
        index_commit(index, &request);
        return scratch_wait();
}

static void index_scene(const char *directory) {
        _cleanup_(index_freep) Index *index = NULL;

        CHECK(open_index(directory, &index) == 0);
        for (unsigned step = 0; step < STEPS; step++) {
                CHECK(commit(index, step) == 0);
                fault_acknowledge(0);
                if (step == STEPS / 2) {
                        index = index_free(index);
                        CHECK(open_index(directory, &index) == 0);
                }
        }
}

static uint64_t version_of(Index *index, unsigned key) {
        _cleanup_(buffer_done) Buffer scratch = {};
        char name[16];
        Record record;
        int r;

        (void) snprintf(name, sizeof(name), "key/%u", key);
        r = index_get(index, name, &scratch, &record);
        CHECK(r == 0 || r == -ENOENT);
        return r < 0 ? 0 : record.version;
}

/* Whether the index was open, without any doubt, when so many steps were acknowledged. */
static bool was_open(size_t n_acknowledged) {
        return n_acknowledged > 0 && n_acknowledged < STEPS && n_acknowledged != STEPS / 2 + 1;
}

/* Which step wrote a key last, plus one, when so many were done. */
static void find_last(unsigned n_steps, unsigned ret_last[static KEYS + STEPS]) {
        memset(ret_last, 0, (KEYS + STEPS) * sizeof(*ret_last));
        for (unsigned step = 0; step < n_steps; step++)
                ret_last[key_of_step(step)] = step + 1;
}

static void index_check(const char *directory, const uint8_t *acknowledged, size_t n_acknowledged) {
        _cleanup_(index_freep) Index *index = NULL;
        unsigned last[KEYS + STEPS], next[KEYS + STEPS];

        CHECK(open_index(directory, &index) == 0);
        CHECK(environment_damaged_pages(index_environment(index)) == 0);
        CHECK(environment_was_recovered(index_environment(index)) || !was_open(n_acknowledged));

        find_last((unsigned) n_acknowledged, last);
        find_last((unsigned) MIN(n_acknowledged + 1, (size_t) STEPS), next);
        for (unsigned key = 0; key < KEYS + STEPS; key++) {
                uint64_t version = version_of(index, key);

                CHECK(version == last[key] || version == next[key]);
        }

        CHECK(commit(index, STEPS) == 0);
}

/* Readers: what one of them has seen was told to somebody. */

#define READ_KEY "read"

typedef struct Reading {
        Index *index;
        atomic_bool is_over;
} Reading;

static void *read_on(void *userdata) {
        _cleanup_(buffer_done) Buffer scratch = {};
        Reading *reading = userdata;
        uint64_t last = 0;

        while (!atomic_load(&reading->is_over)) {
                Record record;

                if (index_get(reading->index, READ_KEY, &scratch, &record) < 0 ||
                    record.version <= last)
                        continue;
                last = record.version;
                fault_acknowledge((uint8_t) last);
        }
        return NULL;
}

static void commit_to(Index *index, const char *key, uint64_t version) {
        IndexCommit request = {
                .request.done = scratch_answered,
                .key = key,
                .record = { .version = version,
                            .content_type = "",
                            .metadata = "",
                            .n_copies = 1,
                            .copies = { 1 } },
        };

        index_commit(index, &request);
        CHECK(scratch_wait() == 0);
}

static void readers_scene(const char *directory) {
        _cleanup_(index_freep) Index *index = NULL;
        Reading reading = {};
        pthread_t thread;

        CHECK(open_index(directory, &index) == 0);
        reading.index = index;
        CHECK(pthread_create(&thread, NULL, read_on, &reading) == 0);
        for (unsigned step = 0; step < STEPS; step++)
                commit_to(index, READ_KEY, step + 1);
        atomic_store(&reading.is_over, true);
        CHECK(pthread_join(thread, NULL) == 0);
}

static void readers_check(const char *directory, const uint8_t *seen, size_t n_seen) {
        _cleanup_(buffer_done) Buffer scratch = {};
        _cleanup_(index_freep) Index *index = NULL;
        Record record = {};

        CHECK(open_index(directory, &index) == 0);
        CHECK(index_get(index, READ_KEY, &scratch, &record) == 0 || n_seen == 0);
        CHECK(n_seen == 0 || record.version >= seen[n_seen - 1]);
}

static uint64_t mirror_inode;
static atomic_uint n_mirror_flushes;

static void on_call(const FaultCall *call) {
        if (call->kind == FAULT_FLUSH && call->inode == mirror_inode)
                (void) atomic_fetch_add(&n_mirror_flushes, 1);
}

/* Not only at a clean end: there may be none, and the page that it would be compared with may be
 * damaged. */
TEST(the_mirrors_are_flushed_with_checkpoints) {
        _cleanup_(scratch_freep) char *directory = scratch_new();
        struct stat st;
        Index *index;

        assert_int_equal(open_index(directory, &index), 0);
        assert_ok(stat(scratch_path(directory, "index.mirror"), &st));
        mirror_inode = st.st_ino;
        fault_observe(on_call);
        for (unsigned step = 0; step < STEPS; step++)
                assert_int_equal(commit(index, step), 0);
        assert_true(atomic_load(&n_mirror_flushes) > 0);
        index = index_free(index);
        fault_observe(NULL);
}

/* The object store */

static int open_store(const char *directory, ObjectStore **ret) {
        ObjectStoreOptions options = { .environment = make_options(directory), .inline_max = 4096 };

        return object_store_open(&options, ret);
}

static void on_finished(ObjectWriter *writer, int result, void *userdata) {
        scratch_done(NULL, result);
}

/* Every eighth is a file. */
static size_t size_of_step(unsigned step) {
        return step % 8 == 7 ? 6000 : 100 + step * 11 % 3000;
}

static int put(ObjectStore *store, unsigned step) {
        _cleanup_(object_writer_freep) ObjectWriter *writer = NULL;
        const Record record = { .version = step + 1, .content_type = "", .metadata = "" };
        uint8_t value[6000];
        int r;

        memset(value, (int) step, sizeof(value));
        r = object_writer_new(store, "k", &record, size_of_step(step), &writer);
        if (r >= 0)
                r = object_writer_append(writer, value, size_of_step(step));
        if (r < 0)
                return r;

        object_writer_finish(writer, on_finished, NULL);
        return scratch_wait();
}

static int drop(ObjectStore *store, unsigned step) {
        ObjectDelete request = { .operation.done = scratch_done, .version = step + 1 };

        object_store_delete(store, &request);
        return scratch_wait();
}

/* Every fifth step deletes one of before. */
static bool deletes(unsigned step) {
        return step % 5 == 4;
}

static int run_step(ObjectStore *store, unsigned step) {
        return deletes(step) ? drop(store, step / 5) : put(store, step);
}

static void store_scene(const char *directory) {
        _cleanup_(object_store_freep) ObjectStore *store = NULL;

        CHECK(open_store(directory, &store) == 0);
        for (unsigned step = 0; step < STEPS; step++) {
                int r = run_step(store, step);

                CHECK(r == 0 || (r == -ENOENT && deletes(step)));
                fault_acknowledge(0);
        }
}

static void find_objects(unsigned n_steps, size_t ret_sizes[static STEPS]) {
        memset(ret_sizes, 0, STEPS * sizeof(*ret_sizes));
        for (unsigned step = 0; step < n_steps; step++)
                if (deletes(step))
                        ret_sizes[step / 5] = 0;
                else
                        ret_sizes[step] = size_of_step(step);
}

static size_t size_of(ObjectStore *store, unsigned step) {
        _cleanup_(buffer_done) Buffer scratch = {};
        _cleanup_close_ int fd = -1;
        Object object;
        int r;

        r = object_store_get(store, step + 1, &scratch, &object, &fd);
        CHECK(r == 0 || r == -ENOENT);
        if (r < 0)
                return 0;

        CHECK(object_store_verify(store, step + 1) == 0);
        return object.record.size;
}

static void store_check(const char *directory, const uint8_t *acknowledged, size_t n_acknowledged) {
        _cleanup_(object_store_freep) ObjectStore *store = NULL;
        size_t sizes[STEPS], next[STEPS];

        CHECK(open_store(directory, &store) == 0);
        CHECK(environment_damaged_pages(object_store_environment(store)) == 0);

        find_objects((unsigned) n_acknowledged, sizes);
        find_objects((unsigned) MIN(n_acknowledged + 1, (size_t) STEPS), next);
        for (unsigned step = 0; step < STEPS; step++) {
                size_t size = size_of(store, step);

                CHECK(size == sizes[step] || size == next[step]);
        }

        CHECK(put(store, STEPS) == 0);
}

static void lose_power(const FaultSweep *sweep) {
        const char *states = getenv("DKV_POWER_STATES"), *seed = getenv("DKV_POWER_SEED");
        unsigned n = states ? (unsigned) atoi(states) : 250;

        print_message("%u states\n", n);
        assert_int_equal(power_loss(sweep, n, seed ? (unsigned) atoi(seed) : 1), 0);
}

TEST(the_index_survives_losses_of_power) {
        static const FaultSweep sweep = { index_scene, index_check };

        lose_power(&sweep);
}

TEST(nothing_that_was_read_is_lost_with_the_power) {
        static const FaultSweep sweep = { readers_scene, readers_check };

        lose_power(&sweep);
}

TEST(the_object_store_survives_losses_of_power) {
        static const FaultSweep sweep = { store_scene, store_check };

        lose_power(&sweep);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_mirrors_are_flushed_with_checkpoints),
                cmocka_unit_test(the_index_survives_losses_of_power),
                cmocka_unit_test(nothing_that_was_read_is_lost_with_the_power),
                cmocka_unit_test(the_object_store_survives_losses_of_power),
        };

        if (access("/dev/shm", W_OK) >= 0)
                (void) setenv("TMPDIR", "/dev/shm", 0);

        return cmocka_run_group_tests(tests, NULL, NULL);
}
