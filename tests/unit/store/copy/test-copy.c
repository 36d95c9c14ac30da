/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "store/copy/copy-fixture.h"

#include <dirent.h>

#include "store/disk/disk.h"
#include "store/environment/checkpointer.h"
#include "store/format/log-mark.h"

typedef struct Fixture {
        char *directory, *other; /* of the source; where the copy is put */
        Store store;
} Fixture;

static int setup(void **state) {
        Fixture *fixture = calloc(1, sizeof(*fixture));

        fixture->directory = scratch_new();
        fixture->other = scratch_new();
        fixture->store = open_store(fixture->directory);
        *state = fixture;
        return 0;
}

static int teardown(void **state) {
        Fixture *fixture = *state;

        close_store(&fixture->store);
        scratch_free(fixture->directory);
        scratch_free(fixture->other);
        free(fixture);
        return 0;
}

/* The numbers of the logs that there are. */
static void find_logs(const char *directory, uint32_t *ret_first, uint32_t *ret_last) {
        DIR *dir = opendir(directory);
        const struct dirent *entry;

        *ret_first = UINT32_MAX;
        *ret_last = 0;
        while ((entry = readdir(dir))) {
                uint32_t number;

                if (strncmp(entry->d_name, "log.", 4) != 0)
                        continue;
                number = (uint32_t) atoi(entry->d_name + 4);
                *ret_first = MIN(*ret_first, number);
                *ret_last = MAX(*ret_last, number);
        }
        (void) closedir(dir);
}

/* While each piece is on its way the writer gets on, through checkpoints and logs. */
static void copy_under_way(Fixture *fixture, CopySource *source, unsigned n_steps) {
        _cleanup_(copy_target_freep) CopyTarget *target = begin_target(fixture->other);
        Writer writer = {};

        connect_copy(source, target);
        writer_start(&writer, &fixture->store);
        do
                writer_wait(&writer, n_steps);
        while (pass_piece(source, target));
        writer_stop(&writer);
        install(target);
}

TEST(a_copy_is_what_the_source_was_at_one_moment) {
        Fixture *fixture = *state;
        CopySource *source;
        uint64_t before, copied, after;
        uint32_t first, last;

        run_steps(&fixture->store, 3000);
        for (unsigned i = 0; i < 3; i++) {
                source = begin_copy(&fixture->store);
                before = counter_of(&fixture->store);
                copy_under_way(fixture, source, 150);
                after = counter_of(&fixture->store);
                find_logs(fixture->directory, &first, &last);
                source = copy_source_free(source);

                copied = check_directory(fixture->other);
                assert_in_range(copied, before, after);
                assert_true(copied - before > 2000); /* the log was a part of it */
                assert_true(last - first > 10);
                assert_int_equal(check_store(&fixture->store), after);
        }
}

/* As after kill -9 and another start; the log has both lives. */
TEST(a_source_that_was_recovered_can_be_copied) {
        Fixture *fixture = *state;
        CopySource *source;
        char *crashed;

        for (unsigned i = 0; i < 5; i++) {
                run_steps(&fixture->store, 200);
                checkpointer_run(fixture->store.environment); /* what it does now, and all of it */
                checkpointer_run(fixture->store.environment);
                crashed = scratch_copy(fixture->directory);
                close_store(&fixture->store);
                scratch_free(fixture->directory);
                fixture->directory = crashed;
                fixture->store = open_store(fixture->directory);
                assert_true(environment_was_recovered(fixture->store.environment));
                run_steps(&fixture->store, 3);

                source = begin_copy(&fixture->store);
                copy_under_way(fixture, source, 10);
                source = copy_source_free(source);
                (void) check_directory(fixture->other);
        }
}

TEST(a_copy_can_be_copied) {
        Fixture *fixture = *state;
        char *third = scratch_new();
        CopySource *source;
        CopyTarget *target;
        Store copy;

        run_steps(&fixture->store, 500);
        source = begin_copy(&fixture->store);
        copy_under_way(fixture, source, 20);
        source = copy_source_free(source);

        copy = open_store(fixture->other);
        run_steps(&copy, 100);
        source = begin_copy(&copy);
        target = begin_target(third);
        connect_copy(source, target);
        do
                run_steps(&copy, 20);
        while (pass_piece(source, target));
        install(target);
        target = copy_target_free(target);
        source = copy_source_free(source);
        assert_in_range(check_directory(third), 600, counter_of(&copy));
        close_store(&copy);
        third = scratch_free(third);
}

