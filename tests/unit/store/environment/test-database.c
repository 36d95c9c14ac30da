/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "scratch.h"
#include "store/environment/database.h"
#include "store/environment/opening.h"

typedef struct Fixture {
        char *directory;
        Environment *environment;
        DB *database;
        Buffer scratch;
} Fixture;

static void open_environment(Fixture *fixture) {
        static const EnvironmentHooks hooks = { .format = "test 1" };
        EnvironmentOptions options = { .directory = fixture->directory, .log_size = 256 * KIB };

        assert_int_equal(environment_open(&options, &hooks, &fixture->environment), 0);
        assert_int_equal(
                        environment_open_database(
                                        fixture->environment, "test.db", &fixture->database),
                        0);
}

static int setup(void **state) {
        Fixture *fixture = calloc(1, sizeof(*fixture));

        fixture->directory = scratch_new();
        open_environment(fixture);
        *state = fixture;
        return 0;
}

static int teardown(void **state) {
        Fixture *fixture = *state;

        (void) environment_free(fixture->environment);
        (void) scratch_free(fixture->directory);
        buffer_done(&fixture->scratch);
        free(fixture);
        return 0;
}

static void reopen(Fixture *fixture) {
        fixture->environment = environment_free(fixture->environment);
        open_environment(fixture);
}

/* A scene of a test that runs within a transaction. */
typedef struct Scene {
        Operation operation;
        Fixture *fixture;
        int (*play)(Fixture *fixture, Transaction *transaction);
} Scene;

static int apply_scene(Operation *operation, Transaction *transaction) {
        Scene *scene = CONTAINER_OF(operation, Scene, operation);

        return scene->play(scene->fixture, transaction);
}

static int play(Fixture *fixture, int (*function)(Fixture *, Transaction *)) {
        Scene scene = { .operation.apply = apply_scene, .fixture = fixture, .play = function };

        return environment_run(fixture->environment, &scene.operation);
}

static int put(Fixture *fixture, Transaction *transaction, const char *key, const char *value) {
        return transaction_put(
                        transaction, fixture->database, key, strlen(key), value, strlen(value));
}

static int get(Fixture *fixture, const char *key) {
        int r;

        environment_read_lock(fixture->environment);
        r = database_get(
                        fixture->environment, fixture->database, key, strlen(key),
                        &fixture->scratch);
        environment_read_unlock(fixture->environment);
        return r;
}

static void assert_value(Fixture *fixture, const char *key, const char *value) {
        assert_int_equal(get(fixture, key), 0);
        assert_int_equal(fixture->scratch.size, strlen(value));
        assert_memory_equal(fixture->scratch.data, value, strlen(value));
}

static int put_three(Fixture *fixture, Transaction *transaction) {
        assert_int_equal(put(fixture, transaction, "a", "1"), 0);
        assert_int_equal(put(fixture, transaction, "b", "22"), 0);
        assert_int_equal(put(fixture, transaction, "d", ""), 0);
        return 0;
}

TEST(what_is_put_is_read_also_after_a_restart) {
        Fixture *fixture = *state;

        assert_int_equal(play(fixture, put_three), 0);
        for (unsigned i = 0; i < 2; i++) {
                assert_value(fixture, "a", "1");
                assert_value(fixture, "b", "22");
                assert_value(fixture, "d", "");
                assert_int_equal(get(fixture, "c"), -ENOENT);
                reopen(fixture);
        }
}

static int change_three(Fixture *fixture, Transaction *transaction) {
        assert_int_equal(put(fixture, transaction, "a", "one"), 0);
        assert_int_equal(transaction_delete(transaction, fixture->database, "b", 1), 0);
        assert_int_equal(transaction_delete(transaction, fixture->database, "c", 1), -ENOENT);
        assert_int_equal(transaction->error, 0); /* that there is none is an answer */

        /* The transaction sees its own changes. */
        assert_int_equal(
                        transaction_get(transaction, fixture->database, "b", 1,
                                        &transaction->scratch),
                        -ENOENT);
        return transaction_get(transaction, fixture->database, "a", 1, &transaction->scratch);
}

TEST(what_is_replaced_or_deleted_is_no_more) {
        Fixture *fixture = *state;

        assert_int_equal(play(fixture, put_three), 0);
        assert_int_equal(play(fixture, change_three), 0);
        assert_value(fixture, "a", "one");
        assert_int_equal(get(fixture, "b"), -ENOENT);
        assert_value(fixture, "d", "");
}

