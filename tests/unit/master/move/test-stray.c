/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Copies of current versions that are about to be deleted. */

#include "test.h"

#include <errno.h>

#include "base/clock.h"
#include "master/job/job-fixture.h"
#include "master/move/stray.h"
#include "store/index/garbage.h"
#include "store/index/move.h"

/* The volume has deleted it. */
static void collect(JobFixture *fixture, const Stray *stray, uint64_t due_usec) {
        const Garbage item = { .due_usec = due_usec, .version = stray->version };
        IndexCollected collected = {
                .request.done = scratch_answered,
                .volume = stray->volume,
                .items = &item,
                .n_gone = 1,
                .n_items = 1,
        };

        index_collected(fixture->index, &collected);
        assert_ok(scratch_wait());
}

TEST(a_stray_is_there_until_it_is_deleted) {
        JobFixture *fixture = *state;
        uint64_t version = write_key(fixture, "k", 3), due = clock_realtime() + USEC_PER_HOUR;
        Stray stray = { .version = version, .volume = 3 },
              other = { .version = version, .volume = 4 };

        assert_false(stray_exists(fixture->index, &stray));
        assert_int_equal(stray_due(fixture->index, &stray), 0);
        move_copy(fixture, "k", version, 4, 3, due);
        assert_true(stray_exists(fixture->index, &stray));
        assert_int_equal(stray_due(fixture->index, &stray), due);
        assert_false(stray_exists(fixture->index, &other));
        assert_int_equal(stray_due(fixture->index, &other), 0);
}

TEST(a_stray_that_was_deleted_is_in_nobodys_way) {
        JobFixture *fixture = *state;
        uint64_t version = write_key(fixture, "k", 3), due = clock_realtime();
        Stray stray = { .version = version, .volume = 3 };

        move_copy(fixture, "k", version, 4, 3, due);
        collect(fixture, &stray, due);
        assert_false(stray_exists(fixture->index, &stray));
        assert_int_equal(stray_due(fixture->index, &stray), 0);
        move_copy(fixture, "k", version, 3, 4, due); /* back again */
        assert_int_equal(record_of(fixture, "k").copies[0], 3);
}

/* No copy comes where the collector is about to delete one. */
TEST(a_copy_does_not_come_back_to_its_stray) {
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

TEST(strays_outlive_a_restart) {
        JobFixture *fixture = *state;
        uint64_t version = write_key(fixture, "k", 3), due = clock_realtime() + USEC_PER_HOUR;
        Stray stray = { .version = version, .volume = 3 };

        move_copy(fixture, "k", version, 4, 3, due);
        reopen(fixture);
        assert_true(stray_exists(fixture->index, &stray));
        assert_int_equal(stray_due(fixture->index, &stray), due);
}

/* Of several strays of a volume each has its own time. */
TEST(each_stray_has_its_time) {
        JobFixture *fixture = *state;
        uint64_t now = clock_realtime();
        Stray strays[5];

        for (unsigned i = 0; i < ELEMENTSOF(strays); i++) {
                char key[16];

                (void) snprintf(key, sizeof(key), "k%u", i);
                strays[i] = (Stray){ .version = write_key(fixture, key, 3), .volume = 3 };
                move_copy(fixture, key, strays[i].version, 4, 3, now + (5 - i) * USEC_PER_HOUR);
        }
        for (unsigned i = 0; i < ELEMENTSOF(strays); i++)
                assert_int_equal(
                                stray_due(fixture->index, strays + i),
                                now + (5 - i) * USEC_PER_HOUR);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                JOB_TEST(a_stray_is_there_until_it_is_deleted),
                JOB_TEST(a_stray_that_was_deleted_is_in_nobodys_way),
                JOB_TEST(a_copy_does_not_come_back_to_its_stray),
                JOB_TEST(strays_outlive_a_restart),
                JOB_TEST(each_stray_has_its_time),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
