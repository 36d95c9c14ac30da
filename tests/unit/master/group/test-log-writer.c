/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The writer of a log, on a real one: in which order, by how many flushes, and what it does when
 * the disk is full or fails. */

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "master/group/log-writer.h"
#include "scratch.h"

static char *directory;
static int dir_fd;
static EntryLog *entries;
static LogWriter *writer;

static atomic_int disk_error;
static atomic_uint n_calls;  /* of entry_log_write() that were begun by the writer */
static atomic_bool is_stuck; /* they wait for the next one */
static sem_t goes_on;

int __real_entry_log_write(EntryLog *log, const ConsensusWrite *writes, size_t n);
int __wrap_entry_log_write(EntryLog *log, const ConsensusWrite *writes, size_t n);

int __wrap_entry_log_write(EntryLog *log, const ConsensusWrite *writes, size_t n) {
        n_calls++;
        while (is_stuck && sem_wait(&goes_on) < 0)
                ;
        return disk_error < 0 ? disk_error : __real_entry_log_write(log, writes, n);
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static void on_progress(void *userdata) {
        (void) pthread_mutex_lock(&lock);
        (void) pthread_cond_broadcast(&changed);
        (void) pthread_mutex_unlock(&lock);
}

static LogProgress progress(void) {
        LogProgress now;

        log_writer_progress(writer, &now);
        return now;
}

#define WAIT_FOR(condition) \
        do { \
                (void) pthread_mutex_lock(&lock); \
                while (!(condition)) \
                        (void) pthread_cond_wait(&changed, &lock); \
                (void) pthread_mutex_unlock(&lock); \
        } while (0)

static int setup(void **state) {
        directory = scratch_new();
        dir_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_ok(dir_fd);
        is_stuck = false;
        disk_error = 0;
        assert_ok(entry_log_open(&(EntryLogOptions){ dir_fd, 1, 4 * KIB }, &entries));
        n_calls = 0;
        assert_ok(sem_init(&goes_on, 0, 0));
        assert_ok(log_writer_new(entries, on_progress, NULL, &writer));
        return 0;
}

static int teardown(void **state) {
        writer = log_writer_free(writer);
        entries = entry_log_free(entries);
        closep(&dir_fd);
        directory = scratch_free(directory);
        return 0;
}

/* Adds an entry of TERM at INDEX, whose bytes are gone when this returns. */
static void add(uint64_t number, uint64_t term, uint64_t index) {
        char *data = strdup("what is in it");
        Entry entry = { term, ENTRY_REQUESTS, (uint32_t) strlen(data), data };

        assert_int_equal(
                        log_writer_write(
                                        writer, &(ConsensusWrite){ .number = number,
                                                                   .first = index,
                                                                   .last = index,
                                                                   .entries = &entry }),
                        0);
        memset(data, 'x', strlen(data));
        free(data);
}

TEST(entries_get_to_the_disk_behind_the_vote_for_their_term) {
        _cleanup_(buffer_done) Buffer scratch = {};
        Entry entry;

        assert_int_equal(log_writer_vote(writer, 1, 2), 0);
        add(1, 1, 1);
        assert_int_equal(log_writer_vote(writer, 2, 3), 0);
        add(2, 2, 2);
        assert_true(log_writer_backlog(writer) > 0);
        log_writer_begin(writer);
        WAIT_FOR(progress().written.number == 2);
        assert_int_equal(progress().votes, 2);
        assert_int_equal(progress().written.last, 2);
        assert_int_equal(progress().error, 0);
        assert_int_equal(entry_log_read(entries, 2, &scratch, &entry), 0);
        assert_int_equal(entry.term, 2);
        assert_memory_equal(entry.data, "what is in it", entry.size);
        writer = log_writer_free(writer);
}

/* Without that the log would refuse the entry. */
TEST(a_vote_that_was_not_added_is_missed) {
        assert_int_equal(log_writer_vote(writer, 1, 2), 0);
        add(1, 2, 1);
        log_writer_begin(writer);
        WAIT_FOR(progress().error < 0);
        assert_int_equal(progress().error, -EINVAL);
        assert_int_equal(progress().votes, 1);
}

TEST(what_waits_gets_to_the_disk_by_one_flush) {
        assert_int_equal(log_writer_vote(writer, 1, 2), 0);
        is_stuck = true;
        add(1, 1, 1);
        log_writer_begin(writer);
        while (n_calls == 0)
                (void) usleep(100);
        for (uint64_t i = 2; i <= 20; i++) {
                add(i, 1, i);
                log_writer_begin(writer);
        }
        is_stuck = false;
        assert_ok(sem_post(&goes_on));
        WAIT_FOR(progress().written.number == 20);
        assert_int_equal(n_calls, 2);
}

TEST(entries_that_are_cut_off_may_still_be_on_their_way) {
        uint64_t term;

        assert_int_equal(log_writer_vote(writer, 1, 2), 0);
        for (uint64_t i = 1; i <= 5; i++)
                add(i, 1, i);
        assert_int_equal(log_writer_vote(writer, 2, 2), 0);
        add(6, 2, 3);
        log_writer_begin(writer);
        WAIT_FOR(progress().written.number == 6);
        assert_int_equal(entry_log_last(entries, &term), 3);
        assert_int_equal(term, 2);
}

TEST(a_full_disk_is_waited_for) {
        assert_int_equal(log_writer_vote(writer, 1, 2), 0);
        disk_error = -ENOSPC;
        add(1, 1, 1);
        log_writer_begin(writer);
        while (n_calls < 2)
                (void) usleep(USEC_PER_MSEC);
        assert_int_equal(progress().written.number, 0);
        assert_true(log_writer_backlog(writer) > 0);
        disk_error = 0;
        WAIT_FOR(progress().written.number == 1);
}

TEST(a_full_disk_does_not_hold_up_the_end) {
        assert_int_equal(log_writer_vote(writer, 1, 2), 0);
        disk_error = -ENOSPC;
        add(1, 1, 1);
        log_writer_begin(writer);
        while (n_calls < 2)
                (void) usleep(USEC_PER_MSEC);
        writer = log_writer_free(writer);
}

TEST(a_disk_that_fails_is_told_of) {
        assert_int_equal(log_writer_vote(writer, 1, 2), 0);
        disk_error = -EIO;
        add(1, 1, 1);
        add(2, 1, 2);
        log_writer_begin(writer);
        WAIT_FOR(progress().error < 0);
        assert_int_equal(progress().error, -EIO);
        assert_int_equal(progress().written.number, 0);
        assert_int_equal(n_calls, 1);
}

TEST(what_was_begun_is_done_at_the_end) {
        uint64_t term;

        assert_int_equal(log_writer_vote(writer, 1, 2), 0);
        for (uint64_t i = 1; i <= 200; i++)
                add(i, 1, i);
        assert_int_equal(log_writer_compact(writer, 150), 0);
        log_writer_begin(writer);
        writer = log_writer_free(writer);
        assert_int_equal(entry_log_last(entries, &term), 200);
        assert_true(entry_log_base(entries, &term) > 0);
        assert_true(entry_log_base(entries, &term) <= 150);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                RUN(entries_get_to_the_disk_behind_the_vote_for_their_term),
                RUN(a_vote_that_was_not_added_is_missed),
                RUN(what_waits_gets_to_the_disk_by_one_flush),
                RUN(entries_that_are_cut_off_may_still_be_on_their_way),
                RUN(a_full_disk_is_waited_for),
                RUN(a_full_disk_does_not_hold_up_the_end),
                RUN(a_disk_that_fails_is_told_of),
                RUN(what_was_begun_is_done_at_the_end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
