/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <stdio.h>
#include <string.h>

#include "adm/view/progress.h"

#define TEXT(text) ((char *) (text)) /* views own their strings; those here are never freed */

static JobView make_job(uint64_t keys_done, uint64_t bytes_done) {
        return (JobView){
                .id = 3,
                .type = TEXT("drain"),
                .state = TEXT("running"),
                .error = TEXT(""),
                .keys_done = keys_done,
                .keys_total = 1000,
                .bytes_done = bytes_done,
                .bytes_total = 1000 * MIB,
        };
}

static char *format(const Progress *progress, const JobView *job, unsigned width) {
        char *line = progress_format(progress, job, width);

        assert_non_null(line);
        assert_true(strlen(line) <= width);
        return line;
}

TEST(time_left_follows_from_the_last_looks) {
        Progress progress = {};
        JobView job;

        job = make_job(0, 0);
        progress_take(&progress, &job, USEC_PER_SEC);
        assert_true(progress.left_usec == UINT64_MAX);

        /* A tenth each second. */
        for (unsigned i = 1; i <= 3; i++) {
                job = make_job(100 * i, 100 * i * MIB);
                progress_take(&progress, &job, (1 + i) * USEC_PER_SEC);
        }
        assert_true(progress.share > 0.299 && progress.share < 0.301);
        assert_true(progress.keys_per_second > 99 && progress.keys_per_second < 101);
        assert_in_range(progress.left_usec, 69 * USEC_PER_SEC / 10, 71 * USEC_PER_SEC / 10);

        /* It stands still, and after a while nobody knows. */
        for (unsigned i = 0; i < PROGRESS_LOOKS; i++)
                progress_take(&progress, &job, (10 + i) * USEC_PER_SEC);
        assert_true(progress.left_usec == UINT64_MAX);
}

TEST(line_fits_the_terminal) {
        Progress progress = {};
        JobView job = make_job(500, 500 * MIB);

        progress_take(&progress, &job, USEC_PER_SEC);
        for (unsigned width = 20; width < 200; width++)
                free(format(&progress, &job, width));
}

TEST(line_shows_bar_and_figures) {
        Progress progress = {};
        _cleanup_free_ char *running = NULL, *paused = NULL, *counting = NULL, *waiting = NULL;
        JobView job = make_job(500, 500 * MIB);

        progress_take(&progress, &job, USEC_PER_SEC);
        running = format(&progress, &job, 79);
        assert_non_null(strchr(running, '['));
        free(running);
        running = format(&progress, &job, 120);
        assert_non_null(strstr(running, "Job 3: [====================>"));
        assert_non_null(strstr(running, " 50% "));
        assert_non_null(strstr(running, "500/1000 keys, 500.0M/1000.0M"));

        job.state = TEXT("paused");
        job.error = TEXT("Volume 2 is down.");
        paused = format(&progress, &job, 200);
        assert_non_null(strstr(paused, "paused"));
        assert_non_null(strstr(paused, "Volume 2 is down."));

        job = make_job(0, 0);
        job.keys_total = job.bytes_total = 0;
        counting = format(&progress, &job, 80);
        assert_non_null(strstr(counting, "counting"));
        job.error = TEXT("Volume 2 is down.");
        waiting = format(&progress, &job, 80);
        assert_non_null(strstr(waiting, "waiting. Volume 2 is down."));
}

TEST(estimate_obeys_the_limit) {
        assert_int_equal(progress_estimate(0, 0, 0), 0);
        assert_true(progress_estimate(100000, 0, 0) >= 9 * USEC_PER_SEC);
        assert_true(progress_estimate(1, 100 * MIB, MIB) >= 100 * USEC_PER_SEC);
        assert_true(progress_estimate(1, 100 * MIB, 0) < 10 * USEC_PER_SEC);
}

TEST(line_loses_what_is_least_needed_first) {
        /* clang-format off */
        static const struct {
                unsigned width;
                const char *line;
        } rows[] = {
                { 200, "Job 3: [====================>                   ]  50% 500/1000 keys, 500.0M/1000.0M, 100 keys/s, 100.0M/s, 5s left" },
                { 90,  "Job 3: [" },
                { 40,  "Job 3:  50% 500/1000 keys" },
        };
        /* clang-format on */
        Progress progress = {};
        JobView job = make_job(400, 400 * MIB);

        progress_take(&progress, &job, USEC_PER_SEC);
        job = make_job(500, 500 * MIB);
        job.bytes_per_second = 100 * MIB;
        progress_take(&progress, &job, 2 * USEC_PER_SEC);
        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                char *line = format(&progress, &job, rows[i].width);

                if (strncmp(line, rows[i].line, strlen(rows[i].line)) != 0)
                        fail_msg("%u: %s", rows[i].width, line);
                free(line);
        }
}

TEST(job_never_shows_more_than_all) {
        Progress progress = {};
        JobView job = make_job(2000, 2000 * MIB); /* keys were written meanwhile */
        char *line;

        progress_take(&progress, &job, USEC_PER_SEC);
        assert_true(progress.share == 1);
        line = format(&progress, &job, 120);
        assert_non_null(strstr(line, "100% 2000/1000 keys"));
        free(line);
}

TEST(job_that_went_back_has_no_time_left) {
        Progress progress = {};
        JobView job = make_job(500, 500 * MIB);

        progress_take(&progress, &job, USEC_PER_SEC);
        job = make_job(100, 100 * MIB); /* another pass */
        progress_take(&progress, &job, 2 * USEC_PER_SEC);
        assert_true(progress.left_usec == UINT64_MAX);
        assert_true(progress.keys_per_second == 0);
}

TEST(states_other_than_running_are_named) {
        static const char *const states[] = { "queued", "paused", "done", "failed", "cancelled" };
        Progress progress = {};
        JobView job = make_job(500, 500 * MIB);

        progress_take(&progress, &job, USEC_PER_SEC);
        for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++) {
                char expected[64], *line;

                job.state = TEXT(states[i]);
                (void) snprintf(expected, sizeof(expected), " 50%% %s, 500/1000 keys", states[i]);
                line = format(&progress, &job, 200);
                assert_non_null(strstr(line, expected));
                free(line);
        }
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(time_left_follows_from_the_last_looks),
                cmocka_unit_test(line_fits_the_terminal),
                cmocka_unit_test(line_shows_bar_and_figures),
                cmocka_unit_test(estimate_obeys_the_limit),
                cmocka_unit_test(line_loses_what_is_least_needed_first),
                cmocka_unit_test(job_never_shows_more_than_all),
                cmocka_unit_test(job_that_went_back_has_no_time_left),
                cmocka_unit_test(states_other_than_running_are_named),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
