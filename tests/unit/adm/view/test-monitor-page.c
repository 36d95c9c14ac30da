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

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(page_fits_and_shows_trouble_first),
                cmocka_unit_test(changes_have_a_sign),
                cmocka_unit_test(page_without_a_master_says_why),
                cmocka_unit_test(health_is_broken_at_blanks),
                cmocka_unit_test(line_counts_volumes_that_are_up),
        };

        assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
        return cmocka_run_group_tests(tests, NULL, NULL);
}
