/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What an opening costs: how much it writes. */

#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "fault.h"
#include "scratch.h"
#include "store/disk/db-hooks.h"
#include "store/environment/database.h"
#include "store/environment/opening.h"

#define LOG_SIZE (1 * MIB)

typedef struct Fixture {
        char *directory;
        Environment *environment;
} Fixture;

/* How much was written to the log that is watched. */
static uint64_t watched_inode, n_written;

static void count(const FaultCall *call) {
        if (call->kind == FAULT_WRITE && call->inode == watched_inode)
                n_written += call->size;
}

static void open_environment(Fixture *fixture) {
        static const EnvironmentHooks hooks = { .format = "test 1" };
        const EnvironmentOptions options = {
                .directory = fixture->directory,
                .log_size = LOG_SIZE,
                .checkpoint_size = 4 * LOG_SIZE,
        };

        assert_int_equal(environment_open(&options, &hooks, &fixture->environment), 0);
}

static void reopen(Fixture *fixture) {
        fixture->environment = environment_free(fixture->environment);
        n_written = 0;
        open_environment(fixture);
}

static int setup(void **state) {
        Fixture *fixture = calloc(1, sizeof(*fixture));

        fixture->directory = scratch_new();
        watched_inode = 0;
        fault_observe(count);
        open_environment(fixture);
        *state = fixture;
        return 0;
}

static int teardown(void **state) {
        Fixture *fixture = *state;

        fault_observe(NULL);
        environment_free(fixture->environment);
        scratch_free(fixture->directory);
        free(fixture);
        return 0;
}

static int apply_blob(Operation *operation, Transaction *transaction) {
        static const uint8_t blob[64 * KIB] = { 1 };

        return transaction_set_state(transaction, "blob", blob, sizeof(blob));
}

static LogPosition end_of_log(Fixture *fixture) {
        DB_ENV *db_env = fixture->environment->db_env;
        LogPosition end;
        DB_LOG_STAT *stat;

        assert_int_equal(db_env->log_stat(db_env, &stat, 0), 0);
        end = (LogPosition){ stat->st_cur_file, stat->st_cur_offset };
        free(stat);
        return end;
}

/* Until the log is one that was the spare. */
static void go_on_to_a_log_of_full_size(Fixture *fixture) {
        Operation write = { .apply = apply_blob };

        while (end_of_log(fixture).file < 3 || end_of_log(fixture).offset < 100 * KIB)
                assert_int_equal(environment_run(fixture->environment, &write), 0);
}

static const char *log_path(Fixture *fixture, uint32_t number) {
        char name[LOG_NAME_SIZE];

        log_name(number, name);
        return scratch_path(fixture->directory, name);
}

static void watch_log(Fixture *fixture, uint32_t number) {
        struct stat st;

        assert_int_equal(stat(log_path(fixture, number), &st), 0);
        assert_int_equal(st.st_size, LOG_SIZE);
        watched_inode = st.st_ino;
}

TEST(an_environment_that_is_new_has_no_spare_log) {
        Fixture *fixture = *state;

        reopen(fixture);
        assert_int_equal(access(scratch_path(fixture->directory, SPARE_LOG), F_OK), -1);
}

TEST(an_opening_writes_no_zeroes_over_zeroes) {
        Fixture *fixture = *state;
        Operation write = { .apply = apply_blob };
        LogPosition end;

        go_on_to_a_log_of_full_size(fixture);
        end = end_of_log(fixture);
        watch_log(fixture, end.file);

        reopen(fixture);
        assert_in_range(n_written, 0, 64 * KIB);
        assert_int_equal(environment_run(fixture->environment, &write), 0);
        assert_int_equal(end_of_log(fixture).file, end.file);
        assert_true(end_of_log(fixture).offset > end.offset);
        watch_log(fixture, end.file); /* as long as before */
}

/* What is left of a torn write must not look like a record when the log has come there. */
TEST(an_opening_wipes_what_is_behind_the_end) {
        static const uint8_t garbage[KIB] = { [KIB - 1] = 7 };
        Fixture *fixture = *state;
        _cleanup_close_ int fd = -1;
        uint8_t found[KIB];
        LogPosition end;

        go_on_to_a_log_of_full_size(fixture);
        fixture->environment = environment_free(fixture->environment);
        open_environment(fixture);
        end = end_of_log(fixture);
        watch_log(fixture, end.file);
        fd = open(log_path(fixture, end.file), O_RDWR | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(pwrite_all(fd, garbage, KIB, LOG_SIZE - 4 * KIB), 0);

        reopen(fixture);
        assert_in_range(n_written, 64 * KIB, LOG_SIZE);
        assert_int_equal(pread_all(fd, found, KIB, LOG_SIZE - 4 * KIB), KIB);
        assert_int_equal(found[KIB - 1], 0);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                RUN(an_environment_that_is_new_has_no_spare_log),
                RUN(an_opening_writes_no_zeroes_over_zeroes),
                RUN(an_opening_wipes_what_is_behind_the_end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
