/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A log of entries of which something is missing, cut or changed: all of it comes back, or it is
 * said what is wrong. */

#include "store/entries/entries-fixture.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "store/disk/members.h"
#include "store/entries/entry-record.h"
#include "store/log/segment-log.h"

static void assert_missing(Fixture *fixture, const char *name) {
        fixture->log = entry_log_free(fixture->log);
        assert_ok(unlink(path_of(fixture, name)));
        assert_int_equal(open_log(fixture), -ENOMEDIUM);
        assert_string_equal(members_missing(), name);
}

TEST(nothing_is_made_where_something_was) {
        Fixture *fixture = *state;

        write_entries(fixture, 1, 3, 1);
        assert_missing(fixture, "vote");
        assert_ok(unlink(path_of(fixture, "0000000001")));
        assert_int_equal(open_log(fixture), -ENOMEDIUM); /* there is still the mark */
        assert_ok(unlink(path_of(fixture, "mark")));
        assert_int_equal(open_log(fixture), 0);
        fixture->model = (Model){};
        assert_same(fixture);
}

TEST(a_segment_that_is_gone_is_missed) {
        Fixture *fixture = *state;

        assert_missing(fixture, "0000000001");
        assert_ok(unlink(path_of(fixture, "mark")));
        assert_int_equal(open_log(fixture), -ENOMEDIUM);
}

TEST(the_last_segment_is_missed_because_of_the_mark) {
        Fixture *fixture = *state;

        write_entries(fixture, 1, 3, 1);
        reopen(fixture);
        write_entries(fixture, 4, 6, 1);
        assert_missing(fixture, "0000000002");
}

TEST(a_log_is_made_only_if_it_is_wanted) {
        _cleanup_(scratch_freep) char *directory = scratch_new();
        _cleanup_close_ int dir_fd = open_directory(directory);
        EntryLogOptions options = { .dir_fd = dir_fd, .segment_size = SEGMENT_SIZE };
        EntryLog *log;

        assert_int_equal(entry_log_open(&options, &log), -ENOENT);
}

/* Damage */

/* A copy of the log with one bit flipped: all of it comes back, or it is said where it is damaged.
 */
static void flip(const Fixture *fixture, const char *name, uint64_t offset) {
        Fixture *copy = calloc(1, sizeof(*copy));
        int r;

        copy->directory = scratch_copy(fixture->directory);
        copy->dir_fd = open_directory(copy->directory);
        scratch_flip_bit(scratch_path(copy->directory, name), offset);
        disk_note_damage("%s", "");
        r = open_log(copy);
        if (r >= 0) {
                const char *difference = compare(copy->log, &fixture->model);
                ConsensusDisk disk;

                if (difference)
                        fail_msg("%s, offset %lu: %s", name, offset, difference);
                assert_int_equal(entry_log_load(copy->log, &disk), 0);
                assert_int_equal(disk.term, fixture->model.term);
                assert_int_equal(disk.vote, fixture->model.vote);
        } else {
                /* Or a format that only a later release knows. */
                assert_true(r == -EBADMSG || r == -EPROTONOSUPPORT);
                if (r == -EBADMSG)
                        assert_string_not_equal(disk_last_damage(), "");
        }
        (void) entry_log_free(copy->log);
        closep(&copy->dir_fd);
        (void) scratch_free(copy->directory);
        free(copy);
}

static void flip_all(const Fixture *fixture, const char *name) {
        struct stat st;

        assert_ok(stat(path_of(fixture, name), &st));
        for (uint64_t offset = 0; offset < (uint64_t) st.st_size; offset++)
                flip(fixture, name, offset);
}

TEST(any_flipped_bit_is_noticed_or_does_no_harm) {
        Fixture *fixture = *state;

        fixture->model.term = 9;
        fixture->model.vote = 2;
        assert_int_equal(entry_log_vote(fixture->log, 9, 2), 0);
        write_entries(fixture, 1, 2, 1);
        write_entries(fixture, 2, 2, 2);
        reopen(fixture);
        write_entries(fixture, 3, 3, 9);
        fixture->log = entry_log_free(fixture->log);
        flip_all(fixture, "vote");
        flip_all(fixture, "0000000001");
        flip_all(fixture, "0000000002");
        for (uint64_t offset = 0; offset < 64; offset++)
                flip(fixture, "mark", offset);
}

/* What looks like a torn tail and was flushed: the mark knows. */
TEST(what_was_flushed_is_no_torn_tail) {
        Fixture *fixture = *state;
        struct stat st;

        write_entries(fixture, 1, 3, 1);
        fixture->log = entry_log_free(fixture->log);
        assert_ok(stat(path_of(fixture, "0000000001"), &st));
        for (off_t size = st.st_size - 7; size-- > 0;) { /* what is less is padding */
                assert_ok(truncate(path_of(fixture, "0000000001"), size));
                assert_int_equal(open_log(fixture), -EBADMSG);
                assert_string_not_equal(disk_last_damage(), "");
        }
}

