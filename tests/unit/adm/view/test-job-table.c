/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "adm/view/job-table.h"
#include "base/clock.h"
#include "frame/capture.h"

#define TEXT(text) ((char *) (text)) /* views own their strings; those here are never freed */

static JobView job_new(void) {
        return (JobView){ .id = 3,
                          .parallel = 2,
                          .type = TEXT("drain"),
                          .state = TEXT("running"),
                          .error = TEXT("") };
}

static char *row_of(JobView job, TableLook look) {
        const JobsView jobs = { .jobs = &job, .n = 1 };
        Table *table;
        char *text;

        assert_ok(job_table_new(&jobs, &table));
        text = table_format(table, &look);
        (void) table_free(table);
        assert_non_null(text);
        return text;
}

static void assert_row(JobView job, TableLook look, const char *expected) {
        char *text = row_of(job, look);

        assert_string_equal(text, expected);
        free(text);
}

/* A line "Title: value" of the details, as TITLE says. */
static void assert_detail(JobView job, const char *expected) {
        const TableLook look = {};
        Table *table;
        char *text;

        assert_ok(job_table_new_detailed(&job, &table));
        text = table_format_list(table, &look);
        (void) table_free(table);
        if (!text || !strstr(text, expected))
                fail_msg("\n--- no\n%s\n--- in\n%s\n---", expected, text);
        free(text);
}

TEST(volumes_of_a_job_are_listed) {
        uint32_t numbers[] = { 2, 5, 65535 };
        JobView job = job_new();

        assert_row(job, (TableLook){}, "3  drain  -  running  -  0  0B  -  never  -\n");
        job.volumes = (Numbers){ numbers, 1 };
        assert_row(job, (TableLook){}, "3  drain  2  running  -  0  0B  -  never  -\n");
        job.volumes.n = 3;
        assert_row(job, (TableLook){}, "3  drain  2 5 65535  running  -  0  0B  -  never  -\n");
        assert_detail(job, "   Volumes: 2 5 65535\n");
}

TEST(share_is_cut_and_no_more_than_all) {
        /* clang-format off */
        static const struct {
                uint64_t done, total;
                const char *share;
        } rows[] = {
                { 0,          0,          "  -  "    },
                { 5,          0,          "  -  "    }, /* not counted yet */
                { 0,          10,         "  0%  "   },
                { 999,        1000,       "  99%  "  }, /* it is not done */
                { 1000,       1000,       "  100%  " },
                { 1001,       1000,       "  100%  " }, /* keys were written meanwhile */
                { UINT64_MAX, UINT64_MAX, "  100%  " },
        };
        /* clang-format on */

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                JobView job = job_new();
                char *text;

                job.keys_done = rows[i].done;
                job.keys_total = rows[i].total;
                text = row_of(job, (TableLook){});
                if (!strstr(text, rows[i].share))
                        fail_msg("no '%s' in %s", rows[i].share, text);
                free(text);
        }
}

TEST(long_reasons_and_lists_give_way_to_the_terminal) {
        uint32_t numbers[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 };
        JobView job = job_new();
        char *text;

        job.volumes = (Numbers){ numbers, ELEMENTSOF(numbers) };
        job.error = TEXT("Volume 2 cannot be reached by volume 3 since yesterday.");
        text = row_of(job, (TableLook){ .width = 80 });
        assert_true(strlen(text) <= 80 + 1);
        assert_non_null(strstr(text, "Volume 2"));
        assert_non_null(strstr(text, "~\n")); /* where it was cut */
        assert_non_null(strstr(text, "3  drain  1 2"));
        free(text);
}

