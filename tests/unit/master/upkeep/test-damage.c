/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Marks of damaged copies: how they are made, told, and taken away again. */

#include "test.h"

#include <errno.h>

#include "core/call/wire.h"
#include "master/master-fixture.h"
#include "master/upkeep/damage.h"
#include "sweep.h"

#define NUMBER 1 /* the volume that the test answers for */
#define OTHER  2

static StandIn volume, absent;
static uint64_t version; /* of "k", with copies on both */
static sem_t good;

static void commit(const char *key) {
        IndexCommit request = {
                .request.done = scratch_answered,
                .key = key,
                .record = { .version = version = index_next_version(master.index, VERSION_DIRECT),
                            .content_type = "",
                            .metadata = "",
                            .n_copies = 2,
                            .copies = { NUMBER, OTHER } },
        };

        index_commit(master.index, &request);
        assert_ok(scratch_wait());
}

static void start_all(void) {
        master_start();
        stand_in_init(&volume);
        stand_in_listen(&volume);
        stand_in_init(&absent);
        master_know(NUMBER, volume.url);
        master_know(OTHER, absent.url);
        assert_ok(sem_init(&good, 0, 0));
        commit("k");
}

static void stop_all(void) {
        stand_in_done(&volume);
        stand_in_done(&absent);
        master_stop();
}

static int setup(void **state) {
        start_all();
        return 0;
}

static int teardown(void **state) {
        stop_all();
        return 0;
}

static void mark(uint32_t number, DamageKind kind) {
        damage_mark(master.index, "k", version, number, kind);
        master_settle();
}

static DamageKind kind_on(uint32_t number) {
        return index_damage_kind(master.index, version, number);
}

static void watch(void) {
        damage_watch(master.index, master.volumes, master.troubles);
}

static void on_good(void *userdata) {
        assert_ok(sem_post(&good));
}

/* Has the volume look at N copies: of "k", and of keys that are not there. */
static int look_at(uint32_t number, size_t n) {
        const DamageLookOptions options = {
                .index = master.index,
                .volumes = master.volumes,
                .peers = volume.peers,
                .on_good = on_good,
        };
        DamageCopy *copies = calloc(n, sizeof(*copies));

        for (size_t i = 0; i < n; i++)
                copies[i] = (DamageCopy){ .version = version + i, .key = strdup("k") };
        return damage_look(&options, number, copies, n);
}

/* Answers what it was asked to look at. */
static void answer_look(const int errors[], size_t n) {
        _cleanup_(buffer_done) Buffer answer = {};
        Reader body = stand_in_receive(&volume, CALL_CHECK);

        assert_int_equal(reader_get_u8(&body), WIRE_CHECK_WHOLE); /* not only whether it is there */
        assert_true(reader_get_u64(&body) == version);
        for (size_t i = 0; i < n; i++)
                wire_put_error(&answer, errors[i]);
        stand_in_answer(&volume, &answer);
}

TEST(a_mark_is_made_once_and_taken_away) {
        mark(NUMBER, DAMAGE_CORRUPT);
        mark(NUMBER, DAMAGE_CORRUPT);
        assert_int_equal(kind_on(NUMBER), DAMAGE_CORRUPT);
        assert_int_equal(kind_on(OTHER), DAMAGE_NONE);
        assert_int_equal(index_damage_on(master.index, NUMBER), 1);

        damage_unmark(master.index, "k", version, NUMBER);
        master_settle();
        assert_int_equal(kind_on(NUMBER), DAMAGE_NONE);
        assert_int_equal(index_damage_on(master.index, NUMBER), 0);
}

TEST(what_is_not_current_gets_no_mark) {
        uint64_t before = version;

        commit("k");
        damage_mark(master.index, "k", before, NUMBER, DAMAGE_CORRUPT);
        damage_mark(master.index, "none", version, NUMBER, DAMAGE_CORRUPT);
        damage_mark(master.index, "k", version, 77, DAMAGE_CORRUPT);
        master_settle();
        assert_int_equal(index_damage_on(master.index, NUMBER), 0);
        assert_int_equal(index_damage_on(master.index, 77), 0);
}

