/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A look at the health of a real cluster map, and the mark by which it is told that it changed. */

#include "test.h"

#include <errno.h>

#include "master/health/snapshot.h"
#include "master/volumes-fixture.h"

static Troubles *troubles;

static int set_up(void **state) {
        assert_ok(troubles_new(&troubles));
        return setup(state);
}

static int tear_down(void **state) {
        troubles = troubles_free(troubles);
        return teardown(state);
}

static HealthSnapshot take(Fixture *fixture) {
        HealthSnapshot result;

        assert_ok(health_snapshot(fixture->volumes, troubles, &result));
        return result;
}

static HealthLevel level_of(Fixture *fixture) {
        HealthSnapshot now = take(fixture);
        HealthLevel level = now.health.level;

        health_snapshot_done(&now);
        return level;
}

static Checksum mark_of(Fixture *fixture) {
        HealthSnapshot now = take(fixture);
        Checksum mark = health_snapshot_mark(&now);

        health_snapshot_done(&now);
        return mark;
}

static bool is_same(Checksum a, Checksum b) {
        return memcmp(&a, &b, sizeof(a)) == 0;
}

TEST(a_look_shows_the_map_and_what_was_noted) {
        Fixture *fixture = *state;
        HealthSnapshot now;

        report(fixture, 1);
        troubles_note(troubles, TROUBLE_DISK_FAILED, 1, "write");
        now = take(fixture);
        assert_int_equal(now.input.n_volumes, 1);
        assert_int_equal(now.input.n_troubles, 1);
        assert_int_equal(now.epoch, 1);
        assert_int_equal(now.copies, 1);
        assert_int_equal(now.health.level, HEALTH_DEGRADED);
        assert_non_null(strstr(now.health.reason, "The disk of volume 1 fails"));
        health_snapshot_done(&now);
        assert_null(now.volumes);
}

TEST(an_empty_cluster_is_down) {
        Fixture *fixture = *state;

        assert_int_equal(level_of(fixture), HEALTH_DOWN);
        report(fixture, 1);
        assert_int_equal(level_of(fixture), HEALTH_OK);
}

TEST(the_mark_stays_while_nothing_changes_but_figures) {
        Fixture *fixture = *state;
        Checksum mark;

        report(fixture, 1);
        mark = mark_of(fixture);
        for (int i = 1; i < 4; i++) {
                report_free(fixture, 1, FREE - (uint64_t) i * GIB);
                shift_clock(1);
                assert_true(is_same(mark_of(fixture), mark));
        }
}

TEST(the_mark_is_another_with_each_trouble_and_its_details) {
        Fixture *fixture = *state;
        Checksum marks[6];
        size_t n = 0;

        report(fixture, 1);
        marks[n++] = mark_of(fixture);
        troubles_note(troubles, TROUBLE_DISK_FAILED, 1, "write");
        marks[n++] = mark_of(fixture);
        troubles_note(troubles, TROUBLE_DISK_FAILED, 1, "read");
        marks[n++] = mark_of(fixture);
        troubles_note(troubles, TROUBLE_DISK_FAILED, 2, "read");
        marks[n++] = mark_of(fixture);
        troubles_note(troubles, TROUBLE_CLOCK, 2, "7 s behind");
        marks[n++] = mark_of(fixture);
        shift_clock(TIMEOUT_SEC); /* and it is down */
        marks[n++] = mark_of(fixture);
        for (size_t i = 0; i < n; i++)
                for (size_t k = 0; k < i; k++)
                        assert_false(is_same(marks[i], marks[k]));
}

TEST(the_mark_is_the_one_before_when_a_trouble_is_over) {
        Fixture *fixture = *state;
        Checksum before;

        report(fixture, 1);
        before = mark_of(fixture);
        troubles_note(troubles, TROUBLE_DISK_FAILED, 1, "write");
        assert_false(is_same(mark_of(fixture), before));
        troubles_clear(troubles, TROUBLE_DISK_FAILED, 1);
        assert_true(is_same(mark_of(fixture), before));
}

typedef struct Words {
        size_t n, limit;
        HealthLevel last;
        char all[4096];
} Words;

static int on_words(const TroubleWords *words, void *userdata) {
        Words *all = userdata;
        HealthLevel level = trouble_info(words->trouble->kind)->level;

        assert_true(all->n == 0 || level <= all->last); /* the worst first */
        assert_string_equal(words->level, health_level_to_string(level));
        assert_string_equal(words->name, trouble_info(words->trouble->kind)->name);
        assert_null(strchr(words->sentence, '{')); /* all of it is filled in */
        assert_null(strchr(words->advice, '{'));
        all->last = level;
        (void) snprintf(all->all + strlen(all->all), sizeof(all->all) - strlen(all->all), "%s;",
                        words->name);
        return ++all->n == all->limit ? -ENOSPC : 0;
}

TEST(the_words_of_all_troubles_are_handed_out_the_worst_first) {
        Fixture *fixture = *state;
        Words words = {};
        HealthSnapshot now;

        report(fixture, 1);
        report(fixture, 2);
        troubles_note(troubles, TROUBLE_ROLLED_BACK, 0, "x");
        troubles_note(troubles, TROUBLE_CLOCK, 1, "7 s behind");
        troubles_note(troubles, TROUBLE_INDEX_DISK_FULL, 0, "/srv");
        shift_clock(TIMEOUT_SEC);
        report(fixture, 1);
        now = take(fixture);
        assert_int_equal(health_snapshot_each(&now, on_words, &words), 0);
        assert_string_equal(words.all, "index-disk-full;down;clock;rolled-back;");
        health_snapshot_done(&now);
}

TEST(whoever_takes_the_words_may_stop) {
        Fixture *fixture = *state;
        Words words = { .limit = 2 };
        HealthSnapshot now;

        troubles_note(troubles, TROUBLE_CLOCK, 1, "7 s behind");
        troubles_note(troubles, TROUBLE_CLOCK, 2, "7 s behind");
        troubles_note(troubles, TROUBLE_CLOCK, 3, "7 s behind");
        now = take(fixture);
        assert_int_equal(health_snapshot_each(&now, on_words, &words), -ENOSPC);
        assert_int_equal(words.n, 2);
        health_snapshot_done(&now);
}

/* Of every kind, as often as it can be: nothing is cut in the middle of a word's template. */
TEST(every_trouble_has_words_for_it) {
        Fixture *fixture = *state;
        Words words = {};
        HealthSnapshot now;

        for (TroubleKind kind = 0; kind < _TROUBLE_KIND_MAX; kind++)
                troubles_note(troubles, kind, kind % 3, "detail");
        now = take(fixture);
        assert_int_equal(health_snapshot_each(&now, on_words, &words), 0);
        assert_in_range(words.n, _TROUBLE_KIND_MAX, _TROUBLE_KIND_MAX + 1);
        assert_int_equal(now.health.level, HEALTH_DOWN);
        health_snapshot_done(&now);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                RUN(a_look_shows_the_map_and_what_was_noted),
                RUN(an_empty_cluster_is_down),
                RUN(the_mark_stays_while_nothing_changes_but_figures),
                RUN(the_mark_is_another_with_each_trouble_and_its_details),
                RUN(the_mark_is_the_one_before_when_a_trouble_is_over),
                RUN(the_words_of_all_troubles_are_handed_out_the_worst_first),
                RUN(whoever_takes_the_words_may_stop),
                RUN(every_trouble_has_words_for_it),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
