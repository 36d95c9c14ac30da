/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>

#include "scratch.h"
#include "shift.h"
#include "store/format/page.h"
#include "volume/upkeep/pending.h"

#define VALUE_MAX 4000

typedef struct Fixture {
        char *directory;
        ObjectStore *store;
        Pending *pending;
} Fixture;

static void open_store(Fixture *fixture) {
        ObjectStoreOptions options = {
                .environment.directory = fixture->directory,
                .inline_max = VALUE_MAX,
        };

        assert_int_equal(object_store_open(&options, &fixture->store), 0);
}

static void open_pending(Fixture *fixture) {
        assert_int_equal(pending_new(fixture->store, &fixture->pending), 0);
}

/* The store has done all that was submitted when it is free. */
static void close_all(Fixture *fixture) {
        fixture->store = object_store_free(fixture->store);
        fixture->pending = pending_free(fixture->pending);
}

static void reopen(Fixture *fixture) {
        close_all(fixture);
        open_store(fixture);
        open_pending(fixture);
}

static int setup(void **state) {
        Fixture *fixture = calloc(1, sizeof(*fixture));

        fixture->directory = scratch_new();
        open_store(fixture);
        open_pending(fixture);
        *state = fixture;
        return 0;
}

static int teardown(void **state) {
        Fixture *fixture = *state;

        close_all(fixture);
        scratch_free(fixture->directory);
        free(fixture);
        return 0;
}

/* Each version has a value of its own. */
static void make_value(uint64_t version, uint8_t ret[static VALUE_MAX]) {
        for (uint64_t i = 0, x = version; i < VALUE_MAX; i++) {
                x = x * UINT64_C(6364136223846793005) + 1442695040888963407;
                ret[i] = (uint8_t) (x >> 56);
        }
}

static void store_object(Fixture *fixture, uint64_t version, size_t size) {
        _cleanup_(buffer_done) Buffer encoded = {};
        uint8_t value[VALUE_MAX];
        Object object = {
                .record = { .version = version, .size = size, .content_type = "", .metadata = "" },
                .key = "k",
                .is_inline = true,
                .value = value,
        };
        ObjectPut put = { .operation.done = scratch_done };

        make_value(version, value);
        object.record.checksum = checksum_of(value, size);
        object_encode(&object, &encoded);
        put.data = encoded.data;
        put.size = encoded.size;
        object_store_put(fixture->store, &put);
        assert_int_equal(scratch_wait(), 0);
}

/* As a write does it: first into the set, then into the store. */
static void add_and_store(Fixture *fixture, uint64_t version) {
        pending_add(fixture->pending, version);
        store_object(fixture, version, 10);
}

static void assert_pending(Fixture *fixture, const uint64_t *versions, size_t n_versions) {
        uint64_t old[16];

        assert_int_equal(pending_count(fixture->pending), n_versions);
        assert_int_equal(pending_old(fixture->pending, 0, old, ELEMENTSOF(old)), n_versions);
        assert_memory_equal(old, versions, n_versions * sizeof(*versions));
}

#define assert_pending_are(fixture, ...) \
        assert_pending((fixture), (const uint64_t[]){ __VA_ARGS__ }, \
                       ELEMENTSOF(((const uint64_t[]){ __VA_ARGS__ })))

static void assert_none_pending(Fixture *fixture) {
        assert_int_equal(pending_count(fixture->pending), 0);
}

TEST(without_a_mark_all_is_pending_after_a_restart) {
        Fixture *fixture = *state;

        for (uint64_t version = 1; version <= 600; version++)
                add_and_store(fixture, version);
        pending_remove(fixture->pending, 1);
        pending_remove(fixture->pending, 1);
        assert_int_equal(pending_count(fixture->pending), 599);

        reopen(fixture);
        assert_int_equal(pending_count(fixture->pending), 600);
}

TEST(what_is_above_the_mark_is_pending_after_a_restart) {
        Fixture *fixture = *state;

        for (uint64_t version = 1; version <= 4; version++)
                add_and_store(fixture, version);
        pending_remove(fixture->pending, 1);
        pending_remove(fixture->pending, 2);
        pending_remove(fixture->pending, 4);
        pending_save(fixture->pending);

        reopen(fixture);
        assert_pending_are(fixture, 3, 4);

        pending_remove(fixture->pending, 3);
        pending_remove(fixture->pending, 4);
        pending_save(fixture->pending);
        reopen(fixture);
        assert_none_pending(fixture);

        /* Neither does the mark fall by itself. */
        pending_save(fixture->pending);
        add_and_store(fixture, 5);
        reopen(fixture);
        assert_pending_are(fixture, 5);
}

