/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* One call with many moves: what it asks for, what becomes of each copy when the answer is less
 * than was asked for, and what is made of an index that gives no proper answer. */

#include "test.h"

#include <errno.h>

#include "master/move/mover-steps.h"
#include "store/index/damage.h"
#include "store/index/engine/index-internal.h"

#define N 3

/* N keys, "k1" and so on, that are on the first volume and go to the target in one call. */
static void submit_some(void) {
        for (size_t i = 1; i <= N; i++) {
                Record record = { .version = 2 * i, .size = 10 };
                Plan plan = {
                        .add = { TARGET },
                        .n_add = 1,
                        .drop = { FIRST },
                        .n_drop = 1,
                        .sources = { FIRST },
                        .n_sources = 1,
                };
                char key[16];

                (void) snprintf(key, sizeof(key), "k%zu", i);
                write_key(key, 2 * i, 1);
                assert_ok(mover_submit(mover, key, &record, &plan));
        }
        mover_work(mover, 0);
}

/* Answers the pull of all of them with the first N_ANSWERED of these errors. */
static void answer_some(const int errors[], size_t n_answered) {
        _cleanup_(buffer_done) Buffer answer = {};
        Reader reader = stand_in_receive(&volume, CALL_PULL);
        WirePull pull;

        assert_int_equal(reader_get_varint(&reader), 0); /* confirmed */
        assert_ok(wire_get_pull(&reader, &pull));
        assert_int_equal(pull.n_items, N);
        for (size_t i = 0; i < n_answered; i++)
                wire_put_error(&answer, errors[i]);
        stand_in_answer(&volume, &answer);
}

static unsigned count(MoveOutcome outcome) {
        unsigned n = 0;

        for (size_t i = 0; i < n_outcomes; i++)
                n += outcomes[i] == outcome;
        return n;
}

static bool has_copy(const char *key, uint32_t number) {
        _cleanup_(buffer_done) Buffer scratch = {};
        Record record;

        assert_ok(index_get(the_index, key, &scratch, &record));
        for (size_t i = 0; i < record.n_copies; i++)
                if (record.copies[i] == number)
                        return true;
        return false;
}

TEST(each_copy_has_an_error_of_its_own) {
        submit_some();
        answer_some((const int[]){ 0, -ENOSPC, 0 }, N);
        work(N);
        assert_int_equal(count(MOVE_DONE), 2);
        assert_int_equal(count(MOVE_FULL), 1);
        assert_true(has_copy("k1", TARGET));
        assert_false(has_copy("k2", TARGET));
        assert_true(has_copy("k2", FIRST));
        assert_true(has_copy("k3", TARGET));
}

/* What the target does not tell of, it may not have. */
TEST(an_answer_that_is_too_short_moves_what_it_tells_of) {
        submit_some();
        answer_some((const int[]){ 0 }, 1);
        work(N);
        assert_int_equal(count(MOVE_DONE), 1);
        assert_int_equal(count(MOVE_FAILED), N - 1);
        assert_true(has_copy("k1", TARGET));
        assert_true(has_copy("k2", FIRST));
        assert_true(has_copy("k3", FIRST));
}

TEST(an_empty_answer_moves_nothing) {
        submit_some();
        answer_some(NULL, 0);
        work(N);
        assert_int_equal(count(MOVE_FAILED), N);
        for (char key[] = "k1"; key[1] <= '3'; key[1]++)
                assert_true(has_copy(key, FIRST) && !has_copy(key, TARGET));
}

TEST(a_connection_that_is_cut_moves_nothing_now) {
        submit_some();
        (void) stand_in_receive(&volume, CALL_PULL);
        stand_in_cut(&volume);
        work(N);
        assert_int_equal(count(MOVE_DONE), 0);
        assert_int_equal(mover_count(mover), 0);
        assert_true(has_copy("k1", FIRST));
}

/* Soon the target will ask whether it may delete what was not confirmed. */
TEST(an_answer_after_its_deadline_does_not_count) {
        grace_usec = 0;
        submit_some();
        answer_some((const int[]){ 0, 0, 0 }, N);
        work(N);
        assert_int_equal(count(MOVE_LATER), N);
        assert_true(has_copy("k1", FIRST));
        assert_false(has_copy("k1", TARGET));
}

/* A copy with a mark is made again in its place; the others must not be replaced. */
TEST(the_target_is_told_which_copies_it_replaces) {
        IndexDamageItem item = {
                .key = "k1",
                .version = 2,
                .volume = FIRST,
                .kind = DAMAGE_CORRUPT,
        };
        IndexDamage damage = { .request.done = scratch_answered, .items = &item, .n_items = 1 };
        Record record = { .version = 2, .size = 10 };
        Plan plan = { .add = { FIRST }, .n_add = 1, .sources = { SECOND }, .n_sources = 1 };
        WirePullItem got;
        WirePull pull;
        Reader reader;

        report(FIRST, volume.url); /* of a second report, which is newer */
        write_key("k1", 2, 2);
        index_damage(the_index, &damage);
        assert_ok(scratch_wait());
        assert_ok(mover_submit(mover, "k1", &record, &plan));
        mover_work(mover, 0);
        reader = stand_in_receive(&volume, CALL_PULL);
        assert_int_equal(reader_get_varint(&reader), 0);
        assert_ok(wire_get_pull(&reader, &pull));
        assert_ok(wire_get_pull_item(&reader, pull.n_sources, &got));
        assert_true(got.replace);
        assert_string_equal(got.key, "k1");
        stand_in_refuse(&volume, -EIO);
        work(1);
}

static Interception way;

static Interception intercept(const IndexRequest *request, void *userdata) {
        return request->type == REQUEST_MOVE ? way : INTERCEPT_NOT;
}

/* Whether a swap was made is found out by the next plan, which sees the record. */
TEST(a_swap_without_a_proper_answer_is_for_later) {
        static const struct {
                Interception way;
                bool is_made;
        } table[] = {
                { INTERCEPT_LOSE, false },
                { INTERCEPT_LOSE_ANSWER, true },
                { INTERCEPT_NOT_LEADER, false },
                { INTERCEPT_REFUSE, false },
        };

        submit_intercept(&the_index->submitter, intercept, NULL);
        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                char key[] = { 'a', (char) ('0' + i), '\0' };

                way = table[i].way;
                write_key(key, 100 + 2 * i, 1);
                submit(key, 100 + 2 * i, 1);
                (void) answer_pull(100 + 2 * i, 0);
                work(i + 1);
                assert_int_equal(outcomes[i], MOVE_LATER);
                assert_int_equal(has_copy(key, TARGET), table[i].is_made);
                assert_int_equal(has_copy(key, FIRST), !table[i].is_made);
        }
        submit_intercept(&the_index->submitter, NULL, NULL);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
        static const struct CMUnitTest tests[] = {
                ROW(each_copy_has_an_error_of_its_own),
                ROW(an_answer_that_is_too_short_moves_what_it_tells_of),
                ROW(an_empty_answer_moves_nothing),
                ROW(a_connection_that_is_cut_moves_nothing_now),
                ROW(an_answer_after_its_deadline_does_not_count),
                ROW(the_target_is_told_which_copies_it_replaces),
                ROW(a_swap_without_a_proper_answer_is_for_later),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
