/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "adm/view/health-line.h"
#include "adm/view/monitor-page.h"
#include "base/clock.h"

#define TEXT(text) ((char *) (text)) /* views own their strings; those here are never freed */

static View make_view(VolumeView *volumes, size_t n) {
        for (size_t i = 0; i < n; i++)
                volumes[i] = (VolumeView){
                        .number = (uint32_t) i + 1,
                        .state = TEXT("active"),
                        .up = true,
                        .url = TEXT("http://127.0.0.1:3001"),
                        .zone = TEXT(""),
                        .uuid = TEXT(""),
                        .disk_free = 10 * GIB,
                        .disk_size = 20 * GIB,
                        .objects = 1000,
                        .last_seen = clock_realtime(),
                };

        return (View){
                .health = TEXT("ok"),
                .health_reason = TEXT("All is well."),
                .health_advice = TEXT(""),
                .version = TEXT("1"),
                .directory = TEXT("/d"),
                .listen = TEXT("l"),
                .started_at = 5,
                .volumes = volumes,
                .n_volumes = n,
                .taken = USEC_PER_SEC,
        };
}

static unsigned count_lines(const char *text) {
        unsigned n = 1;

        for (; *text; text++)
                n += *text == '\n';
        return n;
}

TEST(page_fits_and_shows_trouble_first) {
        static VolumeView volumes[50];
        View view = make_view(volumes, ELEMENTSOF(volumes));
        MonitorPage page = {
                .view = &view,
                .look = { .width = 80, .legend = true },
                .lines = 24,
        };
        _cleanup_free_ char *text = NULL;

        volumes[41].up = false;
        volumes[41].number = 4242;
        text = monitor_page_format(&page);

        assert_non_null(text);
        assert_int_equal(count_lines(text), 24);
        assert_non_null(strstr(text, "4242"));
        assert_true(strstr(text, "4242") < strstr(text, "  up  "));
        assert_non_null(strstr(text, "... and 39 more\n"));
}

TEST(changes_have_a_sign) {
        VolumeView old_volumes[1], volumes[1];
        View old = make_view(old_volumes, 1), view = make_view(volumes, 1);
        MonitorPage page = {
                .view = &view,
                .previous = &old,
                .look = { .width = 80 },
                .lines = 24,
        };
        _cleanup_free_ char *text = NULL;

        view.taken += USEC_PER_SEC;
        volumes[0].objects = 800;
        volumes[0].bytes = 3072;
        text = monitor_page_format(&page);
        assert_non_null(strstr(text, " -200 "));
        assert_non_null(strstr(text, " +3.0K "));
}

TEST(page_without_a_master_says_why) {
        MonitorPage page = { .reason = "it hides.", .advice = "Look for it.", .lines = 24 };
        _cleanup_free_ char *text = monitor_page_format(&page), *line = monitor_line_format(&page);
        _cleanup_(json_freep) Json *json = monitor_page_to_json(&page);

        assert_non_null(strstr(text, "down: it hides.\n"));
        assert_non_null(strstr(text, "Look for it.\n"));
        assert_non_null(strstr(line, "down: it hides.\n"));
        assert_string_equal(json_get_string(json, "health"), "down");
        assert_string_equal(json_get_string(json, "reason"), "it hides.");
}

static char *health_line(unsigned width, const char *reason, const char *advice) {
        char *text;
        size_t size;
        FILE *file = open_memstream(&text, &size);

        assert_non_null(file);
        health_line_print(file, &(TableLook){ .width = width }, "down", reason, advice);
        assert_int_equal(fclose(file), 0);
        return text;
}

TEST(health_is_broken_at_blanks) {
        _cleanup_free_ char *wide = health_line(0, "It is away.", "Look for it under the bed."),
                            *narrow = health_line(20, "It is away.", "Look for it under the bed."),
                            *empty = health_line(20, "", ""),
                            *long_word = health_line(5, "unbreakable", "");

        assert_string_equal(wide, "● down: It is away.\n  Look for it under the bed.\n");
        assert_string_equal(narrow, "● down: It is away.\n  Look for it under\n  the bed.\n");
        assert_string_equal(empty, "● down\n");
        assert_string_equal(long_word, "● down:\n  unbreakable\n");
}