TEST(the_mark_stays_below_what_is_not_stored_yet) {
        Fixture *fixture = *state;

        pending_add(fixture->pending, 7);
        add_and_store(fixture, 8);
        pending_remove(fixture->pending, 8);
        pending_save(fixture->pending);
        store_object(fixture, 7, 10);

        reopen(fixture);
        assert_pending_are(fixture, 7, 8);
}

static uint64_t stored_mark(Fixture *fixture) {
        _cleanup_(buffer_done) Buffer mark = {};
        uint64_t encoded;

        assert_int_equal(object_store_get_state(fixture->store, "settled-version", &mark), 0);
        assert_int_equal(mark.size, sizeof(encoded));
        memcpy(&encoded, mark.data, sizeof(encoded));
        return le64toh(encoded);
}

TEST(the_mark_is_lowered_before_a_late_version_is_stored) {
        Fixture *fixture = *state;

        add_and_store(fixture, 10);
        pending_remove(fixture->pending, 10);
        pending_save(fixture->pending);
        reopen(fixture);
        assert_none_pending(fixture);
        assert_int_equal(stored_mark(fixture), 10);

        add_and_store(fixture, 5); /* waits for the object only */
        assert_int_equal(stored_mark(fixture), 4);
        pending_save(fixture->pending);
        reopen(fixture);
        assert_pending_are(fixture, 5, 10);
}

TEST(the_old_ones_come_in_the_order_in_which_they_came) {
        Fixture *fixture = *state;
        uint64_t old[4];

        pending_add(fixture->pending, 3);
        pending_add(fixture->pending, 1);
        shift_clock(60);
        pending_add(fixture->pending, 2);
        pending_add(fixture->pending, 3); /* is no younger for that */

        assert_pending_are(fixture, 3, 1, 2);
        assert_int_equal(pending_old(fixture->pending, 0, old, 2), 2);
        assert_int_equal(pending_old(fixture->pending, USEC_PER_MIN, old, 4), 2);
        assert_int_equal(old[0], 3);
        assert_int_equal(old[1], 1);
        assert_int_equal(pending_old(fixture->pending, USEC_PER_HOUR, old, 4), 0);

        pending_remove(fixture->pending, 3);
        shift_clock(60);
        assert_int_equal(pending_old(fixture->pending, USEC_PER_MIN, old, 4), 2);
        assert_int_equal(old[0], 1);
        assert_int_equal(old[1], 2);
}

static void *add_and_remove(void *userdata) {
        Pending *pending = userdata;

        for (uint64_t version = 1; version <= 100000; version++) {
                pending_add(pending, version);
                pending_remove(pending, version);
        }
        return NULL;
}

TEST(what_is_added_at_the_moment_is_not_old) {
        Fixture *fixture = *state;
        pthread_t thread;
        uint64_t old;
        size_t n = 0;

        assert_int_equal(pthread_create(&thread, NULL, add_and_remove, fixture->pending), 0);
        while (pthread_tryjoin_np(thread, NULL) == EBUSY)
                n += pending_old(fixture->pending, USEC_PER_HOUR, &old, 1);
        assert_int_equal(n, 0);
}

/* Flips a bit of the value of VERSION while the store is closed. */
static void damage_value(Fixture *fixture, uint64_t version) {
        const char *path = scratch_path(fixture->directory, "values/0000000001");
        uint8_t value[VALUE_MAX];

        make_value(version, value);
        close_all(fixture);
        scratch_flip_bit(path, scratch_find(path, value, 100) + 50);
        open_store(fixture);
}

/* Flips a bit of the page of the database that has VERSION: the last leaf with its key. */
static void damage_page(Fixture *fixture, uint64_t version) {
        const char *path = scratch_path(fixture->directory, "objects.db");
        const uint64_t key = htobe64(version);
        uint8_t page[PAGE_SIZE];
        off_t found = 0;
        int fd;

        close_all(fixture);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        for (off_t at = 0; pread(fd, page, sizeof(page), at) == sizeof(page); at += PAGE_SIZE)
                if (page[25] == 5 /* a leaf */ && memmem(page, sizeof(page), &key, sizeof(key)))
                        found = at;
        (void) close(fd);
        assert_true(found > 0);
        scratch_flip_bit(path, (uint64_t) found + 4000);
        open_store(fixture);
}

static int get_error(Fixture *fixture, uint64_t version) {
        _cleanup_(buffer_done) Buffer scratch = {};
        Object object;
        int fd;

        return object_store_get(fixture->store, version, &scratch, &object, &fd);
}