TEST(marks_outlive_a_restart) {
        mark(NUMBER, DAMAGE_UNREADABLE);
        master_close();
        master_open(USEC_PER_HOUR);
        assert_int_equal(kind_on(NUMBER), DAMAGE_UNREADABLE);
}

TEST(damaged_copies_are_told_by_volume) {
        watch();
        assert_null(master_detail(TROUBLE_COPIES_DAMAGED, NUMBER));

        mark(NUMBER, DAMAGE_CORRUPT);
        watch();
        assert_string_equal(
                        master_detail(TROUBLE_COPIES_DAMAGED, NUMBER),
                        "1 copy on volume 1 is damaged");
        assert_null(master_detail(TROUBLE_COPIES_DAMAGED, OTHER));
        assert_null(master_detail(TROUBLE_VALUES_LOST, 0));

        commit("l");
        damage_mark(master.index, "l", version, NUMBER, DAMAGE_MISSING);
        master_settle();
        watch();
        assert_string_equal(
                        master_detail(TROUBLE_COPIES_DAMAGED, NUMBER),
                        "2 copies on volume 1 are damaged");
}

TEST(a_value_without_a_good_copy_is_lost_until_one_is_good) {
        mark(NUMBER, DAMAGE_CORRUPT);
        mark(OTHER, DAMAGE_MISSING);
        watch();
        assert_string_equal(master_detail(TROUBLE_VALUES_LOST, 0), "the value of 'k'");

        mark(OTHER, DAMAGE_NONE);
        watch();
        assert_null(master_detail(TROUBLE_VALUES_LOST, 0));
        assert_non_null(master_detail(TROUBLE_COPIES_DAMAGED, NUMBER));
}

TEST(a_value_that_is_written_again_is_lost_no_longer) {
        mark(NUMBER, DAMAGE_CORRUPT);
        mark(OTHER, DAMAGE_CORRUPT);
        watch();
        assert_non_null(master_detail(TROUBLE_VALUES_LOST, 0));
        commit("k");
        watch();
        assert_null(master_detail(TROUBLE_VALUES_LOST, 0));
        assert_null(master_detail(TROUBLE_COPIES_DAMAGED, NUMBER));
        assert_null(master_detail(TROUBLE_COPIES_DAMAGED, OTHER));
}

TEST(of_many_lost_values_one_is_named) {
        char key[101 + 200];

        memset(key, 'x', sizeof(key));
        key[sizeof(key) - 1] = '\0';
        commit(key);
        for (uint32_t number = NUMBER; number <= OTHER; number++)
                damage_mark(master.index, key, version, number, DAMAGE_CORRUPT);
        master_settle();
        watch();
        assert_contains(master_detail(TROUBLE_VALUES_LOST, 0), "xxx"); /* cut, if it is long */

        commit("k");
        for (uint32_t number = NUMBER; number <= OTHER; number++)
                mark(number, DAMAGE_CORRUPT);
        watch();
        assert_contains(master_detail(TROUBLE_VALUES_LOST, 0), "2 values, of '");
}

TEST(a_copy_that_is_good_after_all_loses_its_mark) {
        static const int fine[] = { 0 };

        mark(NUMBER, DAMAGE_CORRUPT);
        assert_ok(look_at(NUMBER, 1));
        answer_look(fine, 1);
        wait_for(&good);
        master_settle();
        assert_int_equal(kind_on(NUMBER), DAMAGE_NONE);
}