/* Each connection ends after so many bytes, in the middle of a piece or behind it. */
static void copy_in_parts(Fixture *fixture, size_t n_pieces, size_t n_bytes_more) {
        _cleanup_(copy_source_freep) CopySource *source = begin_copy(&fixture->store);
        _cleanup_(copy_target_freep) CopyTarget *target = begin_target(fixture->other);
        uint64_t before = counter_of(&fixture->store);

        while (!copy_target_is_complete(target)) {
                _cleanup_(buffer_done) Buffer cut = {};

                connect_copy(source, target);
                run_steps(&fixture->store, 20);
                for (size_t i = 0; i < n_pieces; i++)
                        (void) pass_piece(source, target);
                if (!copy_target_is_complete(target) && copy_source_next(source, &cut) > 0)
                        assert_int_equal(
                                        copy_target_feed(
                                                        target, cut.data,
                                                        MIN(cut.size, n_bytes_more)),
                                        0);
        }
        install(target);
        target = copy_target_free(target);
        assert_in_range(check_directory(fixture->other), before, counter_of(&fixture->store));
}

TEST(a_copy_goes_on_where_a_connection_broke) {
        Fixture *fixture = *state;

        run_steps(&fixture->store, 1500);
        for (size_t n_pieces = 1; n_pieces < 4; n_pieces++) {
                copy_in_parts(fixture, n_pieces, 0);
                copy_in_parts(fixture, n_pieces, 1);
                copy_in_parts(fixture, n_pieces, 50 * KIB);
        }
}

TEST(what_was_sent_can_be_sent_again) {
        Fixture *fixture = *state;
        CopyTarget *target = begin_target(fixture->other);
        CopySource *source;
        Buffer buffer = {};
        uint64_t end;

        run_steps(&fixture->store, 500);
        source = begin_copy(&fixture->store);

        /* All of it, and nothing has arrived: the pages are newer the second time. */
        assert_int_equal(copy_source_connect(source, (CopyPosition){}, &buffer), 0);
        while (copy_source_next(source, &buffer) > 0)
                buffer_clear(&buffer);
        assert_int_equal(copy_source_next(source, &buffer), 0);
        run_steps(&fixture->store, 1000);

        connect_copy(source, target);
        while (pass_piece(source, target))
                run_steps(&fixture->store, 100);
        end = counter_of(&fixture->store);
        install(target);
        target = copy_target_free(target);
        assert_in_range(check_directory(fixture->other), 1500, end);

        source = copy_source_free(source);
        buffer_done(&buffer);
}

TEST(nobody_goes_on_where_he_cannot_be) {
        Fixture *fixture = *state;
        CopySource *source = begin_copy(&fixture->store);
        Buffer buffer = {};

        assert_int_equal(copy_source_connect(source, (CopyPosition){ 0, 4096 }, &buffer), -EINVAL);
        assert_int_equal(copy_source_connect(source, (CopyPosition){}, &buffer), 0);
        assert_int_equal(copy_source_next(source, &buffer), 1);
        assert_int_equal(copy_source_connect(source, (CopyPosition){ 0, 1 }, &buffer), -EINVAL);
        assert_int_equal(copy_source_connect(source, (CopyPosition){ 1, 4096 }, &buffer), -EINVAL);
        assert_int_equal(copy_source_connect(source, (CopyPosition){ 7, 0 }, &buffer), -EINVAL);
        assert_int_equal(copy_source_connect(source, (CopyPosition){ 1, 0 }, &buffer), 0);

        source = copy_source_free(source);
        buffer_done(&buffer);
}

TEST(a_damaged_page_ends_the_copy) {
        Fixture *fixture = *state;
        CopySource *source;
        Buffer buffer = {};
        int r;

        run_steps(&fixture->store, 500);
        source = begin_copy(&fixture->store);
        scratch_flip_bit(scratch_path(fixture->directory, "test.db"), 77 * PAGE_SIZE + 100);
        assert_int_equal(copy_source_connect(source, (CopyPosition){}, &buffer), 0);
        do
                r = copy_source_next(source, &buffer);
        while (r > 0);
        assert_int_equal(r, -EBADMSG);
        assert_non_null(strstr(disk_last_damage(), "page 77 of '"));
        assert_non_null(strstr(disk_last_damage(), "/test.db'"));

        source = copy_source_free(source);
        buffer_done(&buffer);
}

