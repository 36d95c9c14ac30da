/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Map and reports of one moment, for those who plan many moves. */

#include "test.h"

#include <errno.h>

#include "master/cluster/membership.h"
#include "master/job/job-fixture.h"
#include "master/move/view.h"

TEST(a_view_is_of_one_moment) {
        JobFixture *fixture = *state;
        ClusterView view = {};

        assert_ok(cluster_view_look(&view, fixture->volumes));
        assert_int_equal(view.n_volumes, N_VOLUMES);
        assert_int_equal(view.copies, 1);
        assert_false(view.is_constrained);
        assert_true(view.looked_usec > 0);
        for (size_t i = 0; i < view.n_volumes; i++) {
                const Volume *volume = view.cluster->volumes + i;

                assert_int_equal(cluster_view_status(&view, volume)->number, volume->number);
                assert_ptr_equal(cluster_view_find(&view, volume->number), view.volumes + i);
        }
        assert_null(cluster_view_find(&view, 9));

        let_down(fixture, 2);
        assert_true(cluster_view_find(&view, 2)->up); /* it was, then */
        assert_ok(cluster_view_look(&view, fixture->volumes));
        assert_false(cluster_view_find(&view, 2)->up);
        assert_true(view.is_constrained);
        cluster_view_done(&view);
        assert_null(view.cluster);
        cluster_view_done(&view);
}

TEST(a_volume_that_is_nearly_full_constrains_a_view) {
        JobFixture *fixture = *state;
        ClusterView view = {};

        report_free(fixture, 2, MIB);
        assert_ok(cluster_view_look(&view, fixture->volumes));
        assert_true(view.is_constrained);
        cluster_view_done(&view);
}

TEST(a_volume_that_holds_nothing_constrains_no_view) {
        const uint32_t number = 3;
        JobFixture *fixture = *state;
        ClusterView view = {};

        change_map(fixture, volumes_drain, &number, 1);
        change_map(fixture, volumes_remove, &number, 1);
        let_down(fixture, 3);
        assert_ok(cluster_view_look(&view, fixture->volumes));
        assert_int_equal(cluster_view_find(&view, 3)->state, VOLUME_REMOVED);
        assert_false(cluster_view_find(&view, 3)->up);
        assert_false(view.is_constrained);
        cluster_view_done(&view);
}

TEST(a_draining_volume_that_is_down_constrains_a_view) {
        const uint32_t number = 3;
        JobFixture *fixture = *state;
        ClusterView view = {};

        change_map(fixture, volumes_drain, &number, 1);
        assert_ok(cluster_view_look(&view, fixture->volumes));
        assert_false(view.is_constrained);
        let_down(fixture, 3);
        assert_ok(cluster_view_look(&view, fixture->volumes));
        assert_true(view.is_constrained);
        cluster_view_done(&view);
}

typedef struct Changes {
        JobFixture *fixture;
        atomic_bool is_over;
} Changes;

/* The map changes all the time: a volume is drained and made active again. */
static void *change_on(void *userdata) {
        const uint32_t number = 3;
        Changes *changes = userdata;

        for (unsigned i = 0; i < 20; i++) {
                change_map(changes->fixture, volumes_drain, &number, 1);
                change_map(changes->fixture, volumes_undrain, &number, 1);
        }
        changes->is_over = true;
        return NULL;
}

/* What the one says of a volume, the other does. */
TEST(map_and_reports_are_of_one_epoch_while_the_map_changes) {
        Changes changes = { .fixture = *state };
        ClusterView view = {};
        pthread_t thread;
        uint64_t last = 0;

        assert_int_equal(pthread_create(&thread, NULL, change_on, &changes), 0);
        while (!changes.is_over) {
                assert_ok(cluster_view_look(&view, changes.fixture->volumes));
                assert_true(view.cluster->epoch >= last);
                last = view.cluster->epoch;
                assert_int_equal(view.n_volumes, view.cluster->n_volumes);
                for (size_t i = 0; i < view.n_volumes; i++) {
                        assert_int_equal(view.volumes[i].number, view.cluster->volumes[i].number);
                        assert_int_equal(view.volumes[i].state, view.cluster->volumes[i].state);
                }
        }
        assert_int_equal(pthread_join(thread, NULL), 0);
        cluster_view_done(&view);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                JOB_TEST(a_view_is_of_one_moment),
                JOB_TEST(a_volume_that_is_nearly_full_constrains_a_view),
                JOB_TEST(a_volume_that_holds_nothing_constrains_no_view),
                JOB_TEST(a_draining_volume_that_is_down_constrains_a_view),
                JOB_TEST(map_and_reports_are_of_one_epoch_while_the_map_changes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
