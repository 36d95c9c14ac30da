/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>

#include "scratch.h"
#include "store/index/index.h"
#include "store/index/storage.h"

#define KEYS 200

/* Everything takes two seconds. */
static atomic_bool is_slow;
static atomic_uint n_looks;

int __real_clock_gettime(clockid_t clock, struct timespec *ret);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret);

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret) {
        int r = __real_clock_gettime(clock, ret);

        if (is_slow && clock == CLOCK_MONOTONIC)
                ret->tv_sec += 2 * ++n_looks;
        return r;
}

/* What the last opening said. */
static unsigned n_progress, last_percent;

static void on_progress(unsigned percent) {
        assert_true(percent <= 100);
        n_progress++;
        last_percent = percent;
}

static Index *open_index(const char *directory) {
        EnvironmentOptions options = {
                .directory = directory,
                .log_size = 256 * KIB,
                .checkpoint_size = MIB,
                .on_progress = on_progress,
        };
        Index *opened;

        n_progress = 0;
        assert_int_equal(scratch_open_index(&options, &opened), 0);
        return opened;
}

/* Stores keys and dies with the index open. */
_noreturn_ static void crash(const char *directory) {
        Index *opened = open_index(directory);

        for (unsigned i = 0; i < KEYS; i++) {
                IndexSet set = {
                        .request.done = scratch_answered,
                        .name = "something",
                        .data = &i,
                        .size = sizeof(i),
                };

                index_set(opened, &set);
                if (scratch_wait() != 0)
                        _exit(1);
        }
        _exit(0);
}

TEST(long_recovery_tells_how_far_it_is) {
        _cleanup_(scratch_freep) char *directory = scratch_new();
        Index *opened;
        int status;
        pid_t pid;

        pid = fork();
        assert_ok(pid);
        if (pid == 0)
                crash(directory);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);

        is_slow = true;
        opened = open_index(directory);
        is_slow = false;
        assert_true(environment_was_recovered(index_environment(opened)));
        assert_true(n_progress > 2);
        assert_true(last_percent > 0);
        assert_null(index_free(opened));
}

TEST(quick_start_says_nothing) {
        _cleanup_(scratch_freep) char *directory = scratch_new();

        assert_null(index_free(open_index(directory)));
        assert_null(index_free(open_index(directory)));
        assert_int_equal(n_progress, 0);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(quick_start_says_nothing),
                cmocka_unit_test(long_recovery_tells_how_far_it_is),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
