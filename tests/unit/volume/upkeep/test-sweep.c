/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>

#include "core/record.h"
#include "scratch.h"
#include "store/object/writer.h"
#include "volume/upkeep/sweep.h"

static char *directory;
static ObjectStore *store;
static Sweep *sweep;

static void open_all(void) {
        ObjectStoreOptions options = { .environment.directory = directory, .inline_max = KIB };

        assert_ok(object_store_open(&options, &store));
        assert_ok(sweep_new(store, &sweep));
}

static void close_all(void) {
        store = object_store_free(store);
        sweep = sweep_free(sweep);
}

static int setup(void **state) {
        directory = scratch_new();
        open_all();
        return 0;
}

static int teardown(void **state) {
        close_all();
        directory = scratch_free(directory);
        return 0;
}

static void on_written(ObjectWriter *writer, int result, void *userdata) {
        scratch_done(NULL, result);
}

static void put(uint64_t version) {
        _cleanup_(object_writer_freep) ObjectWriter *writer = NULL;
        Record record = { .version = version, .content_type = "", .metadata = "" };

        assert_ok(object_writer_new(store, "key", &record, 1, &writer));
        assert_ok(object_writer_append(writer, "x", 1));
        object_writer_finish(writer, on_written, NULL);
        assert_int_equal(scratch_wait(), 0);
}

static void put_many(void) {
        for (uint64_t version = 2; version <= 20; version += 2)
                put(version);
}

TEST(nothing_is_swept_unless_the_master_wants_it) {
        uint64_t versions[4];

        put_many();
        assert_int_equal(sweep_next(sweep, versions, 4), 0);
}

TEST(all_versions_up_to_the_last_are_swept_page_by_page) {
        uint64_t versions[4];

        put_many();
        sweep_hear(sweep, 1, 13);
        assert_int_equal(sweep_next(sweep, versions, 4), 4);
        assert_int_equal(versions[0], 2);
        assert_int_equal(versions[3], 8);
        sweep_done(sweep, 8);
        assert_int_equal(sweep_next(sweep, versions, 4), 2);
        assert_int_equal(versions[0], 10);
        assert_int_equal(versions[1], 12);
        sweep_done(sweep, 12);
        assert_int_equal(sweep_next(sweep, versions, 4), 0);
        assert_int_equal(sweep_next(sweep, versions, 4), 0);
}

TEST(without_an_answer_the_same_page_comes_again) {
        uint64_t versions[4];

        put_many();
        sweep_hear(sweep, 1, 20);
        for (unsigned i = 0; i < 3; i++) {
                assert_int_equal(sweep_next(sweep, versions, 4), 4);
                assert_int_equal(versions[0], 2);
        }
        sweep_done(sweep, 0); /* nothing was asked about */
        assert_int_equal(sweep_next(sweep, versions, 4), 4);
        assert_int_equal(versions[0], 2);
}

TEST(a_token_that_was_heard_before_is_no_news) {
        uint64_t versions[16];

        put_many();
        sweep_hear(sweep, 7, 20);
        sweep_done(sweep, 18);
        sweep_hear(sweep, 7, 20);
        assert_int_equal(sweep_next(sweep, versions, 16), 1);
        sweep_hear(sweep, 8, 6); /* another sweep begins at the beginning */
        assert_int_equal(sweep_next(sweep, versions, 16), 3);
}

TEST(answers_that_come_late_do_not_lead_back) {
        uint64_t versions[16];

        put_many();
        sweep_hear(sweep, 1, 20);
        sweep_done(sweep, 16);
        sweep_done(sweep, 4);
        assert_int_equal(sweep_next(sweep, versions, 16), 2);
        assert_int_equal(versions[0], 18);
        sweep_done(sweep, 1000); /* of another sweep */
        assert_int_equal(sweep_next(sweep, versions, 16), 2);
}

TEST(a_sweep_goes_on_after_a_restart) {
        uint64_t versions[16];

        put_many();
        sweep_hear(sweep, 5, 20);
        sweep_done(sweep, 10);
        close_all();
        open_all();
        assert_int_equal(sweep_next(sweep, versions, 16), 5);
        assert_int_equal(versions[0], 12);
        sweep_hear(sweep, 5, 20);
        assert_int_equal(sweep_next(sweep, versions, 16), 5);
}

TEST(an_empty_page_is_nothing_to_ask_about) {
        uint64_t version;

        put_many();
        sweep_hear(sweep, 1, 20);
        assert_int_equal(sweep_next(sweep, &version, 0), 0);
        assert_int_equal(sweep_next(sweep, &version, 1), 1);
}

TEST(a_state_of_another_size_is_damage) {
        ObjectStoreSet set = {
                .operation.done = scratch_done,
                .name = "sweep",
                .data = "short",
                .size = 5,
        };
        Sweep *made;

        object_store_set(store, &set);
        assert_int_equal(scratch_wait(), 0);
        assert_int_equal(sweep_new(store, &made), -EBADMSG);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                RUN(nothing_is_swept_unless_the_master_wants_it),
                RUN(all_versions_up_to_the_last_are_swept_page_by_page),
                RUN(without_an_answer_the_same_page_comes_again),
                RUN(a_token_that_was_heard_before_is_no_news),
                RUN(answers_that_come_late_do_not_lead_back),
                RUN(a_sweep_goes_on_after_a_restart),
                RUN(an_empty_page_is_nothing_to_ask_about),
                RUN(a_state_of_another_size_is_damage),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
