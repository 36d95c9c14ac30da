/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* By how much the tables may grow. */

#include <stdatomic.h>
#include <sys/statvfs.h>

#include "store/environment/environment-internal.h"
#include "store/index/garbage.h"
#include "store/index/index-fixture.h"

#define N_KEYS 800

/* What the file system says is free; 0 for the truth. */
static atomic_uint_least64_t free_bytes;

int __real_fstatvfs64(int fd, struct statvfs *ret);
int __wrap_fstatvfs64(int fd, struct statvfs *ret);

int __wrap_fstatvfs64(int fd, struct statvfs *ret) {
        uint64_t bytes = atomic_load(&free_bytes);
        int r = __real_fstatvfs64(fd, ret);

        if (r == 0 && bytes > 0)
                ret->f_bavail = bytes / ret->f_frsize;
        return r;
}

/* From now on there is so much above the reserve. */
static void set_room(Fixture *fixture, uint64_t room) {
        Environment *environment = fixture->index->tables.environment;

        atomic_store(&free_bytes, environment->options.reserve_size + room);
        assert_int_equal(erase(fixture->index, "none", &(Condition){}), -ENOENT);
        environment->committer.room.looked_usec = 0; /* a second is over */
}

static void erase_all(Fixture *fixture) {
        for (unsigned i = 0; i < N_KEYS; i++) {
                char key[32];

                (void) snprintf(key, sizeof(key), "key/%04u", i);
                assert_int_equal(erase(fixture->index, key, &(Condition){}), 0);
        }
}

static void collect_all(Fixture *fixture) {
        Garbage garbage[256];
        int n;

        while ((n = index_garbage(fixture->index, 3, DUE, garbage, ELEMENTSOF(garbage))) > 0) {
                IndexCollected collected = {
                        .request.done = scratch_answered,
                        .volume = 3,
                        .items = garbage,
                        .n_gone = (size_t) n,
                        .n_items = (size_t) n,
                };

                index_collected(fixture->index, &collected);
                assert_int_equal(scratch_wait(), 0);
        }
        assert_int_equal(n, 0);
}

static int set_blob(Fixture *fixture, const void *data, size_t size) {
        IndexSet set = {
                .request.done = scratch_answered,
                .name = "blob",
                .data = data,
                .size = size,
        };

        index_set(fixture->index, &set);
        return scratch_wait();
}

/* What is overwritten has to find room as well as what is new. */
TEST(deleted_keys_make_room_once_their_garbage_is_collected) {
        Fixture *fixture = *state;

        fill(fixture->index, N_KEYS);
        set_room(fixture, 0);
        assert_int_equal(commit(fixture->index, "new", 5000, 3), -ENOSPC);

        erase_all(fixture);
        assert_int_equal(commit(fixture->index, "new", 5000, 3), -ENOSPC);

        collect_all(fixture);
        assert_int_equal(commit(fixture->index, "new", 5001, 3), 0);
        assert_current(fixture, "new", 5001);
}

TEST(free_pages_of_other_tables_are_no_room) {
        Fixture *fixture = *state;
        static const uint8_t blob[64 * KIB];

        assert_int_equal(set_blob(fixture, blob, sizeof(blob)), 0);
        assert_int_equal(set_blob(fixture, NULL, 0), 0);
        set_room(fixture, 0);
        assert_int_equal(commit(fixture->index, "new", 1, 3), -ENOSPC);
}

TEST(pages_that_are_not_on_the_disk_yet_need_room) {
        Fixture *fixture = *state;

        fill(fixture->index, N_KEYS);
        set_room(fixture, 32 * KIB);
        assert_int_equal(commit(fixture->index, "new", 5000, 3), -ENOSPC);

        /* After a clean end they are. */
        atomic_store(&free_bytes, 0);
        reopen(fixture);
        set_room(fixture, 32 * KIB);
        assert_int_equal(commit(fixture->index, "new", 5001, 3), 0);
}

static int setup_plenty(void **state) {
        atomic_store(&free_bytes, 0);
        return setup(state);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup_plenty, teardown)
        static const struct CMUnitTest tests[] = {
                RUN(deleted_keys_make_room_once_their_garbage_is_collected),
                RUN(free_pages_of_other_tables_are_no_room),
                RUN(pages_that_are_not_on_the_disk_yet_need_room),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