/* While it is held the first log stays; then it goes. */
TEST(the_log_is_kept_as_long_as_it_is_needed) {
        Fixture *fixture = *state;
        CopySource *source, *other;
        uint32_t first, first_later, last;

        run_steps(&fixture->store, 1000);
        source = begin_copy(&fixture->store);
        find_logs(fixture->directory, &first, &last);
        other = begin_copy(&fixture->store);
        run_steps(&fixture->store, 1000);
        find_logs(fixture->directory, &first_later, &last);
        assert_int_equal(first_later, first);
        assert_true(last > first + 10);

        other = copy_source_free(other);
        run_steps(&fixture->store, 300);
        find_logs(fixture->directory, &first_later, &last);
        assert_int_equal(first_later, first);

        source = copy_source_free(source);
        find_logs(fixture->directory, &first_later, &last);
        assert_true(last < first_later + 5);
        run_steps(&fixture->store, 1000);
        find_logs(fixture->directory, &first, &last);
        assert_true(first > first_later && last < first + 5);
}

/* What ends a copy: then the log goes, although the source is there. */
static void assert_ends(Fixture *fixture, const CopySourceOptions *options, int error) {
        uint32_t first, last;
        CopySource *source;
        Buffer buffer = {};

        run_steps(&fixture->store, 200);
        assert_int_equal(copy_source_new(fixture->store.environment, options, &source), 0);
        run_steps(&fixture->store, 1000);
        find_logs(fixture->directory, &first, &last);
        assert_true(last < first + 8);
        assert_int_equal(copy_source_connect(source, (CopyPosition){}, &buffer), error);
        assert_int_equal(copy_source_next(source, &buffer), error);
        source = copy_source_free(source);
        buffer_done(&buffer);
}

TEST(nobody_keeps_the_log_for_ever) {
        assert_ends(*state, &(CopySourceOptions){ .log_max = NO_LIMIT }, -ESTALE);
}

TEST(nobody_keeps_too_much_of_the_log) {
        assert_ends(*state, &(CopySourceOptions){ .log_max = 1 * MIB, .idle_usec = FOREVER },
                    -EFBIG);
}

TEST(a_rate_is_kept) {
        Fixture *fixture = *state;
        CopySourceOptions options = { .log_max = NO_LIMIT, .idle_usec = FOREVER, .rate = 100 };
        uint64_t size = 5 * PAGE_SIZE;
        CopySource *source;
        Buffer buffer = {};

        assert_int_equal(copy_source_new(fixture->store.environment, &options, &source), 0);
        assert_int_equal(copy_source_connect(source, (CopyPosition){}, &buffer), 0);
        assert_int_equal(copy_source_pause(source), 0);
        size = buffer.size;
        assert_int_equal(copy_source_next(source, &buffer), 1);
        size = buffer.size - size - 48; /* what is around the pages */
        assert_in_range(copy_source_pause(source), size * USEC_PER_SEC / 100 - 30 * USEC_PER_SEC,
                        size * USEC_PER_SEC / 100);
        source = copy_source_free(source);

        source = begin_copy(&fixture->store);
        assert_int_equal(copy_source_connect(source, (CopyPosition){}, &buffer), 0);
        assert_int_equal(copy_source_next(source, &buffer), 1);
        assert_int_equal(copy_source_pause(source), 0);
        source = copy_source_free(source);
        buffer_done(&buffer);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(
                                a_copy_is_what_the_source_was_at_one_moment, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                a_source_that_was_recovered_can_be_copied, setup, teardown),
                cmocka_unit_test_setup_teardown(a_copy_can_be_copied, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                a_copy_goes_on_where_a_connection_broke, setup, teardown),
                cmocka_unit_test_setup_teardown(what_was_sent_can_be_sent_again, setup, teardown),
                cmocka_unit_test_setup_teardown(nobody_goes_on_where_he_cannot_be, setup, teardown),
                cmocka_unit_test_setup_teardown(a_damaged_page_ends_the_copy, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                the_log_is_kept_as_long_as_it_is_needed, setup, teardown),
                cmocka_unit_test_setup_teardown(nobody_keeps_the_log_for_ever, setup, teardown),
                cmocka_unit_test_setup_teardown(nobody_keeps_too_much_of_the_log, setup, teardown),
                cmocka_unit_test_setup_teardown(a_rate_is_kept, setup, teardown),
        };

        if (access("/dev/shm", W_OK) >= 0)
                (void) setenv("TMPDIR", "/dev/shm", 0);

        return cmocka_run_group_tests(tests, NULL, NULL);
}
