/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "master/trouble/trouble.h"
#include "shift.h"

static Troubles *troubles;

static int set_up(void **state) {
        return troubles_new(&troubles);
}

static int tear_down(void **state) {
        troubles = troubles_free(troubles);
        return 0;
}

/* All that is noted, as "kind/volume:detail". */
static void assert_list(const char *expected) {
        _cleanup_free_ Trouble *list = NULL;
        char text[1000] = "";
        size_t n;

        assert_int_equal(troubles_list(troubles, &list, &n), 0);
        for (size_t i = 0; i < n; i++)
                (void) sprintf(text + strlen(text), "%s%s/%u:%s", i > 0 ? " " : "",
                               trouble_info(list[i].kind)->name, list[i].volume, list[i].detail);
        assert_string_equal(text, expected);
}

TEST(the_table_is_complete) {
        for (TroubleKind kind = 0; kind < _TROUBLE_KIND_MAX; kind++) {
                const TroubleInfo *info = trouble_info(kind);

                assert_non_null(info->name);
                assert_non_null(info->sentence);
                assert_non_null(info->advice);
                assert_int_equal(info->sentence[strlen(info->sentence) - 1], '.');
                for (TroubleKind other = 0; other < kind; other++)
                        assert_string_not_equal(trouble_info(other)->name, info->name);
        }
}

TEST(a_trouble_is_there_until_it_is_cleared) {
        assert_list("");
        assert_false(troubles_has(troubles, TROUBLE_CLOCK, 2));
        troubles_note(troubles, TROUBLE_CLOCK, 2, "%i s behind", 9);
        troubles_note(troubles, TROUBLE_UNREACHABLE, 3, "http://a:1");
        troubles_note(troubles, TROUBLE_CLOCK, 1, "%s", "5 s behind");
        assert_true(troubles_has(troubles, TROUBLE_CLOCK, 2));
        assert_list("unreachable/3:http://a:1 clock/1:5 s behind clock/2:9 s behind");

        troubles_clear(troubles, TROUBLE_CLOCK, 2);
        troubles_clear(troubles, TROUBLE_CLOCK, 2);
        assert_list("unreachable/3:http://a:1 clock/1:5 s behind");
        troubles_note(troubles, TROUBLE_CLOCK, 3, "x");
        troubles_clear_volume(troubles, 3);
        assert_list("clock/1:5 s behind");

        /* That a removed volume reports is not over because it is removed. */
        troubles_note(troubles, TROUBLE_REMOVED_REPORTS, 3, "http://a:1");
        troubles_clear_volume(troubles, 3);
        assert_true(troubles_has(troubles, TROUBLE_REMOVED_REPORTS, 3));
        troubles_clear(troubles, TROUBLE_REMOVED_REPORTS, 3);
}

TEST(its_detail_changes_and_its_beginning_stays) {
        _cleanup_free_ Trouble *before = NULL, *after = NULL;
        size_t n;

        troubles_note(troubles, TROUBLE_CLOCK, 2, "9 s behind");
        assert_int_equal(troubles_list(troubles, &before, &n), 0);
        shift_clock(5);
        troubles_note(troubles, TROUBLE_CLOCK, 2, "10 s behind");
        assert_int_equal(troubles_list(troubles, &after, &n), 0);
        assert_int_equal(n, 1);
        assert_string_equal(after->detail, "10 s behind");
        assert_int_equal(after->since_usec, before->since_usec);
        assert_in_range(before->since_usec, 1, clock_realtime());
}

TEST(what_nobody_notes_again_is_over) {
        uint64_t lasts = trouble_info(TROUBLE_SECRET)->lasts_usec / USEC_PER_SEC;

        assert_int_not_equal(lasts, 0);
        troubles_note(troubles, TROUBLE_CLOCK, 2, "9 s behind"); /* stays */
        troubles_note(troubles, TROUBLE_SECRET, 0, "10.0.0.3");
        shift_clock(lasts / 2);
        troubles_note(troubles, TROUBLE_SECRET, 0, "10.0.0.3");
        shift_clock(lasts / 2 + 1);
        assert_true(troubles_has(troubles, TROUBLE_SECRET, 0));
        shift_clock(lasts / 2);
        assert_list("clock/2:9 s behind");
}

static void assert_format(const char *template, const Trouble *trouble, const char *expected) {
        char text[TROUBLE_SENTENCE_SIZE];

        trouble_format(template, trouble, NULL, 0, text);
        assert_string_equal(text, expected);
}

TEST(words_are_filled_in) {
        Trouble trouble = { TROUBLE_CLOCK, 7, 0, "{volume} %s" };
        char text[TROUBLE_SENTENCE_SIZE], template[2 * TROUBLE_SENTENCE_SIZE];

        assert_format("", &trouble, "");
        assert_format("{volume}{since}.", &trouble, "7.");
        assert_format("a {detail} {other} {", &trouble, "a {volume} %s {other} {");
        trouble_format("{volume}", &trouble, "1 and 2", 0, text);
        assert_string_equal(text, "1 and 2");

        memset(template, 'x', sizeof(template) - 1);
        template[sizeof(template) - 1] = '\0';
        memcpy(template + TROUBLE_SENTENCE_SIZE - 5, "{detail}", strlen("{detail}"));
        trouble_format(template, &trouble, NULL, 0, text);
        assert_int_equal(strlen(text), TROUBLE_SENTENCE_SIZE - 1);
}

/* Neither D-Bus nor JSON takes anything else. */
TEST(a_detail_is_utf8) {
        char path[TROUBLE_DETAIL_SIZE + 10];
        _cleanup_free_ Trouble *list = NULL;
        size_t n;

        troubles_note(troubles, TROUBLE_VALUES_LOST, 0, "%s",
                      "k\xff\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\xc0\xaf\xed\xa0\x80.");
        assert_list("values-lost/0:k?\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80?????.");
        troubles_clear(troubles, TROUBLE_VALUES_LOST, 0);

        /* Cut off in the middle of a character. */
        memset(path, 'x', sizeof(path));
        memcpy(path + TROUBLE_DETAIL_SIZE - 3, "\xe2\x82\xac", sizeof("\xe2\x82\xac"));
        troubles_note(troubles, TROUBLE_DISK_FAILED, 1, "%s", path);
        memcpy(path + TROUBLE_DETAIL_SIZE - 3, "??", sizeof("??"));
        assert_int_equal(troubles_list(troubles, &list, &n), 0);
        assert_int_equal(n, 1);
        assert_string_equal(list[0].detail, path);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(the_table_is_complete, set_up, tear_down),
                cmocka_unit_test_setup_teardown(
                                a_trouble_is_there_until_it_is_cleared, set_up, tear_down),
                cmocka_unit_test_setup_teardown(
                                its_detail_changes_and_its_beginning_stays, set_up, tear_down),
                cmocka_unit_test_setup_teardown(what_nobody_notes_again_is_over, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_detail_is_utf8, set_up, tear_down),
                cmocka_unit_test(words_are_filled_in),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
