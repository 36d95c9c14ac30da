/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Logs that are made by hand, record by record; test-log-damage has those of Berkeley DB. */

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "scratch.h"
#include "store/format/log-scan.h"
#include "store/format/page.h"

#define ID         UINT64_C(0xabcdef)
#define FIRST_SIZE 28

typedef struct World {
        char *directory;
        int dir_fd;
        Buffer log; /* that is being made */
        uint32_t number;
        uint32_t previous; /* where the last record begins */
        unsigned n_records;
} World;

static int setup(void **state) {
        World *world = calloc(1, sizeof(*world));

        world->directory = scratch_new();
        world->dir_fd = open(world->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_ok(world->dir_fd);
        *state = world;
        return 0;
}

static int teardown(void **state) {
        World *world = *state;

        buffer_done(&world->log);
        closep(&world->dir_fd);
        (void) scratch_free(world->directory);
        free(world);
        return 0;
}

static void add_record(World *world, const void *data, uint32_t size) {
        uint32_t header[3] = { world->previous, size + 12, 0 };

        header[2] = page_hash(data, size) ^ header[0] ^ header[1];
        world->previous = (uint32_t) world->log.size;
        buffer_put(&world->log, header, sizeof(header));
        buffer_put(&world->log, data, size);
        world->n_records++;
}

static void begin_log(World *world, uint32_t number) {
        const uint32_t first[] = { 0x040988, 19, 1 << 20, 0 };

        buffer_clear(&world->log);
        world->number = number;
        add_record(world, first, sizeof(first));
}

/* A record that nobody knows. */
static LogPosition add_other(World *world, uint32_t seed, uint32_t size) {
        uint8_t data[600] = {};
        LogPosition position = { world->number, (uint32_t) world->log.size };

        for (uint32_t i = 16; i < size; i++)
                data[i] = (uint8_t) (seed * 31 + i * 7);
        data[0] = 62;
        add_record(world, data, size);
        return position;
}

static void add_checkpoint(World *world, LogPosition needed) {
        uint32_t data[8] = { 11, 0, 0, 0, needed.file, needed.offset };

        add_record(world, data, sizeof(data));
}

static void add_claim(World *world, uint64_t id, LogPosition flushed) {
        uint8_t data[96] = { 0 };
        int n;

        n = snprintf((char *) data + 38, sizeof(data) - 38, LOG_CLAIM_FORMAT, id, flushed.file,
                     flushed.offset);
        add_record(world, data, 38 + (uint32_t) n);
}

static LogPosition end_of(const World *world) {
        return (LogPosition){ world->number, (uint32_t) world->log.size };
}

static void write_log(World *world) {
        char name[LOG_NAME_SIZE];

        log_name(world->number, name);
        assert_int_equal(
                        write_file(world->dir_fd, name, world->log.data, world->log.size, 0640), 0);
}

static LogMark mark_of(const World *world, LogPosition flushed) {
        return (LogMark){ .id = ID, .flushed = flushed, .needed = { 1, 0 } };
}

static void count(LogPosition position, const void *data, size_t size, void *userdata) {
        (*(unsigned *) userdata)++;
}

static void assert_position(LogPosition position, LogPosition expected) {
        assert_int_equal(position.file, expected.file);
        assert_int_equal(position.offset, expected.offset);
}

/* One log with several kinds of records; returns what was flushed before its last batch. */
static LogPosition make_one_log(World *world) {
        LogPosition flushed;

        begin_log(world, 1);
        (void) add_other(world, 1, 100);
        add_checkpoint(world, (LogPosition){ 1, FIRST_SIZE });
        (void) add_other(world, 2, 333);
        flushed = end_of(world);
        add_claim(world, ID, flushed);
        (void) add_other(world, 3, 64);
        return flushed;
}

TEST(a_directory_without_logs_is_an_empty_log) {
        World *world = *state;
        LogScan scan = {};

        assert_int_equal(log_scan(world->dir_fd, NULL, &scan), 0);
        assert_position(scan.end, (LogPosition){ 0, 0 });
        assert_int_equal(scan.n_bytes, 0);
}

TEST(a_whole_log_is_read_to_its_end) {
        World *world = *state;
        unsigned n = 0;
        LogScan scan = { .on_record = count, .userdata = &n };
        LogMark mark;

        (void) make_one_log(world);
        write_log(world);
        mark = mark_of(world, end_of(world));

        assert_int_equal(log_scan(world->dir_fd, &mark, &scan), 0);
        assert_position(scan.end, end_of(world));
        assert_position(scan.needed, (LogPosition){ 1, FIRST_SIZE });
        assert_true(scan.id == ID);
        assert_int_equal(n, world->n_records - 1); /* the first one is the log's own */
        assert_int_equal(scan.n_bytes, world->log.size);
}

TEST(without_a_mark_the_claims_say_whose_log_it_is) {
        World *world = *state;
        LogScan scan = {};

        (void) make_one_log(world);
        write_log(world);
        assert_int_equal(log_scan(world->dir_fd, NULL, &scan), 0);
        assert_true(scan.id == ID);
}

/* What comes behind the last flush may be there or not, or be torn. What was flushed may not. */
TEST(a_log_that_is_cut_is_damaged_exactly_where_it_was_flushed) {
        World *world = *state;
        LogPosition flushed = make_one_log(world);
        LogMark mark = mark_of(world, flushed);
        size_t whole = world->log.size;

        for (size_t size = whole; size > 0; size--) {
                LogScan scan = {};
                int r;

                world->log.size = size;
                write_log(world);
                r = log_scan(world->dir_fd, &mark, &scan);
                assert_int_equal(r, size >= flushed.offset ? 0 : -EBADMSG);
                if (r < 0) {
                        assert_int_equal(scan.damage.file, 1);
                        assert_non_null(scan.what);
                }
        }
}

TEST(a_flipped_bit_is_damaged_exactly_where_it_was_flushed) {
        World *world = *state;
        LogPosition flushed = make_one_log(world);
        LogMark mark = mark_of(world, flushed);

        for (size_t i = 0; i < world->log.size * 8; i += 3) {
                LogScan scan = {};
                int r;

                world->log.data[i / 8] ^= (uint8_t) (1 << i % 8);
                write_log(world);
                r = log_scan(world->dir_fd, &mark, &scan);
                assert_int_equal(r, i / 8 >= flushed.offset ? 0 : -EBADMSG);
                world->log.data[i / 8] ^= (uint8_t) (1 << i % 8);
        }
}

/* The mark may be lost, or older: then the claim tells how far the log was flushed. */
TEST(a_claim_behind_a_bad_record_shows_that_it_was_flushed) {
        World *world = *state;
        LogPosition bad;
        LogScan scan = {};

        begin_log(world, 1);
        (void) add_other(world, 1, 100);
        bad = add_other(world, 2, 100);
        add_claim(world, ID, end_of(world));
        world->log.data[bad.offset + 50] ^= 1;
        write_log(world);

        assert_int_equal(log_scan(world->dir_fd, NULL, &scan), -EBADMSG);
        assert_position(scan.damage, bad);
}

TEST(a_claim_behind_a_torn_write_that_claims_less_is_no_proof) {
        World *world = *state;
        LogPosition flushed, torn;
        LogScan scan = {};

        begin_log(world, 1);
        (void) add_other(world, 1, 100);
        flushed = end_of(world);
        torn = add_other(world, 2, 100);
        add_claim(world, ID, flushed);
        world->log.data[torn.offset + 50] ^= 1;
        write_log(world);

        assert_int_equal(log_scan(world->dir_fd, NULL, &scan), 0);
        assert_position(scan.end, torn);
}

/* It was written by another environment, and copied here. */
TEST(a_claim_of_another_log_is_damage) {
        World *world = *state;
        LogScan scan = {};

        begin_log(world, 1);
        (void) add_other(world, 1, 100);
        add_claim(world, ID, end_of(world));
        add_claim(world, ID + 1, end_of(world));
        write_log(world);

        assert_int_equal(log_scan(world->dir_fd, NULL, &scan), -EBADMSG);
        assert_string_equal(scan.what, "a record that belongs to another log");
}

TEST(a_claim_that_is_ahead_of_itself_is_damage) {
        World *world = *state;
        LogScan scan = {};
        LogPosition later;

        begin_log(world, 1);
        later = end_of(world);
        later.offset += 1;
        add_claim(world, ID, later);
        write_log(world);
        assert_int_equal(log_scan(world->dir_fd, NULL, &scan), -EBADMSG);
}

/* Three logs of which the second begins where the first was flushed to its end. */
static void make_three_logs(World *world) {
        for (uint32_t number = 1; number <= 3; number++) {
                begin_log(world, number);
                (void) add_other(world, number, 200);
                (void) add_other(world, number + 10, 200);
                write_log(world);
        }
}

TEST(logs_are_one_chain) {
        World *world = *state;
        unsigned n = 0;
        LogScan scan = { .on_record = count, .userdata = &n };
        LogMark mark;

        make_three_logs(world);
        mark = mark_of(world, end_of(world));
        assert_int_equal(log_scan(world->dir_fd, &mark, &scan), 0);
        assert_position(scan.end, end_of(world));
        assert_int_equal(n, 6);
}

TEST(a_log_that_is_missing_is_named) {
        static const uint32_t missing[] = { 1, 2, 3 };

        for (size_t i = 0; i < ELEMENTSOF(missing); i++) {
                World *world = *state;
                char name[LOG_NAME_SIZE];
                LogScan scan = {};
                LogMark mark;

                make_three_logs(world);
                mark = mark_of(world, end_of(world));
                log_name(missing[i], name);
                assert_int_equal(unlinkat(world->dir_fd, name, 0), 0);

                assert_int_equal(log_scan(world->dir_fd, &mark, &scan), -EBADMSG);
                assert_int_equal(scan.damage.file, missing[i]);
                assert_string_equal(scan.what, "a missing file");
        }
}

/* The next log is begun only when this one is on the disk. */
TEST(the_end_of_a_log_with_another_behind_is_no_torn_write) {
        World *world = *state;
        LogScan scan = {};

        make_three_logs(world);
        begin_log(world, 2);
        (void) add_other(world, 2, 200);
        write_log(world); /* without its last record */

        assert_int_equal(log_scan(world->dir_fd, NULL, &scan), -EBADMSG);
        assert_int_equal(scan.damage.file, 2);
}

TEST(a_log_of_which_only_the_name_is_there_is_not_counted) {
        World *world = *state;
        uint8_t zeroes[4096] = {};
        LogPosition end;
        LogScan scan = {};
        LogMark mark;

        make_three_logs(world);
        end = end_of(world);
        mark = mark_of(world, end);
        assert_int_equal(
                        write_file(world->dir_fd, "log.0000000004", zeroes, sizeof(zeroes), 0640),
                        0);
        assert_int_equal(log_scan(world->dir_fd, &mark, &scan), 0);
        assert_position(scan.end, end);
}

TEST(files_that_only_look_like_logs_are_left_alone) {
        static const char *const names[] = { "log.1", "log.00000000009", "log.00000000x9", "log." };
        World *world = *state;
        LogScan scan = {};

        make_three_logs(world);
        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                assert_int_equal(write_file(world->dir_fd, names[i], "x", 1, 0640), 0);
        assert_int_equal(log_scan(world->dir_fd, NULL, &scan), 0);
        assert_position(scan.end, end_of(world));
}

/* A log that takes the place of an old one may have whole records of that behind its end. */
TEST(a_whole_record_that_does_not_follow_the_one_before_is_no_part_of_the_log) {
        World *world = *state;
        LogPosition end;
        LogScan scan = {};
        LogMark mark;

        begin_log(world, 1);
        (void) add_other(world, 1, 100);
        end = end_of(world);
        world->previous = 4711;
        (void) add_other(world, 2, 100);
        write_log(world);

        mark = mark_of(world, end);
        assert_int_equal(log_scan(world->dir_fd, &mark, &scan), 0);
        assert_position(scan.end, end);
        mark = mark_of(world, end_of(world));
        assert_int_equal(log_scan(world->dir_fd, &mark, &scan), -EBADMSG);
        assert_position(scan.damage, end);
}

/* What is before the last checkpoint may be bad, but for where it begins. */
TEST(a_log_that_is_not_needed_may_be_damaged) {
        World *world = *state;
        LogScan scan = {};
        LogMark mark;

        make_three_logs(world);
        mark = mark_of(world, end_of(world));
        mark.needed = (LogPosition){ 3, 100 };
        begin_log(world, 2);
        (void) add_other(world, 2, 200);
        world->log.data[world->log.size - 1] ^= 1;
        write_log(world);
        assert_int_equal(log_scan(world->dir_fd, &mark, &scan), 0);

        world->log.data[4] ^= 1;
        write_log(world);
        assert_int_equal(log_scan(world->dir_fd, &mark, &scan), -EBADMSG);
        assert_string_equal(scan.what, "a bad beginning");
}

TEST(a_log_that_was_full_sized_when_it_was_flushed_is_missed_if_it_is_cut) {
        World *world = *state;
        LogPosition flushed = make_one_log(world);
        LogMark mark = mark_of(world, flushed);
        LogScan scan = {};

        mark.size = (uint32_t) world->log.size + 1;
        write_log(world);
        assert_int_equal(log_scan(world->dir_fd, &mark, &scan), -EBADMSG);
        assert_string_equal(scan.what, "the end of a truncated file");
}

/* Bytes without any sense, of any size: it says what it thinks, and reads nothing that is not
 * there. */
TEST(rubbish_is_survived) {
        World *world = *state;
        uint64_t random = 1;

        for (unsigned round = 0; round < 300; round++) {
                LogMark mark = mark_of(world, (LogPosition){ 1, FIRST_SIZE });
                LogScan scan = {};
                int r;

                (void) make_one_log(world);
                for (unsigned i = 0; i < 1 + round % 20; i++) {
                        random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
                        world->log.data[(random >> 33) %
                                        world->log.size] = (uint8_t) (random >> 24);
                }
                world->log.size = (random >> 40) % world->log.size + 1;
                write_log(world);
                r = log_scan(world->dir_fd, round % 2 ? &mark : NULL, &scan);
                assert_true(r == 0 || r == -EBADMSG);
                assert_true(r == 0 || scan.what);
        }
}

#define RUN(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                RUN(a_directory_without_logs_is_an_empty_log),
                RUN(a_whole_log_is_read_to_its_end),
                RUN(without_a_mark_the_claims_say_whose_log_it_is),
                RUN(a_log_that_is_cut_is_damaged_exactly_where_it_was_flushed),
                RUN(a_flipped_bit_is_damaged_exactly_where_it_was_flushed),
                RUN(a_claim_behind_a_bad_record_shows_that_it_was_flushed),
                RUN(a_claim_behind_a_torn_write_that_claims_less_is_no_proof),
                RUN(a_claim_of_another_log_is_damage),
                RUN(a_claim_that_is_ahead_of_itself_is_damage),
                RUN(logs_are_one_chain),
                RUN(a_log_that_is_missing_is_named),
                RUN(the_end_of_a_log_with_another_behind_is_no_torn_write),
                RUN(a_log_of_which_only_the_name_is_there_is_not_counted),
                RUN(files_that_only_look_like_logs_are_left_alone),
                RUN(a_whole_record_that_does_not_follow_the_one_before_is_no_part_of_the_log),
                RUN(a_log_that_is_not_needed_may_be_damaged),
                RUN(a_log_that_was_full_sized_when_it_was_flushed_is_missed_if_it_is_cut),
                RUN(rubbish_is_survived),
        };

        if (access("/dev/shm", W_OK) >= 0)
                (void) setenv("TMPDIR", "/dev/shm", 0);

        return cmocka_run_group_tests(tests, NULL, NULL);
}