TEST(a_copy_that_is_still_damaged_keeps_its_mark) {
        static const int errors[] = { -EBADMSG, -ENOENT, -EIO, -ENOMEM };

        mark(NUMBER, DAMAGE_CORRUPT);
        for (size_t i = 0; i < ELEMENTSOF(errors); i++) {
                assert_ok(look_at(NUMBER, 1));
                answer_look(errors + i, 1);
        }
        assert_ok(look_at(NUMBER, 1)); /* when it is asked again the answers before are judged */
        (void) stand_in_receive(&volume, CALL_CHECK);
        stand_in_refuse(&volume, -EBUSY);
        stand_in_hang_up(&volume);
        master_settle();
        assert_int_equal(kind_on(NUMBER), DAMAGE_CORRUPT);
        assert_int_equal(sem_trywait(&good), -1);
}

TEST(each_copy_is_judged_by_its_own_answer) {
        static const int errors[] = { 0, -EBADMSG, 0 };
        uint64_t first = version;

        commit("l");
        version = first;
        mark(NUMBER, DAMAGE_CORRUPT);
        assert_ok(look_at(NUMBER, 3)); /* of which two are of no current version */
        answer_look(errors, 3);
        wait_for(&good);
        master_settle();
        assert_int_equal(kind_on(NUMBER), DAMAGE_NONE);
        assert_int_equal(sem_trywait(&good), -1); /* which is told once for a call */
}

TEST(an_answer_that_is_too_short_says_nothing_of_the_rest) {
        mark(NUMBER, DAMAGE_CORRUPT);
        assert_ok(look_at(NUMBER, 1));
        answer_look(NULL, 0);
        stand_in_hang_up(&volume);
        master_settle();
        assert_int_equal(kind_on(NUMBER), DAMAGE_CORRUPT);
}

TEST(a_volume_that_cannot_be_asked_changes_nothing) {
        mark(OTHER, DAMAGE_CORRUPT);
        assert_int_equal(look_at(77, 1), -ENOENT); /* and the copies are freed */
        assert_ok(look_at(OTHER, 1));
        stand_in_hang_up(&volume);
        master_settle();
        assert_int_equal(kind_on(OTHER), DAMAGE_CORRUPT);
}

/* A mark that could not be made is made when the damage is found again; one that could not be taken
 * away, when the copy is looked at again. */
static void mark_and_unmark(Sweep *sweep, void *userdata) {
        bool is_first;

        start_all();
        sweep_begin(sweep, master.index);
        damage_mark(master.index, "k", version, NUMBER, DAMAGE_CORRUPT);
        damage_unmark(master.index, "k", version, NUMBER);
        damage_mark(master.index, "k", version, OTHER, DAMAGE_CORRUPT);
        sweep_end(sweep, master.index);
        master_settle();

        is_first = kind_on(OTHER) == DAMAGE_CORRUPT;
        if (sweep_met(sweep) == 0)
                assert_true(is_first && kind_on(NUMBER) == DAMAGE_NONE);
        mark(OTHER, DAMAGE_CORRUPT);
        mark(NUMBER, DAMAGE_NONE);
        assert_int_equal(kind_on(OTHER), DAMAGE_CORRUPT);
        assert_int_equal(kind_on(NUMBER), DAMAGE_NONE);
        stop_all();
}

TEST(marks_without_an_answer_may_be_made_again) {
        assert_int_equal(sweep_index(mark_and_unmark, NULL), 3);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                RUN(a_mark_is_made_once_and_taken_away),
                RUN(what_is_not_current_gets_no_mark),
                RUN(marks_outlive_a_restart),
                RUN(damaged_copies_are_told_by_volume),
                RUN(a_value_without_a_good_copy_is_lost_until_one_is_good),
                RUN(a_value_that_is_written_again_is_lost_no_longer),
                RUN(of_many_lost_values_one_is_named),
                RUN(a_copy_that_is_good_after_all_loses_its_mark),
                RUN(a_copy_that_is_still_damaged_keeps_its_mark),
                RUN(each_copy_is_judged_by_its_own_answer),
                RUN(an_answer_that_is_too_short_says_nothing_of_the_rest),
                RUN(a_volume_that_cannot_be_asked_changes_nothing),
                cmocka_unit_test(marks_without_an_answer_may_be_made_again),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
