/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

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

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(time_left_follows_from_the_last_looks),
                cmocka_unit_test(line_fits_the_terminal),
                cmocka_unit_test(line_shows_bar_and_figures),
                cmocka_unit_test(estimate_obeys_the_limit),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