TEST(a_damaged_value_is_pending_like_any_other) {
        Fixture *fixture = *state;

        for (uint64_t version = 1; version <= 40; version++)
                store_object(fixture, version, VALUE_MAX);
        damage_value(fixture, 11);
        assert_int_equal(get_error(fixture, 11), -EBADMSG);

        open_pending(fixture);
        assert_int_equal(pending_count(fixture->pending), 40);
}

TEST(all_but_damaged_pages_is_pending) {
        Fixture *fixture = *state;
        const uint64_t damaged[] = { 390, 590, 890, 1100 };
        size_t n_damaged = 0;

        /* Some are close to each other, some are far apart. */
        for (uint64_t version = 1; version <= 600; version++)
                store_object(fixture, version, 100);
        for (uint64_t version = 601; version <= 1200; version++)
                store_object(fixture, version * 1000000, 100);
        for (size_t i = 0; i < ELEMENTSOF(damaged); i++)
                damage_page(fixture, damaged[i] > 600 ? damaged[i] * 1000000 : damaged[i]);

        open_pending(fixture);
        for (uint64_t version = 1; version <= 1200; version++)
                n_damaged += get_error(fixture, version > 600 ? version * 1000000 : version) ==
                             -EBADMSG;
        assert_in_range(n_damaged, ELEMENTSOF(damaged), 700);
        assert_int_equal(pending_count(fixture->pending), 1200 - n_damaged);
}

TEST(a_damaged_page_at_the_end_hides_only_itself) {
        Fixture *fixture = *state;

        for (uint64_t version = 1; version <= 600; version++)
                store_object(fixture, version, 100);
        damage_page(fixture, 600);

        open_pending(fixture);
        assert_in_range(pending_count(fixture->pending), 400, 599);
}

TEST(what_was_begun_is_pending_until_it_is_known_not_to_be_there) {
        Fixture *fixture = *state;
        Pending *pending = fixture->pending;

        pending_begin(pending, 7, NULL);
        assert_true(pending_contains(pending, 7));
        pending_end(pending, 7, false);
        assert_false(pending_contains(pending, 7));

        pending_begin(pending, 7, NULL);
        pending_end(pending, 7, true);
        assert_true(pending_contains(pending, 7));

        /* It does not go with somebody else who failed, before or after. */
        pending_begin(pending, 7, NULL);
        pending_end(pending, 7, false);
        assert_true(pending_contains(pending, 7));
        pending_add(pending, 8);
        pending_begin(pending, 8, NULL);
        pending_end(pending, 8, false);
        assert_true(pending_contains(pending, 8));
}

TEST(of_several_that_begin_one_is_enough) {
        Fixture *fixture = *state;
        Pending *pending = fixture->pending;

        for (int success = 0; success < 3; success++) { /* 2 is none */
                pending_begin(pending, 7, NULL);
                pending_begin(pending, 7, NULL);
                pending_end(pending, 7, success == 0);
                assert_true(pending_contains(pending, 7));
                pending_end(pending, 7, success == 1);
                assert_int_equal(pending_contains(pending, 7), success < 2);
                pending_remove(pending, 7);
        }
}

TEST(what_was_removed_meanwhile_stays_so) {
        Fixture *fixture = *state;

        pending_begin(fixture->pending, 7, NULL);
        pending_remove(fixture->pending, 7);
        pending_end(fixture->pending, 7, true);
        assert_none_pending(fixture);
}

TEST(what_is_begun_anew_is_young) {
        Fixture *fixture = *state;
        uint64_t old[4];

        pending_add(fixture->pending, 7);
        pending_add(fixture->pending, 8);
        shift_clock(10);
        pending_begin(fixture->pending, 7, NULL);
        pending_end(fixture->pending, 7, true);
        assert_int_equal(pending_old(fixture->pending, USEC_PER_SEC, old, ELEMENTSOF(old)), 1);
        assert_int_equal(old[0], 8);
}

TEST(the_mark_is_lowered_before_what_was_begun_is_stored) {
        Fixture *fixture = *state;

        add_and_store(fixture, 9);
        pending_remove(fixture->pending, 9);
        pending_save(fixture->pending);
        pending_begin(fixture->pending, 7, NULL);
        store_object(fixture, 7, 10);

        reopen(fixture);
        assert_pending_are(fixture, 7, 9);
}

/* Ten settled objects, and a mark above them. */
static void make_old_ones(Fixture *fixture) {
        for (uint64_t version = 11; version <= 20; version++) {
                add_and_store(fixture, version);
                pending_remove(fixture->pending, version);
        }
        pending_save(fixture->pending);
        reopen(fixture);
        assert_none_pending(fixture);
}