/* Closed, with a segment behind it that has nothing in it. */
static void close_with_an_empty_segment(Fixture *fixture) {
        struct stat st;

        write_entries(fixture, 1, 3, 1);
        reopen(fixture);
        assert_int_equal(entry_log_reserve(fixture->log, 1, 1, 1), 0);
        fixture->log = entry_log_free(fixture->log);
        assert_ok(stat(path_of(fixture, "0000000002"), &st));
        assert_int_equal(st.st_size, 0);
}

/* Also while there is a segment behind it that has nothing in it. */
TEST(an_empty_segment_hides_no_damage) {
        Fixture *fixture = *state;
        struct stat st;

        close_with_an_empty_segment(fixture);
        reopen(fixture);
        assert_same(fixture);
        fixture->log = entry_log_free(fixture->log);

        assert_ok(stat(path_of(fixture, "0000000001"), &st));
        scratch_flip_bit(path_of(fixture, "0000000001"), (uint64_t) st.st_size - 20);
        assert_int_equal(open_log(fixture), -EBADMSG);
}

TEST(an_empty_segment_hides_none_that_is_gone) {
        Fixture *fixture = *state;

        close_with_an_empty_segment(fixture);
        assert_ok(unlink(path_of(fixture, "0000000001")));
        assert_int_equal(open_log(fixture), -ENOMEDIUM);
        assert_string_equal(members_missing(), "0000000001");
}

/* Also if the last mark has not reached the disk: a start makes up for it. */
TEST(a_start_marks_what_it_has_found) {
        Fixture *fixture = *state;
        struct stat st;

        close_with_an_empty_segment(fixture);
        assert_ok(unlink(path_of(fixture, "mark")));
        reopen(fixture);
        fixture->log = entry_log_free(fixture->log);
        assert_ok(stat(path_of(fixture, "0000000001"), &st));
        scratch_flip_bit(path_of(fixture, "0000000001"), (uint64_t) st.st_size - 20);
        assert_int_equal(open_log(fixture), -EBADMSG);
}

TEST(damage_is_found_by_who_reads_it) {
        Fixture *fixture = *state;
        _cleanup_(buffer_done) Buffer scratch = {};
        uint8_t content[CONTENT_MAX];
        uint64_t offset;
        Entry entry;

        write_entries(fixture, 1, 9, 1);
        offset = scratch_find(path_of(fixture, "0000000001"), content, make_content(5, 1, content));
        scratch_flip_bit(path_of(fixture, "0000000001"), offset);
        assert_int_equal(entry_log_read(fixture->log, 4, &scratch, &entry), 0);
        assert_int_equal(entry_log_read(fixture->log, 5, &scratch, &entry), -EBADMSG);
        assert_non_null(strstr(disk_last_damage(), "0000000001"));
        fixture->log = entry_log_free(fixture->log);
        assert_int_equal(open_log(fixture), -EBADMSG);
}

static int skip_entry(const LogEntry *entry, LogPosition at, LogPosition behind, void *userdata) {
        (void) entry;
        (void) at;
        (void) behind;
        (void) userdata;
        return 0;
}

TEST(a_record_of_a_later_release_is_no_damage) {
        Fixture *fixture = *state;
        SegmentLogOptions options = { .dir_fd = fixture->dir_fd,
                                      .id = 99,
                                      .segment_size = SEGMENT_SIZE };
        uint8_t kinds[] = { RECORD_BEGIN, RECORD_RESET + 1 }, term[RECORD_TERM_SIZE] = { 1 };
        SegmentLog *log;
        LogPosition at;

        write_entries(fixture, 1, 3, 1);
        fixture->log = entry_log_free(fixture->log);
        assert_int_equal(segment_log_open(&options, (LogPosition){}, skip_entry, NULL, &log), 0);
        for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
                assert_int_equal(segment_log_add(log, kinds[i], 3, term, sizeof(term), &at), 0);
        assert_int_equal(segment_log_append(log), 0);
        (void) segment_log_free(log);

        assert_int_equal(open_log(fixture), -EPROTONOSUPPORT);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        static const struct CMUnitTest tests[] = {
                RUN(nothing_is_made_where_something_was),
                RUN(a_segment_that_is_gone_is_missed),
                RUN(the_last_segment_is_missed_because_of_the_mark),
                RUN(a_log_is_made_only_if_it_is_wanted),
                RUN(any_flipped_bit_is_noticed_or_does_no_harm),
                RUN(what_was_flushed_is_no_torn_tail),
                RUN(an_empty_segment_hides_no_damage),
                RUN(an_empty_segment_hides_none_that_is_gone),
                RUN(a_start_marks_what_it_has_found),
                RUN(damage_is_found_by_who_reads_it),
                RUN(a_record_of_a_later_release_is_no_damage),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
