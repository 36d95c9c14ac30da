/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adm/message.h"
#include "adm/view/plan-view.h"
#include "base/clock.h"

/* Reads a plan from the words of its dictionary. */
static int read_plan(const char *text, PlanView *ret) {
        MessageMaker maker;
        int r = plan_view_read(message_begin(&maker, "a{sv}", text), ret);

        message_end(&maker);
        return r;
}

/* What people see of it, the last line; a new string. */
static char *last_lines(const PlanView *plan, uint64_t rate) {
        const TableLook look = { .legend = true };
        char *text = plan_view_format(plan, rate, &look), *start, *copy;

        assert_non_null(text);
        start = strstr(text, " of ");
        while (start && start > text && start[-1] != '\n')
                start--;
        copy = strdup(start ?: text);
        free(text);
        return copy;
}

TEST(figures_are_read_and_unknown_ones_skipped) {
        PlanView plan;

        assert_ok(read_plan(
                        "7 keys t 3 bytes t 4 all-keys t 5 lost-keys t 6 epoch t 7 waits-until t 8 novelty as 1 x",
                        &plan));
        assert_int_equal(plan.keys, 3);
        assert_int_equal(plan.bytes, 4);
        assert_int_equal(plan.all_keys, 5);
        assert_int_equal(plan.lost_keys, 6);
        assert_int_equal(plan.epoch, 7);
        assert_int_equal(plan.waits_until, 8);
        plan_view_done(&plan);
}

TEST(moves_and_volumes_are_read_in_their_order) {
        PlanView plan;

        assert_ok(read_plan(
                        "2 moves a(uutt) 2 1 2 3 4 5 0 7 8 volumes a(uttt) 1 9 10 11 12", &plan));
        assert_int_equal(plan.n_moves, 2);
        assert_int_equal(plan.moves[1].source, 5);
        assert_int_equal(plan.moves[1].bytes, 8);
        assert_int_equal(plan.n_volumes, 1);
        assert_int_equal(plan.volumes[0].after, 11);
        assert_int_equal(plan.volumes[0].free, 12);
        plan_view_done(&plan);
        assert_null(plan.moves);
}

TEST(wrong_types_are_refused) {
        static const char *const texts[] = { "1 keys u 3", "1 keys s x", "1 moves a(uuu) 0",
                                             "1 volumes s x",
                                             "2 moves a(uutt) 1 1 2 3 4 keys s x" };

        for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
                PlanView plan;

                assert_true(read_plan(texts[i], &plan) < 0);
        }
}

TEST(sum_says_how_much_and_how_long) {
        /* clang-format off */
        static const struct {
                PlanView plan;
                uint64_t rate;
                const char *text;
        } rows[] = {
                { { .all_keys = 9 }, 0, "Nothing to move.\n" },
                { { .keys = 1, .all_keys = 1, .bytes = 1 }, 0, "1 of 1 key (100.0%) and 1B will be moved, in about 1s.\n" },
                { { .keys = 500, .all_keys = 2000, .bytes = 1024 }, 0, "500 of 2000 keys (25.0%) and 1.0K will be moved, in about 1s.\n" },
                { { .keys = 1, .all_keys = 3, .bytes = 6000 }, 100, "1 of 3 keys (33.3%) and 5.8K will be moved, in about 1min.\n" },
                { { .keys = 600000, .all_keys = 600000, .bytes = 0 }, 0, "600.0k of 600.0k keys (100.0%) and 0B will be moved, in about 1min.\n" },
                { { .keys = 1, .all_keys = 2, .lost_keys = 1 }, 0,
                  "1 of 2 keys (50.0%) and 0B will be moved, in about 1s.\n1 key has no other readable copy and would be lost.\n" },
                { { .keys = 1, .all_keys = 2, .lost_keys = 2 }, 0,
                  "1 of 2 keys (50.0%) and 0B will be moved, in about 1s.\n2 keys have no other readable copy and would be lost.\n" },
        };
        /* clang-format on */

        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                char *text = last_lines(&rows[i].plan, rows[i].rate);

                assert_string_equal(text, rows[i].text);
                free(text);
        }
}

TEST(job_that_waits_says_until_when) {
        PlanView plan = { .keys = 1,
                          .all_keys = 2,
                          .waits_until = clock_realtime() + 60 * USEC_PER_SEC };
        char *text = last_lines(&plan, 0);

        assert_non_null(strstr(text, "will be moved. The job waits until "));
        assert_non_null(strstr(text, ", when old copies are deleted.\n"));
        free(text);

        plan.waits_until = 5; /* is over */
        text = last_lines(&plan, 0);
        assert_null(strstr(text, "waits"));
        free(text);
}