static bool has_list(Fixture *fixture, const char *name) {
        _cleanup_(buffer_done) Buffer list = {};

        return object_store_get_state(fixture->store, name, &list) >= 0;
}

TEST(what_is_on_a_list_needs_no_lower_mark) {
        Fixture *fixture = *state;
        PendingList *list;

        make_old_ones(fixture);
        list = pending_list_new(fixture->pending, (const uint64_t[]){ 3, 4, 5, 15 }, 4);
        assert_non_null(list);
        pending_begin(fixture->pending, 3, list);
        pending_begin(fixture->pending, 4, list);
        pending_begin(fixture->pending, 15, list);
        store_object(fixture, 3, 10);
        pending_end(fixture->pending, 3, true);
        pending_end(fixture->pending, 4, false);
        add_and_store(fixture, 21);
        pending_save(fixture->pending);
        assert_int_equal(stored_mark(fixture), 20);

        /* What never came is not waited for. */
        reopen(fixture);
        assert_pending_are(fixture, 21, 3, 15);
        pending_remove(fixture->pending, 21);
        pending_save(fixture->pending);
        reopen(fixture);
        assert_pending_are(fixture, 3, 15);

        pending_remove(fixture->pending, 15);
        assert_true(has_list(fixture, "pending-0"));
        pending_remove(fixture->pending, 3);
        reopen(fixture);
        assert_none_pending(fixture);
        assert_false(has_list(fixture, "pending-0"));
}

TEST(a_list_lasts_as_long_as_it_is_used) {
        Fixture *fixture = *state;
        PendingList *list;

        make_old_ones(fixture);
        list = pending_list_new(fixture->pending, (const uint64_t[]){ 3 }, 1);
        for (int i = 0; i < 2; i++) {
                pending_begin(fixture->pending, 3, list);
                pending_end(fixture->pending, 3, false);
        }
        pending_begin(fixture->pending, 3, list);
        pending_list_end(fixture->pending, list);
        store_object(fixture, 3, 10);
        reopen(fixture);
        assert_pending_are(fixture, 3);
}

TEST(without_a_list_the_mark_serves) {
        Fixture *fixture = *state;
        uint64_t old = 3;

        assert_null(pending_list_new(fixture->pending, &old, 1)); /* nothing is below the mark */
        make_old_ones(fixture);
        for (int i = 0; i < 256; i++)
                assert_non_null(pending_list_new(fixture->pending, &old, 1));
        assert_null(pending_list_new(fixture->pending, &old, 1));
        pending_list_end(fixture->pending, NULL);

        pending_begin(fixture->pending, 3, NULL);
        store_object(fixture, 3, 10);
        assert_int_equal(stored_mark(fixture), 2);
        reopen(fixture);
        assert_int_equal(pending_count(fixture->pending), 11);
}

TEST(a_mark_of_another_size_is_refused) {
        Fixture *fixture = *state;
        ObjectStoreSet set = {
                .operation.done = scratch_done,
                .name = "settled-version",
                .data = "abc",
                .size = 3,
        };
        Pending *pending;

        object_store_set(fixture->store, &set);
        assert_int_equal(scratch_wait(), 0);
        assert_int_equal(pending_new(fixture->store, &pending), -EBADMSG);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                RUN(without_a_mark_all_is_pending_after_a_restart),
                RUN(what_is_above_the_mark_is_pending_after_a_restart),
                RUN(the_mark_stays_below_what_is_not_stored_yet),
                RUN(the_mark_is_lowered_before_a_late_version_is_stored),
                RUN(the_old_ones_come_in_the_order_in_which_they_came),
                RUN(what_is_added_at_the_moment_is_not_old),
                RUN(a_damaged_value_is_pending_like_any_other),
                RUN(all_but_damaged_pages_is_pending),
                RUN(a_damaged_page_at_the_end_hides_only_itself),
                RUN(what_was_begun_is_pending_until_it_is_known_not_to_be_there),
                RUN(of_several_that_begin_one_is_enough),
                RUN(what_was_removed_meanwhile_stays_so),
                RUN(what_is_begun_anew_is_young),
                RUN(the_mark_is_lowered_before_what_was_begun_is_stored),
                RUN(what_is_on_a_list_needs_no_lower_mark),
                RUN(a_list_lasts_as_long_as_it_is_used),
                RUN(without_a_list_the_mark_serves),
                RUN(a_mark_of_another_size_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
