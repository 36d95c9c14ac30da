/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "adm/verb.h"

#include <errno.h>
#include <string.h>

#include "adm/view/job-table.h"
#include "adm/view/job-view.h"
#include "bus/bus.h"

TEST(path_has_the_id) {
        static const char *const bad[] = { "",
                                           "/",
                                           "/org/dkv/Master1/job",
                                           "/org/dkv/Master1/job/",
                                           "/org/dkv/Master1/job/0",
                                           "/org/dkv/Master1/job/4294967296",
                                           "/org/dkv/Master1/job/1x",
                                           "/org/dkv/Master1/volume/1",
                                           "/org/dkv/Master1/job/-1",
                                           "/org/dkv/Master1/job/1/2" };
        static const uint32_t ids[] = { 1, 7, 4294967295 };
        char path[JOB_PATH_SIZE];
        uint32_t id = 77;

        for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
                assert_int_equal(job_path_parse(bad[i], &id), -EINVAL);
        assert_int_equal(id, 77);
        for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++) {
                assert_ok(job_path_parse(job_path_format(path, ids[i]), &id));
                assert_int_equal(id, ids[i]);
        }
}

TEST(job_ends_once) {
        /* clang-format off */
        static const struct {
                const char *state;
                bool ended;
        } rows[] = {
                { "queued", false }, { "running", false }, { "paused", false }, { "", false }, { "novel", false },
                { "done", true },    { "failed", true },   { "cancelled", true },
        };
        /* clang-format on */

        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                const JobView job = { .state = (char *) rows[i].state };

                assert_int_equal(job_view_has_ended(&job), rows[i].ended);
        }
}

/* clang-format off */
static const Answer answers[ANSWERS_MAX] = {
        { .member = "GetAll", .path = "/org/dkv/Master1/job/5", .types = "a{sv}",
          .text = "5 Id u 5 Type s drain State s paused Volumes au 3 1 2 3 Novelty b 1" },
        { .member = "GetAll", .path = "/org/dkv/Master1/job/6", .types = "a{sv}", .text = "1 Id s six" },
        { .member = "GetAll", .error = SD_BUS_ERROR_UNKNOWN_OBJECT, .text = "Unknown." },
        { .member = "GetManagedObjects", .types = "a{oa{sa{sv}}}",
          .text = "4 /org/dkv/Master1/job/9 1 org.dkv.Master1.Job 1 Id u 9"
                  " /org/dkv/Master1/volume/1 1 org.dkv.Master1.Volume 1 Number u 1"
                  " /org/dkv/Master1/job/10 2 org.dkv.Other 1 Id u 99 org.dkv.Master1.Job 2 Id u 10 Error s x"
                  " /org/dkv/Master1/job/2 1 org.dkv.Master1.Job 1 Id u 2", .times = 1 },
        { .member = "GetManagedObjects", .types = "a{oa{sa{sv}}}",
          .text = "2 /org/dkv/Master1/job/9 1 org.dkv.Master1.Job 1 Type s a /org/dkv/Master1/job/3 1 org.dkv.Master1.Job 1 Type u 1", .times = 1 },
        { .member = "GetManagedObjects", .types = "a{oa{sa{sv}}}", .text = "0" },
};
/* clang-format on */

TEST(one_job_is_read_whole) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        sd_bus_error error = SD_BUS_ERROR_NULL;
        JobView job;

        stand_in_set(answers);
        assert_ok(bus_open(stand_in_address(), &bus));
        assert_ok(job_view_get(bus, 5, &error, &job));
        assert_int_equal(job.id, 5);
        assert_string_equal(job.type, "drain");
        assert_string_equal(job.error, ""); /* it was not told */
        assert_int_equal(job.volumes.n, 3);
        job_view_done(&job);

        assert_int_equal(job_view_get(bus, 6, &error, &job), -EBADMSG);
        assert_true(job_view_get(bus, 7, &error, &job) < 0);
        assert_true(sd_bus_error_has_name(&error, SD_BUS_ERROR_UNKNOWN_OBJECT));
        sd_bus_error_free(&error);
}

TEST(all_jobs_are_ordered_by_their_ids) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        sd_bus_error error = SD_BUS_ERROR_NULL;
        JobsView jobs = {};

        stand_in_set(answers);
        assert_ok(bus_open(stand_in_address(), &bus));
        assert_ok(jobs_view_get(bus, &error, &jobs));
        assert_int_equal(jobs.n, 3);
        assert_int_equal(jobs.jobs[0].id, 2);
        assert_int_equal(jobs.jobs[1].id, 9);
        assert_int_equal(jobs.jobs[2].id, 10);
        assert_string_equal(jobs.jobs[2].error, "x");
        assert_string_equal(jobs.jobs[0].type, "");
        jobs_view_done(&jobs);

        /* One that cannot be read spoils the list, and leaves nothing behind. */
        assert_int_equal(jobs_view_get(bus, &error, &jobs), -EBADMSG);
        assert_int_equal(jobs.n, 0);
        assert_ok(jobs_view_get(bus, &error, &jobs));
        assert_int_equal(jobs.n, 0);
        jobs_view_done(&jobs);
}

/* The row of a job without titles; a new string. */
static char *row_of(JobView job, bool colours) {
        const JobsView jobs = { .jobs = &job, .n = 1 };
        const TableLook look = { .colours = colours };
        Table *table;
        char *text;

        assert_ok(job_table_new(&jobs, &table));
        text = table_format(table, &look);
        assert_non_null(text);
        (void) table_free(table);
        return text;
}

TEST(row_tells_how_far_it_is) {
        /* clang-format off */
        static const struct {
                uint64_t done, total, rate;
                const char *state, *error, *text;
        } rows[] = {
                { 0,   0,   0,    "queued",  "",      "3  t  -  queued  -  0  0B  -  never  -\n" },
                { 1,   3,   1024, "running", "",      "3  t  -  running  33%  1  0B  1.0K/s  never  -\n" },
                { 3,   3,   0,    "done",    "",      "3  t  -  done  100%  3  0B  -  never  -\n" },
                { 9,   3,   0,    "failed",  "Full.", "3  t  -  failed  100%  9  0B  -  never  Full.\n" },
        };
        /* clang-format on */

        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                char *text = row_of(
                                (JobView){ .id = 3,
                                           .type = (char *) "t",
                                           .state = (char *) rows[i].state,
                                           .error = (char *) rows[i].error,
                                           .keys_done = rows[i].done,
                                           .keys_total = rows[i].total,
                                           .bytes_per_second = rows[i].rate },
                                false);

                assert_string_equal(text, rows[i].text);
                free(text);
        }
}

TEST(state_has_a_colour) {
        /* clang-format off */
        static const struct {
                const char *state, *text;
        } rows[] = {
                { "failed",  "\033[1;31mfailed\033[0m" }, { "running", "\033[32mrunning\033[0m" },
                { "paused",  "\033[1;33mpaused\033[0m" }, { "done",    "  done  " },
        };
        /* clang-format on */

        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                char *text = row_of(
                                (JobView){ .type = (char *) "t",
                                           .state = (char *) rows[i].state,
                                           .error = (char *) "" },
                                true);

                assert_non_null(strstr(text, rows[i].text));
                free(text);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(path_has_the_id),
                cmocka_unit_test(job_ends_once),
                cmocka_unit_test(one_job_is_read_whole),
                cmocka_unit_test(all_jobs_are_ordered_by_their_ids),
                cmocka_unit_test(row_tells_how_far_it_is),
                cmocka_unit_test(state_has_a_colour),
        };

        return verb_run_tests(tests);
}
