/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Copies of current versions that are about to be deleted. */

#include "test.h"

#include <errno.h>

#include "base/clock.h"
#include "master/job/job-fixture.h"
#include "master/move/surplus.h"
#include "store/index/garbage.h"
#include "store/index/move.h"

/* The volume has deleted it. */
static void collect(JobFixture *fixture, const Surplus *surplus, uint64_t due_usec) {
        const Garbage item = { .due_usec = due_usec, .version = surplus->version };
        IndexCollected collected = {
                .request.done = scratch_answered,
                .volume = surplus->volume,
                .items = &item,
                .n_gone = 1,
                .n_items = 1,
        };

        index_collected(fixture->index, &collected);
        assert_ok(scratch_wait());
}

TEST(a_surplus_copy_is_there_until_it_is_deleted) {
        JobFixture *fixture = *state;
        uint64_t version = write_key(fixture, "k", 3), due = clock_realtime() + USEC_PER_HOUR;
        Surplus surplus = { .version = version, .volume = 3 },
                other = { .version = version, .volume = 4 };

        assert_false(surplus_exists(fixture->index, &surplus));
        assert_int_equal(surplus_due(fixture->index, &surplus), 0);
        move_copy(fixture, "k", version, 4, 3, due);
        assert_true(surplus_exists(fixture->index, &surplus));
        assert_int_equal(surplus_due(fixture->index, &surplus), due);
        assert_false(surplus_exists(fixture->index, &other));
        assert_int_equal(surplus_due(fixture->index, &other), 0);
}

TEST(a_surplus_copy_that_was_deleted_is_in_nobodys_way) {
        JobFixture *fixture = *state;
        uint64_t version = write_key(fixture, "k", 3), due = clock_realtime();
        Surplus surplus = { .version = version, .volume = 3 };

        move_copy(fixture, "k", version, 4, 3, due);
        collect(fixture, &surplus, due);
        assert_false(surplus_exists(fixture->index, &surplus));
        assert_int_equal(surplus_due(fixture->index, &surplus), 0);
        move_copy(fixture, "k", version, 3, 4, due); /* back again */
        assert_int_equal(record_of(fixture, "k").copies[0], 3);
}

/* No copy comes where the collector is about to delete one. */
TEST(a_copy_does_not_come_back_to_its_surplus_copy) {
        JobFixture *fixture = *state;
        uint64_t version = write_key(fixture, "k", 3), due = clock_realtime() + USEC_PER_HOUR;
        const uint32_t drop = 4;
        IndexMove back = {
                .request.done = scratch_answered,
                .key = "k",
                .version = version,
                .add = 3,
                .drop = &drop,
                .n_drop = 1,
                .garbage_due_usec = due,
        };

        move_copy(fixture, "k", version, 4, 3, due);
        index_move(fixture->index, &back);
        assert_true(scratch_wait() < 0);
        assert_int_equal(record_of(fixture, "k").copies[0], 4);
}

TEST(surplus_copies_outlive_a_restart) {
        JobFixture *fixture = *state;
        uint64_t version = write_key(fixture, "k", 3), due = clock_realtime() + USEC_PER_HOUR;
        Surplus surplus = { .version = version, .volume = 3 };

        move_copy(fixture, "k", version, 4, 3, due);
        reopen(fixture);
        assert_true(surplus_exists(fixture->index, &surplus));
        assert_int_equal(surplus_due(fixture->index, &surplus), due);
}

/* Of several surplus copies of a volume each has its own time. */
TEST(each_surplus_copy_has_its_time) {
        JobFixture *fixture = *state;
        uint64_t now = clock_realtime();
        Surplus surplus[5];

        for (unsigned i = 0; i < ELEMENTSOF(surplus); i++) {
                char key[16];

                (void) snprintf(key, sizeof(key), "k%u", i);
                surplus[i] = (Surplus){ .version = write_key(fixture, key, 3), .volume = 3 };
                move_copy(fixture, key, surplus[i].version, 4, 3, now + (5 - i) * USEC_PER_HOUR);
        }
        for (unsigned i = 0; i < ELEMENTSOF(surplus); i++)
                assert_int_equal(
                                surplus_due(fixture->index, surplus + i),
                                now + (5 - i) * USEC_PER_HOUR);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                JOB_TEST(a_surplus_copy_is_there_until_it_is_deleted),
                JOB_TEST(a_surplus_copy_that_was_deleted_is_in_nobodys_way),
                JOB_TEST(a_copy_does_not_come_back_to_its_surplus_copy),
                JOB_TEST(surplus_copies_outlive_a_restart),
                JOB_TEST(each_surplus_copy_has_its_time),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