TEST(line_counts_volumes_that_are_up) {
        VolumeView volumes[3];
        View view = make_view(volumes, 3);
        MonitorPage page = { .view = &view };
        _cleanup_free_ char *line = NULL;

        volumes[1].up = false;
        line = monitor_line_format(&page);
        assert_non_null(strstr(line, "2 of 3 volumes up\n"));
        assert_non_null(strstr(line, " ok: 0 reads/s"));
}

TEST(page_is_as_wide_as_its_figures) {
        VolumeView volumes[2];
        View view = make_view(volumes, 2), before = make_view(NULL, 0);
        MonitorPage page = {
                .view = &view,
                .previous = &before,
                .look = { .width = 80 },
                .lines = 30,
        };
        _cleanup_free_ char *text = NULL;

        view.taken = 2 * USEC_PER_SEC;
        view.keys = 12345;
        view.bytes = 3 * GIB;
        view.disk_free = GIB;
        view.disk_size = 4 * GIB;
        view.traffic = (Traffic){ .requests = 60000,
                                  .reads = 50000,
                                  .writes = 9000,
                                  .deletes = 999,
                                  .errors = 1,
                                  .bytes_received = 5 * MIB,
                                  .bytes_sent = 1536,
                                  .active_requests = 1,
                                  .connections = 2 };
        text = monitor_page_format(&page);
        assert_non_null(strstr(
                        text, "12345 keys with 3.0G; free for the index: 1.0G 25%; up for "));
        assert_non_null(strstr(text, "1 request in progress on 2 connections\n"));
        assert_non_null(strstr(
                        text,
                        "REQUESTS/s  READS/s  WRITES/s  DELETES/s  ERRORS/s  RECEIVED/s  SENT/s\n"
                        "     60.0k    50.0k      9000        999         1        5.0M    1.5K\n"));
}

TEST(colours_tell_errors_and_health) {
        VolumeView volumes[1];
        View view = make_view(volumes, 1), before = make_view(NULL, 0);
        MonitorPage page = {
                .view = &view,
                .previous = &before,
                .look = { .width = 80, .colours = true },
                .lines = 30,
        };
        char *text;

        view.taken = 2 * USEC_PER_SEC;
        text = monitor_page_format(&page);
        assert_non_null(strstr(text, "\033[32m● ok: All is well.\033[0m\n"));
        assert_null(strstr(text, "\033[1;31m"));
        free(text);

        view.traffic.errors = 3;
        view.health = TEXT("degraded");
        volumes[0].nearly_full = true;
        text = monitor_page_format(&page);
        assert_non_null(strstr(text, "\033[1;33m● degraded: All is well.\033[0m\n"));
        assert_non_null(strstr(text, "\033[1;31m3\033[0m"));
        assert_non_null(strstr(text, "\033[1;31m10.0G 50%\033[0m"));
        free(text);
}

TEST(history_is_a_bar_for_each_second) {
        static const struct {
                double history[4];
                size_t n;
                const char *utf8, *ascii;
        } rows[] = {
                { {}, 0, "\n", "\n" },
                { { 0 }, 1, "▁ peak 1/s\n", "_ peak 1/s\n" },
                { { 10, 5, 0, 10 }, 4, "█▄▁█ peak 10/s\n", "#-_# peak 10/s\n" },
                { { 70000, 10000 }, 2, "█▂ peak 70.0k/s\n", "#. peak 70.0k/s\n" },
        };
        View view = make_view(NULL, 0);

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                MonitorPage page = {
                        .view = &view,
                        .look = { .width = 80 },
                        .lines = 30,
                        .history = rows[i].history,
                        .n_history = rows[i].n,
                };
                char *text = monitor_page_format(&page);

                assert_non_null(strstr(text, rows[i].utf8));
                free(text);
                assert_non_null(setlocale(LC_CTYPE, "C"));
                text = monitor_page_format(&page);
                assert_non_null(strstr(text, rows[i].ascii));
                free(text);
                assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
        }
}

