/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "fault.h"
#include "scratch.h"
#include "store/object/probe.h"

typedef struct Fixture {
        char *directory;
        ObjectStore *store;
} Fixture;

static void open_store(Fixture *fixture, uint64_t reserve_size) {
        ObjectStoreOptions options = { .inline_max = 4 * KIB };

        options.environment.directory = fixture->directory;
        options.environment.reserve_size = reserve_size;
        assert_int_equal(object_store_open(&options, &fixture->store), 0);
}

static int setup(void **state) {
        Fixture *fixture = calloc(1, sizeof(*fixture));

        fixture->directory = scratch_new();
        open_store(fixture, 0);
        *state = fixture;
        return 0;
}

static int teardown(void **state) {
        Fixture *fixture = *state;

        (void) object_store_free(fixture->store);
        (void) scratch_free(fixture->directory);
        free(fixture);
        return 0;
}

static unsigned n_flushes, n_others;

static void observe(const FaultCall *call) {
        n_flushes += call->kind == FAULT_FLUSH;
        n_others += call->kind == FAULT_LINK || call->kind == FAULT_RENAME ||
                    call->kind == FAULT_UNLINK;
}

TEST(a_store_that_works_passes) {
        Fixture *fixture = *state;

        assert_int_equal(object_store_test(fixture->store, 0, false), 0);
        assert_int_equal(object_store_test(fixture->store, 4 * KIB, false), 0);
        assert_int_equal(object_store_test(fixture->store, 8 * MIB, true), 0);
}

TEST(the_disk_is_flushed_only_if_that_is_asked_for) {
        Fixture *fixture = *state;

        n_flushes = n_others = 0;
        fault_observe(observe);
        assert_int_equal(object_store_test(fixture->store, MIB, false), 0);
        assert_int_equal(n_flushes, 0);
        assert_int_equal(object_store_test(fixture->store, MIB, true), 0);
        fault_observe(NULL);
        assert_int_equal(n_flushes, 1);
        assert_int_equal(n_others, 0); /* what it makes never has a name */
}

TEST(more_than_the_disk_has_is_too_much) {
        Fixture *fixture = *state;
        struct statvfs st;

        assert_int_equal(statvfs(fixture->directory, &st), 0);
        assert_int_equal(
                        object_store_test(
                                        fixture->store, (uint64_t) st.f_blocks * st.f_frsize * 2,
                                        false),
                        -ENOSPC);
        assert_int_equal(object_store_test(fixture->store, MIB, false), 0);
}

/* The file system would give it. Others must not find a full disk meanwhile. */
TEST(what_is_kept_free_is_not_claimed) {
        Fixture *fixture = *state;
        struct statvfs st;
        uint64_t available;

        assert_int_equal(statvfs(fixture->directory, &st), 0);
        available = (uint64_t) st.f_bavail * st.f_frsize;
        fixture->store = object_store_free(fixture->store);
        open_store(fixture, available / 4 * 3);
        assert_int_equal(object_store_test(fixture->store, available / 2, false), -ENOSPC);
        assert_int_equal(object_store_test(fixture->store, MIB, false), 0);
}

/* Its directory was taken away while it was open: what would be stored there could not be found. */
TEST(a_directory_that_is_gone_is_noticed) {
        Fixture *fixture = *state;
        char path[256];

        for (unsigned i = 0; i < 256; i++) {
                (void) snprintf(path, sizeof(path), "%s/objects/%02x", fixture->directory, i);
                assert_int_equal(rmdir(path), 0);
                assert_int_equal(object_store_test(fixture->store, 0, false), -ENOENT);
                assert_int_equal(mkdir(path, 0750), 0);
        }
        /* Another one of that name is not the one that is open. */
        assert_int_equal(object_store_test(fixture->store, 0, false), -ENOENT);
}

TEST(a_directory_that_may_not_be_written_to_is_noticed) {
        Fixture *fixture = *state;

        if (geteuid() == 0)
                skip(); /* who may do everything */

        assert_int_equal(chmod(scratch_path(fixture->directory, "objects/00"), 0550), 0);
        assert_int_equal(object_store_test(fixture->store, 0, false), -EACCES);
        assert_int_equal(chmod(scratch_path(fixture->directory, "objects/00"), 0750), 0);
        assert_int_equal(object_store_test(fixture->store, 0, false), 0);
}

#define RUN(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                RUN(a_store_that_works_passes),
                RUN(the_disk_is_flushed_only_if_that_is_asked_for),
                RUN(more_than_the_disk_has_is_too_much),
                RUN(what_is_kept_free_is_not_claimed),
                RUN(a_directory_that_is_gone_is_noticed),
                RUN(a_directory_that_may_not_be_written_to_is_noticed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
