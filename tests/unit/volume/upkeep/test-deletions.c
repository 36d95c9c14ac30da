/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <semaphore.h>

#include "scratch.h"
#include "volume/upkeep/deletions.h"

static char *directory;
static ObjectStore *store;
static Pending *pending;
static Deletions *deletions;
static sem_t done;

static void open_all(void) {
        ObjectStoreOptions options = { .environment.directory = directory, .inline_max = KIB };

        assert_ok(object_store_open(&options, &store));
        assert_ok(pending_new(store, &pending));
        assert_ok(deletions_new(store, pending, &deletions));
}

static void close_all(void) {
        store = object_store_free(store);
        deletions = deletions_free(deletions);
        pending = pending_free(pending);
}

static int setup(void **state) {
        directory = scratch_new();
        assert_ok(sem_init(&done, 0, 0));
        open_all();
        return 0;
}

static int teardown(void **state) {
        close_all();
        directory = scratch_free(directory);
        return 0;
}

static void on_done(DeletionBatch *batch) {
        assert_ok(sem_post(batch->userdata));
}

static int submit(uint64_t number, uint64_t version, int *ret_error) {
        DeletionBatch *batch = deletion_batch_new(number, version > 0);
        int r;

        assert_non_null(batch);
        batch->done = on_done;
        batch->userdata = &done;
        if (version > 0)
                batch->items[0].version = version;
        r = deletions_submit(deletions, batch);
        if (r >= 0)
                assert_ok(sem_wait(&done));
        *ret_error = batch->error;
        free(batch);
        return r;
}

TEST(a_new_store_has_deleted_nothing) {
        assert_int_equal(deletions_last(deletions), 0);
}

TEST(numbers_only_grow) {
        int error;

        assert_int_equal(submit(5, 0, &error), 0);
        assert_int_equal(error, 0);
        assert_int_equal(submit(5, 0, &error), -ESTALE);
        assert_int_equal(submit(4, 0, &error), -ESTALE);
        assert_int_equal(submit(0, 0, &error), -ESTALE);
        assert_int_equal(submit(6, 0, &error), 0);
        assert_int_equal(deletions_last(deletions), 6);
}

TEST(the_number_survives_a_restart) {
        int error;

        assert_int_equal(submit(1000000, 2, &error), 0);
        close_all();
        open_all();
        assert_int_equal(deletions_last(deletions), 1000000);
        assert_int_equal(submit(999999, 2, &error), -ESTALE);
        assert_int_equal(submit(1000001, 2, &error), 0);
}

TEST(what_was_deleted_is_not_pending) {
        int error;

        pending_add(pending, 8);
        pending_add(pending, 10);
        assert_int_equal(submit(1, 8, &error), 0);
        assert_false(pending_contains(pending, 8));
        assert_true(pending_contains(pending, 10));
}

TEST(what_was_refused_stays_pending) {
        int error;

        assert_int_equal(submit(2, 0, &error), 0);
        pending_add(pending, 8);
        assert_int_equal(submit(1, 8, &error), -ESTALE);
        assert_true(pending_contains(pending, 8));
}

static void store_number(const void *data, size_t size) {
        ObjectStoreSet set = {
                .operation.done = scratch_done,
                .name = "last-deletion",
                .data = data,
                .size = size,
        };

        object_store_set(store, &set);
        assert_int_equal(scratch_wait(), 0);
}

TEST(a_number_of_another_size_is_damage) {
        Deletions *made;

        store_number("1234567", 7);
        assert_int_equal(deletions_new(store, pending, &made), -EBADMSG);
        store_number("12345678", 8);
        assert_int_equal(deletions_new(store, pending, &made), 0);
        (void) deletions_free(made);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                RUN(a_new_store_has_deleted_nothing), RUN(numbers_only_grow),
                RUN(the_number_survives_a_restart),   RUN(what_was_deleted_is_not_pending),
                RUN(what_was_refused_stays_pending),  RUN(a_number_of_another_size_is_damage),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