TEST(trouble_is_ordered_by_how_bad_it_is) {
        VolumeView volumes[6];
        View view = make_view(volumes, 6);
        MonitorPage page = { .view = &view, .look = { .width = 80 }, .lines = 40 };
        _cleanup_free_ char *text = NULL;
        const char *down, *full, *draining, *maintenance, *well, *removed;

        volumes[0].number = 101;
        volumes[1] = (VolumeView){ .number = 102, .state = TEXT("removed") };
        volumes[2].number = 103;
        volumes[2].state = TEXT("draining");
        volumes[3].number = 104;
        volumes[3].maintenance_until = UINT64_MAX;
        volumes[4].number = 105;
        volumes[4].nearly_full = true;
        volumes[5].number = 106;
        volumes[5].up = false;
        text = monitor_page_format(&page);
        down = strstr(text, "106");
        full = strstr(text, "105");
        draining = strstr(text, "103");
        maintenance = strstr(text, "104");
        well = strstr(text, "101");
        removed = strstr(text, "102");
        assert_true(down < full && full < draining && draining < maintenance);
        assert_true(maintenance < well && well < removed);
        assert_null(strstr(text, "more\n"));
}

TEST(page_of_few_lines_still_has_a_volume) {
        VolumeView volumes[3];
        View view = make_view(volumes, 3);

        for (unsigned lines = 1; lines < 13; lines++) {
                MonitorPage page = { .view = &view, .look = { .width = 80 }, .lines = lines };
                char *text = monitor_page_format(&page);

                assert_non_null(strstr(text, "     1  active  up "));
                assert_non_null(strstr(text, "\n... and 2 more\n"));
                free(text);
        }
}

TEST(programs_get_rates_and_volumes) {
        VolumeView volumes[2];
        View view = make_view(volumes, 2), before = make_view(NULL, 0);
        const MonitorPage page = { .view = &view, .previous = &before };
        _cleanup_(json_freep) Json *json = NULL;
        _cleanup_free_ char *text = NULL;

        view.taken = 3 * USEC_PER_SEC;
        view.keys = 7;
        view.bytes = 9;
        view.traffic = (Traffic){
                .reads = 20, .writes = 5, .bytes_received = 4096, .bytes_sent = 2
        };
        volumes[1].state = TEXT("removed");
        json = monitor_page_to_json(&page);
        text = json_format(json, false);
        assert_non_null(strstr(
                        text,
                        "\"health\":\"ok\",\"reason\":\"All is well.\",\"reads_per_second\":10"));
        assert_non_null(strstr(text, "\"writes_per_second\":2.5"));
        assert_non_null(strstr(text, "\"bytes_in_per_second\":2048"));
        assert_non_null(strstr(text, "\"bytes_out_per_second\":1"));
        assert_non_null(strstr(text, "\"keys\":7,\"bytes\":9,\"volumes\":[{\"number\":1,"));
        assert_null(strstr(text, "removed")); /* it is watched no more */
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(page_fits_and_shows_trouble_first),
                cmocka_unit_test(changes_have_a_sign),
                cmocka_unit_test(page_without_a_master_says_why),
                cmocka_unit_test(health_is_broken_at_blanks),
                cmocka_unit_test(line_counts_volumes_that_are_up),
                cmocka_unit_test(page_is_as_wide_as_its_figures),
                cmocka_unit_test(colours_tell_errors_and_health),
                cmocka_unit_test(history_is_a_bar_for_each_second),
                cmocka_unit_test(trouble_is_ordered_by_how_bad_it_is),
                cmocka_unit_test(page_of_few_lines_still_has_a_volume),
                cmocka_unit_test(programs_get_rates_and_volumes),
        };

        assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
        return cmocka_run_group_tests(tests, NULL, NULL);
}