TEST(details_tell_limits_and_times) {
        JobView job = job_new();

        assert_detail(job,
                      "     Limit: none\n  Parallel: 2\n   Started: not yet\n     Ended: not yet\n");
        assert_detail(job, "      Rate: -\n");
        assert_detail(job, "      Keys: 0 of 0\n     Bytes: 0B of 0B\n");
        job.rate = 50 * MIB;
        job.bytes_per_second = 1536;
        job.started_at = clock_realtime() - 3 * USEC_PER_MIN - 5 * USEC_PER_SEC;
        job.keys_done = 12345;
        job.keys_total = 4500000;
        job.bytes_done = GIB;
        job.bytes_total = 3 * GIB / 2;
        assert_detail(job, "     Limit: 50.0M/s\n");
        assert_detail(job, "      Rate: 1.5K/s\n");
        assert_detail(job, " (3min 5s ago)\n");
        assert_detail(job, "      Keys: 12.3k of 4.5M\n     Bytes: 1.0G of 1.5G\n");
}

TEST(user_is_named_if_the_machine_knows_one) {
        JobView job = job_new();

        assert_detail(job, "Started by: root (0)\n");
        job.started_by = 4294967294; /* nobody has that */
        assert_detail(job, "Started by: uid (4294967294)\n");
}

TEST(programs_get_numbers_and_lists) {
        uint32_t numbers[] = { 2, 5 };
        JobView job = job_new();
        const JobsView jobs = { .jobs = &job, .n = 1 };
        _cleanup_(table_freep) Table *table = NULL, *detailed = NULL;
        _cleanup_(json_freep) Json *json = NULL, *details = NULL;
        _cleanup_free_ char *text = NULL, *more = NULL;

        job.volumes = (Numbers){ numbers, 2 };
        job.keys_done = 12345;
        job.keys_total = 20000;
        job.bytes_done = 2048;
        job.bytes_per_second = 7;
        job.started_at = 1000000;
        job.lost_keys = 4;
        job.error = TEXT("Oh \"my\".");
        assert_ok(job_table_new(&jobs, &table));
        json = table_to_json(table);
        text = json_format(json, false);
        assert_string_equal(
                        text,
                        "[{\"id\":3,\"type\":\"drain\",\"volumes\":[2,5],\"state\":\"running\",\"keys_done\":12345,"
                        "\"keys_total\":20000,\"bytes_done\":2048,\"bytes_total\":0,\"bytes_per_second\":7,"
                        "\"started_at\":1000000,\"ended_at\":0,\"lost_keys\":4,\"waits_until\":0,\"error\":\"Oh \\\"my\\\".\"}]\n");

        /* One alone has the same, and what was ordered. */
        assert_ok(job_table_new_detailed(&job, &detailed));
        details = table_to_json(detailed);
        more = json_format(details, false);
        assert_non_null(strstr(more, "\"rate\":0,\"parallel\":2,"));
        assert_non_null(strstr(more, "\"started_by\":0,"));
        assert_non_null(strstr(more, "\"keys_done\":12345,\"keys_total\":20000,"));
}

TEST(titles_name_the_columns) {
        const JobsView none = {};
        const TableLook look = { .legend = true };
        Table *table;
        char *text;

        assert_ok(job_table_new(&none, &table));
        text = table_format(table, &look);
        assert_string_equal(
                        text,
                        "JOB  TYPE  VOLUMES  STATE  DONE  KEYS  BYTES  RATE  STARTED  REASON\n");
        free(text);
        (void) table_free(table);
}

TEST(unknown_job_comes_with_advice) {
        Capture capture;
        char *text;
        int r;

        capture_begin(&capture, STDERR_FILENO, stderr);
        r = job_complain_unknown(4294967295);
        text = capture_end(&capture, stderr);
        assert_int_equal(r, -ENOENT);
        assert_string_equal(
                        text,
                        "The master knows no job 4294967295.\nTo list the jobs: dkvadm job list\n");
        free(text);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(volumes_of_a_job_are_listed),
                cmocka_unit_test(share_is_cut_and_no_more_than_all),
                cmocka_unit_test(long_reasons_and_lists_give_way_to_the_terminal),
                cmocka_unit_test(details_tell_limits_and_times),
                cmocka_unit_test(user_is_named_if_the_machine_knows_one),
                cmocka_unit_test(programs_get_numbers_and_lists),
                cmocka_unit_test(titles_name_the_columns),
                cmocka_unit_test(unknown_job_comes_with_advice),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