static int change_and_fail(Fixture *fixture, Transaction *transaction) {
        (void) change_three(fixture, transaction);
        transaction->counters[0] = 5;
        assert_int_equal(transaction_set_state(transaction, "name", "x", 1), 0);
        assert_int_equal(transaction_fail(transaction, -EIO), -EIO);
        assert_int_equal(transaction_fail(transaction, -ENOMEM), -ENOMEM);
        assert_int_equal(transaction->error, -EIO); /* the first one counts */
        return 0;
}

static int insert_two(Fixture *fixture, Transaction *transaction) {
        DB *database = fixture->database;

        assert_int_equal(transaction_insert(transaction, database, "a", 1, "new", 3), -EEXIST);
        assert_int_equal(transaction->error, 0);
        assert_int_equal(transaction_insert(transaction, database, "e", 1, "5", 1), 0);
        return transaction_insert(transaction, database, "e", 1, "again", 5);
}

static int find_and_replace(Fixture *fixture, Transaction *transaction) {
        Place place;

        assert_int_equal(put_three(fixture, transaction), 0);
        assert_int_equal(
                        transaction_find(
                                        transaction, fixture->database, "b", 1,
                                        &transaction->scratch, &place),
                        0);
        assert_int_equal(transaction->scratch.size, 2);
        assert_int_equal(place_replace(transaction, &place, "a longer value", 14), 0);
        assert_int_equal(place_replace(transaction, &place, "short", 5), 0);
        place_close(&place);

        assert_int_equal(
                        transaction_find(
                                        transaction, fixture->database, "c", 1,
                                        &transaction->scratch, &place),
                        -ENOENT);
        return transaction->error;
}

TEST(what_was_found_is_replaced_in_its_place) {
        Fixture *fixture = *state;

        assert_int_equal(play(fixture, find_and_replace), 0);
        for (unsigned i = 0; i < 2; i++) {
                assert_value(fixture, "a", "1");
                assert_value(fixture, "b", "short");
                assert_value(fixture, "d", "");
                reopen(fixture);
        }
}

TEST(what_is_there_is_kept_by_an_insertion) {
        Fixture *fixture = *state;

        assert_int_equal(play(fixture, put_three), 0);
        assert_int_equal(play(fixture, insert_two), -EEXIST);
        assert_value(fixture, "a", "1");
        assert_value(fixture, "e", "5");
}

TEST(a_transaction_that_fails_changes_nothing) {
        Fixture *fixture = *state;

        assert_int_equal(play(fixture, put_three), 0);
        assert_int_equal(play(fixture, change_and_fail), -EIO);
        assert_value(fixture, "a", "1");
        assert_value(fixture, "b", "22");
        assert_int_equal(atomic_load(&fixture->environment->counters[0]), 0);
        assert_int_equal(
                        environment_get_state(fixture->environment, "name", &fixture->scratch),
                        -ENOENT);
}

static int count(Fixture *fixture, Transaction *transaction) {
        transaction->counters[0] += 5;
        transaction->counters[1] -= 2;
        transaction->counters[3] += INT64_MAX;
        return 0;
}

TEST(counters_add_up_and_survive_a_restart) {
        Fixture *fixture = *state;

        for (uint64_t i = 1; i <= 3; i++) {
                const atomic_uint_least64_t *counters = fixture->environment->counters;

                assert_int_equal(play(fixture, count), 0);
                assert_int_equal(atomic_load(&counters[0]), 5 * i);
                assert_true(atomic_load(&counters[1]) == -2 * i);
                assert_int_equal(atomic_load(&counters[2]), 0);
                assert_true(atomic_load(&counters[3]) == INT64_MAX * i);
                reopen(fixture);
        }
        assert_int_equal(atomic_load(&fixture->environment->counters[0]), 15);
}

static const char stored_counters[] = "\x01"
                                      "\x05\x00\x00\x00\x00\x00\x00\x00"
                                      "\xfe\xff\xff\xff\xff\xff\xff\xff"
                                      "\x00\x00\x00\x00\x00\x00\x00\x00"
                                      "\xff\xff\xff\xff\xff\xff\xff\x7f";

TEST(the_stored_form_of_the_counters_is_this) {
        Fixture *fixture = *state;

        assert_int_equal(play(fixture, count), 0);
        assert_int_equal(
                        environment_get_state(fixture->environment, ".counters", &fixture->scratch),
                        0);
        assert_int_equal(fixture->scratch.size, sizeof(stored_counters) - 1);
        assert_memory_equal(fixture->scratch.data, stored_counters, fixture->scratch.size);
}

static int store_unknown_counters(Fixture *fixture, Transaction *transaction) {
        return transaction_set_state(transaction, ".counters", "\x02xxxx", 5);
}

static int store_cut_counters(Fixture *fixture, Transaction *transaction) {
        return transaction_set_state(
                        transaction, ".counters", stored_counters, sizeof(stored_counters) - 2);
}

