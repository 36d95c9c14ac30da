/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is told of an index that was damaged in one way or another between two runs. */

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "daemon/store-log.h"
#include "scratch.h"
#include "store/format/page.h"
#include "store/index/storage.h"

#define KEYS 2000

typedef struct Fixture {
        char *directory;
        Index *index;
        int saved_fd, pipe_fds[2];
        char text[16 * KIB]; /* what was logged */
} Fixture;

/* Seven records or so to a page. */
static void commit(Index *index, unsigned key, uint64_t version) {
        static const char metadata[500] = "m";
        char name[16];
        IndexCommit commit = {
                .request.done = scratch_answered,
                .key = name,
                .record = {
                        .version = version,
                        .content_type = "",
                        .metadata = metadata,
                        .metadata_size = sizeof(metadata),
                },
        };

        (void) snprintf(name, sizeof(name), "key/%u", key);
        index_commit(index, &commit);
        assert_int_equal(scratch_wait(), 0);
}

static int setup(void **state) {
        Fixture *fixture = calloc(1, sizeof(*fixture));
        IndexOptions options = { .directory = fixture->directory = scratch_new() };

        log_set_level(LOG_INFO);
        assert_ok(index_open(&options, &fixture->index));
        for (unsigned i = 0; i < KEYS; i++)
                commit(fixture->index, i, i + 1);
        fixture->index = index_free(fixture->index);
        *state = fixture;
        return 0;
}

static int teardown(void **state) {
        Fixture *fixture = *state;

        (void) index_free(fixture->index);
        scratch_free(fixture->directory);
        free(fixture);
        return 0;
}

/* What goes to stderr goes to a pipe meanwhile. */
static void begin_capture(Fixture *fixture) {
        fixture->saved_fd = dup(STDERR_FILENO);
        assert_ok(pipe2(fixture->pipe_fds, O_CLOEXEC | O_NONBLOCK));
        assert_ok(dup2(fixture->pipe_fds[1], STDERR_FILENO));
}

static void end_capture(Fixture *fixture) {
        ssize_t n = read(fixture->pipe_fds[0], fixture->text, sizeof(fixture->text) - 1);

        fixture->text[MAX(n, 0)] = '\0';
        assert_ok(dup2(fixture->saved_fd, STDERR_FILENO));
        (void) close(fixture->saved_fd);
        (void) close(fixture->pipe_fds[0]);
        (void) close(fixture->pipe_fds[1]);
}

/* Opens the index as a daemon does, and returns what that comes to. */
static int open_index(Fixture *fixture) {
        IndexOptions options = { .directory = fixture->directory };
        int r;

        begin_capture(fixture);
        r = index_open(&options, &fixture->index);
        if (r < 0)
                assert_int_equal(store_log_failure("index", fixture->directory, r), r);
        else
                store_log_opened("index", index_environment(fixture->index));
        end_capture(fixture);
        return r;
}

static void assert_logged(const Fixture *fixture, const char *part) {
        if (!strstr(fixture->text, part))
                fail_msg("'%s' does not say '%s'", fixture->text, part);
}

static unsigned count_logged(const Fixture *fixture, const char *part) {
        unsigned n = 0;

        for (const char *p = fixture->text; (p = strstr(p, part)); p++)
                n++;
        return n;
}

TEST(of_a_store_that_is_whole_there_is_nothing_to_tell) {
        Fixture *fixture = *state;

        assert_int_equal(open_index(fixture), 0);
        assert_string_equal(fixture->text, "");
}

/* Another process writes every key once more, and dies. */
static void end_uncleanly(Fixture *fixture) {
        IndexOptions options = { .directory = fixture->directory };
        Index *index;
        int status;
        pid_t pid = fork();

        if (pid == 0) {
                if (index_open(&options, &index) < 0)
                        _exit(1);
                for (unsigned i = 0; i < KEYS; i++)
                        commit(index, i, KEYS + i + 1);
                _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
}

TEST(an_unclean_end_is_told) {
        Fixture *fixture = *state;

        end_uncleanly(fixture);
        assert_int_equal(open_index(fixture), 0);
        assert_logged(fixture, "The index was not closed by the last run and was recovered.");
}

TEST(a_file_that_is_missing_is_named_and_nothing_is_made_in_its_place) {
        Fixture *fixture = *state;
        const char *path = scratch_path(fixture->directory, "garbage.db");

        assert_ok(unlink(path));
        assert_int_equal(open_index(fixture), -ENOMEDIUM);
        assert_logged(fixture, "'garbage.db' is missing in");
        assert_logged(fixture, fixture->directory);
        assert_logged(fixture, "belongs to this index: is its disk mounted?");
        assert_int_equal(access(scratch_path(fixture->directory, "garbage.db"), F_OK), -1);
}

TEST(a_page_that_was_put_right_is_told) {
        Fixture *fixture = *state;

        scratch_flip_bit(scratch_path(fixture->directory, "index.db"), 100);
        assert_int_equal(open_index(fixture), 0);
        assert_logged(fixture, "1 pages of the databases were torn or damaged and were put right.");
}

TEST(damage_that_keeps_a_store_closed_is_told_with_its_place) {
        Fixture *fixture = *state;

        end_uncleanly(fixture);
        scratch_flip_bit(scratch_path(fixture->directory, "log.0000000001"), 300 * KIB);
        assert_int_equal(open_index(fixture), -EBADMSG);
        assert_logged(fixture, "is damaged and was not opened, nothing was changed: offset ");
        assert_logged(fixture, "log.0000000001");
        assert_logged(fixture, "Failed to open the index in '");
}

TEST(a_store_that_is_in_use_is_left_alone) {
        Fixture *fixture = *state, other = { .directory = fixture->directory };

        assert_int_equal(open_index(fixture), 0);
        assert_int_equal(open_index(&other), -EBUSY);
        assert_logged(&other, "does the daemon run twice?");
}

/* Who reads the log needs to know that there are some, and where; not thousands of lines. */
TEST(damaged_pages_are_named_up_to_a_number) {
        Fixture *fixture = *state;
        const char *path = scratch_path(fixture->directory, "index.db");
        struct stat st;

        end_uncleanly(fixture);
        assert_ok(stat(path, &st));
        for (uint64_t page = 1; page < (uint64_t) st.st_size / PAGE_SIZE; page++)
                scratch_flip_bit(path, page * PAGE_SIZE + 500);

        assert_int_equal(open_index(fixture), 0);
        assert_true(environment_damaged_pages(index_environment(fixture->index)) > 16);
        assert_int_equal(count_logged(fixture, "The database is damaged: page "), 16);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                RUN(of_a_store_that_is_whole_there_is_nothing_to_tell),
                RUN(an_unclean_end_is_told),
                RUN(a_file_that_is_missing_is_named_and_nothing_is_made_in_its_place),
                RUN(a_page_that_was_put_right_is_told),
                RUN(damage_that_keeps_a_store_closed_is_told_with_its_place),
                RUN(a_store_that_is_in_use_is_left_alone),
                RUN(damaged_pages_are_named_up_to_a_number),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