TEST(room_afterwards_is_told_if_it_is_known) {
        /* clang-format off */
        static const struct {
                PlanVolume volume;
                const char *row; /* in JSON */
        } rows[] = {
                { { 1, 100, 50, 10 }, "\"free_before\":10,\"free_after\":60" },
                { { 1, 50, 100, 60 }, "\"free_before\":60,\"free_after\":10" },
                { { 1, 0, 100, 60 },  "\"free_before\":60,\"free_after\":0"  }, /* it does not fit */
                { { 1, 50, 0, UINT64_MAX }, "\"free_before\":18446744073709551615,\"free_after\":18446744073709551615" },
                { { 1, UINT64_MAX, 0, 60 }, "\"free_after\":18446744073709551615" },
        };
        /* clang-format on */

        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                PlanVolume volume = rows[i].volume;
                const PlanView plan = { .volumes = &volume, .n_volumes = 1 };
                _cleanup_(json_freep) Json *json = plan_view_to_json(&plan, 0);
                _cleanup_free_ char *text = json_format(json, false);

                assert_non_null(text);
                if (!strstr(text, rows[i].row))
                        fail_msg("no %s in\n%s", rows[i].row, text);
        }
}

TEST(people_see_who_gives_what_to_whom) {
        PlanMove moves[] = { { 1, 2, 12345, 3 * GIB }, { 0, 3, 1, 0 }, { 65535, 0, 2, 512 } };
        PlanVolume volumes[] = { { 1, GIB, 0, UINT64_MAX }, { 65535, 0, GIB, 2 * GIB } };
        const PlanView plan = { .moves = moves,
                                .n_moves = 3,
                                .volumes = volumes,
                                .n_volumes = 2,
                                .keys = 3,
                                .all_keys = 4 };
        const TableLook look = { .legend = true, .width = 40 }, bare = { .width = 40 };
        char *text = plan_view_format(&plan, 0, &look);

        assert_string_equal(
                        text, " FROM       TO   KEYS  BYTES\n"
                              "    1        2  12345   3.0G\n"
                              "    -        3      1     0B\n"
                              "65535  deleted      2   512B\n"
                              "\n"
                              "VOLUME   NOW  AFTERWARDS  FREE NOW  AFTERWARDS\n"
                              "     1  1.0G          0B         -           -\n"
                              " 65535    0B        1.0G      2.0G        1.0G\n"
                              "\n"
                              "3 of 4 keys (75.0%) and 0B will be moved, in about 1s.\n");
        free(text);

        text = plan_view_format(&plan, 0, &bare);
        assert_null(strstr(text, "FROM"));
        free(text);
}

TEST(plan_that_moves_nothing_has_no_tables) {
        PlanVolume volume = { 1, GIB, GIB, GIB };
        const PlanView plan = { .volumes = &volume, .n_volumes = 1, .all_keys = 7 };
        const TableLook look = { .legend = true };
        char *text = plan_view_format(&plan, 0, &look);

        assert_string_equal(text, "Nothing to move.\n");
        free(text);
}

TEST(programs_get_all_of_it) {
        PlanMove move = { 1, 2, 3, 4 };
        const PlanView plan = { .moves = &move,
                                .n_moves = 1,
                                .keys = 3,
                                .bytes = 4,
                                .all_keys = 5,
                                .lost_keys = 6,
                                .waits_until = 7,
                                .epoch = 8 };
        _cleanup_(json_freep) Json *json = plan_view_to_json(&plan, 1);
        _cleanup_free_ char *text = json_format(json, false);

        assert_non_null(strstr(
                        text,
                        "{\"moves\":[{\"source\":1,\"target\":2,\"keys\":3,\"bytes\":4}],\"volumes\":[],"
                        "\"keys\":3,\"bytes\":4,\"all_keys\":5,\"lost_keys\":6,\"waits_until\":7,\"epoch\":8,"
                        "\"estimated_usec\":"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(figures_are_read_and_unknown_ones_skipped),
                cmocka_unit_test(moves_and_volumes_are_read_in_their_order),
                cmocka_unit_test(wrong_types_are_refused),
                cmocka_unit_test(sum_says_how_much_and_how_long),
                cmocka_unit_test(job_that_waits_says_until_when),
                cmocka_unit_test(room_afterwards_is_told_if_it_is_known),
                cmocka_unit_test(people_see_who_gives_what_to_whom),
                cmocka_unit_test(plan_that_moves_nothing_has_no_tables),
                cmocka_unit_test(programs_get_all_of_it),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