TEST(counters_of_an_unknown_format_or_cut_are_refused) {
        Fixture *fixture = *state;

        assert_int_equal(play(fixture, store_unknown_counters), 0);
        assert_int_equal(environment_load_counters(fixture->environment), -EPROTONOSUPPORT);
        assert_int_equal(play(fixture, store_cut_counters), 0);
        assert_int_equal(environment_load_counters(fixture->environment), -EBADMSG);
}

static int delete_state(Fixture *fixture, Transaction *transaction) {
        assert_int_equal(transaction_set_state(transaction, "name", "x", 1), 0);
        assert_int_equal(transaction_set_state(transaction, "name", NULL, 0), 0);
        return transaction_set_state(transaction, "never", NULL, 0);
}

TEST(a_blob_of_state_that_is_not_there_may_be_deleted) {
        Fixture *fixture = *state;

        assert_int_equal(play(fixture, delete_state), 0);
        assert_int_equal(
                        environment_get_state(fixture->environment, "name", &fixture->scratch),
                        -ENOENT);
}

/* From nothing to many pages, around the sizes at which the value gets pages of its own and the
 * buffer has to grow. */
static const size_t sizes[] = { 0, 1, 1000, 1023, 1024, 4095, 4096, 4097, 8191, 100000, 1 << 20 };

static int put_sizes(Fixture *fixture, Transaction *transaction) {
        uint8_t *value = malloc(1 << 20);
        int r = 0;

        for (uint32_t i = 0; i < ELEMENTSOF(sizes) && r >= 0; i++) {
                memset(value, (int) i, 1 << 20);
                r = transaction_put(transaction, fixture->database, &i, sizeof(i), value, sizes[i]);
        }
        free(value);
        return r;
}

TEST(values_of_all_sizes_come_back) {
        Fixture *fixture = *state;

        assert_int_equal(play(fixture, put_sizes), 0);
        for (uint32_t i = 0; i < ELEMENTSOF(sizes); i++) {
                environment_read_lock(fixture->environment);
                assert_int_equal(
                                database_get(fixture->environment, fixture->database, &i, sizeof(i),
                                             &fixture->scratch),
                                0);
                environment_read_unlock(fixture->environment);
                assert_int_equal(fixture->scratch.size, sizes[i]);
                for (size_t k = 0; k < sizes[i]; k++)
                        assert_int_equal(fixture->scratch.data[k], i);
        }
}

static int put_numbers(Fixture *fixture, Transaction *transaction) {
        int r = 0;

        for (unsigned i = 0; i < 500 && r >= 0; i++) {
                char key[8];

                (void) snprintf(key, sizeof(key), "%03u", (i * 37) % 500);
                r = put(fixture, transaction, key, key);
        }
        return r;
}

static void assert_entry(const Cursor *cursor, unsigned number, bool has_value) {
        char key[16];

        (void) snprintf(key, sizeof(key), "%03u", number);
        assert_int_equal(cursor->key.size, 3);
        assert_memory_equal(cursor->key.data, key, 3);
        assert_int_equal(cursor->value.size, has_value ? 3 : 0);
}

TEST(a_cursor_goes_through_the_keys_in_their_order) {
        Fixture *fixture = *state;

        assert_int_equal(play(fixture, put_numbers), 0);
        for (unsigned has_value = 0; has_value < 2; has_value++) {
                Cursor cursor;

                environment_read_lock(fixture->environment);
                assert_int_equal(cursor_open(fixture->environment, fixture->database, &cursor), 0);
                if (!has_value)
                        cursor_skip_values(&cursor);

                assert_int_equal(cursor_seek(&cursor, "", 0), 0);
                for (unsigned i = 0; i < 500; i++) {
                        assert_entry(&cursor, i, has_value);
                        assert_int_equal(cursor_next(&cursor), i < 499 ? 0 : -ENOENT);
                }
                assert_int_equal(cursor_seek(&cursor, "2", 1), 0);
                assert_entry(&cursor, 200, has_value);
                assert_int_equal(cursor_seek(&cursor, "123", 3), 0);
                assert_entry(&cursor, 123, has_value);
                assert_int_equal(cursor_seek(&cursor, "1234", 4), 0);
                assert_entry(&cursor, 124, has_value);
                assert_int_equal(cursor_seek(&cursor, "5", 1), -ENOENT);
                assert_int_equal(cursor_last(&cursor), 0);
                assert_entry(&cursor, 499, has_value);
                cursor_close(&cursor);
                environment_read_unlock(fixture->environment);
        }
}

static void assert_slices(Fixture *fixture, unsigned first) {
        _cleanup_(slice_done) Slice slice = {};
        char start[4];
        DBT key, value;
        unsigned i = first;

        (void) snprintf(start, sizeof(start), "%03u", i);
        while (slice_read(fixture->environment, fixture->database, start, 3, &slice) == 0) {
                while (slice_next(&slice, &key, &value)) {
                        (void) snprintf(start, sizeof(start), "%03u", i++);
                        assert_int_equal(key.size, 3);
                        assert_memory_equal(key.data, start, 3);
                        assert_int_equal(value.size, 3);
                }
                (void) snprintf(start, sizeof(start), "%03u", i);
        }
        assert_int_equal(i, 500);
        assert_false(slice_next(&slice, &key, &value));
}

TEST(slices_have_all_keys_in_their_order) {
        Fixture *fixture = *state;

        assert_int_equal(play(fixture, put_numbers), 0);
        environment_read_lock(fixture->environment);
        assert_slices(fixture, 0);
        assert_slices(fixture, 123);
        assert_slices(fixture, 499);
        environment_read_unlock(fixture->environment);
}

static int put_long(Fixture *fixture, Transaction *transaction) {
        static const uint8_t value[100 * KIB];

        assert_int_equal(put(fixture, transaction, "a", "1"), 0);
        assert_int_equal(put(fixture, transaction, "c", "3"), 0);
        return transaction_put(transaction, fixture->database, "b", 1, value, sizeof(value));
}

TEST(a_slice_ends_before_what_has_no_room) {
        Fixture *fixture = *state;
        _cleanup_(slice_done) Slice slice = {};
        DBT key, value;

        assert_int_equal(play(fixture, put_long), 0);
        assert_int_equal(slice_read(fixture->environment, fixture->database, "", 0, &slice), 0);
        assert_true(slice_next(&slice, &key, &value));
        assert_memory_equal(key.data, "a", 1);
        assert_false(slice_next(&slice, &key, &value));
        assert_int_equal(
                        slice_read(fixture->environment, fixture->database, "b", 1, &slice),
                        -ENOBUFS);
        assert_false(slice_next(&slice, &key, &value));
}

TEST(a_cursor_finds_nothing_in_an_empty_database) {
        Fixture *fixture = *state;
        Cursor cursor;

        assert_int_equal(cursor_open(fixture->environment, fixture->database, &cursor), 0);
        assert_int_equal(cursor_seek(&cursor, "", 0), -ENOENT);
        assert_int_equal(cursor_last(&cursor), -ENOENT);
        cursor_close(&cursor);
        cursor_close(&cursor); /* a closed one has nothing left to close */
}

TEST(errors_of_berkeley_db_become_ours) {
        static const struct {
                int db_error, expected;
        } table[] = {
                { 0, 0 },
                { DB_NOTFOUND, -ENOENT },
                { DB_KEYEMPTY, -ENOENT },
                { DB_KEYEXIST, -EEXIST },
                { DB_BUFFER_SMALL, -ENOBUFS },
                { DB_PAGE_NOTFOUND, -EBADMSG },
                { DB_VERIFY_BAD, -EBADMSG },
                { DB_VERSION_MISMATCH, -EPROTONOSUPPORT },
                { DB_OLD_VERSION, -EPROTONOSUPPORT },
                { ENOMEM, -ENOMEM },
                { ENOSPC, -ENOSPC },
                { DB_SECONDARY_BAD, -EIO }, /* one that we do not expect */
        };
        Fixture *fixture = *state;

        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                assert_int_equal(
                                environment_error(fixture->environment, table[i].db_error),
                                table[i].expected);
}

#define RUN(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                RUN(what_is_put_is_read_also_after_a_restart),
                RUN(what_is_replaced_or_deleted_is_no_more),
                RUN(what_was_found_is_replaced_in_its_place),
                RUN(what_is_there_is_kept_by_an_insertion),
                RUN(a_transaction_that_fails_changes_nothing),
                RUN(counters_add_up_and_survive_a_restart),
                RUN(the_stored_form_of_the_counters_is_this),
                RUN(counters_of_an_unknown_format_or_cut_are_refused),
                RUN(a_blob_of_state_that_is_not_there_may_be_deleted),
                RUN(values_of_all_sizes_come_back),
                RUN(a_cursor_goes_through_the_keys_in_their_order),
                RUN(slices_have_all_keys_in_their_order),
                RUN(a_slice_ends_before_what_has_no_room),
                RUN(a_cursor_finds_nothing_in_an_empty_database),
                RUN(errors_of_berkeley_db_become_ours),
        };

        if (access("/dev/shm", W_OK) >= 0)
                (void) setenv("TMPDIR", "/dev/shm", 0);

        return cmocka_run_group_tests(tests, NULL, NULL);
}
