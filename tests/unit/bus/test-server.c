/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "bus/server.h"

/* A bus is found again, a name is taken: tests/integration/service/test_bus.py, with a real one. */

#define N 1000

static const BusObject objects[] = { {} };

typedef struct Fixture {
        sd_event *event;
        BusServer *server;
        int state;
        unsigned n_states;

        struct Piece {
                BusDeferred deferred;
                unsigned number;
        } pieces[N];
        pthread_t thread; /* where they have to run */
        atomic_uint n_run;
} Fixture;

static void on_state(int r, void *userdata) {
        Fixture *fixture = userdata;

        fixture->state = r;
        fixture->n_states++;
}

static Fixture *the_fixture;

static int start(void **state, const char *address) {
        Fixture *fixture = the_fixture = calloc(1, sizeof(*fixture));
        BusServerOptions options = {
                .address = address,
                .name = "org.dkv.Test",
                .objects = objects,
                .userdata = fixture,
                .on_state = on_state,
        };

        fixture->thread = pthread_self();
        assert_ok(sd_event_new(&fixture->event));
        assert_ok(bus_server_new(fixture->event, &options, &fixture->server));
        *state = fixture;
        return 0;
}

static int setup_none(void **state) {
        return start(state, "none");
}

static int setup_nowhere(void **state) {
        return start(state, "unix:path=/nonexistent/bus");
}

static int setup_nonsense(void **state) {
        return start(state, "nonsense");
}

static int teardown(void **state) {
        Fixture *fixture = *state;

        (void) bus_server_free(fixture->server);
        (void) sd_event_unref(fixture->event);
        free(fixture);
        return 0;
}

TEST(none_is_no_bus_and_no_failure) {
        Fixture *fixture = *state;

        assert_int_equal(sd_event_run(fixture->event, 0), 0);
        assert_null(bus_server_bus(fixture->server));
        assert_int_equal(fixture->n_states, 0);
}

TEST(missing_bus_is_told_once) {
        Fixture *fixture = *state;

        while (fixture->n_states == 0)
                assert_ok(sd_event_run(fixture->event, UINT64_MAX));
        assert_true(fixture->state < 0);
        assert_null(bus_server_bus(fixture->server));
        while (sd_event_run(fixture->event, 0) > 0)
                ;
        assert_int_equal(fixture->n_states, 1);
}

static void run_piece(BusDeferred *deferred) {
        struct Piece *piece = CONTAINER_OF(deferred, struct Piece, deferred);

        assert_true(pthread_equal(pthread_self(), the_fixture->thread));
        assert_int_equal(piece->number, the_fixture->n_run);
        the_fixture->n_run++;
}

static void *defer_all(void *userdata) {
        Fixture *fixture = userdata;

        for (unsigned i = 0; i < N; i++) {
                fixture->pieces[i].number = i;
                fixture->pieces[i].deferred.run = run_piece;
                bus_defer(fixture->server, &fixture->pieces[i].deferred);
        }
        return NULL;
}

TEST(deferred_runs_on_the_loop_in_order) {
        Fixture *fixture = *state;
        pthread_t other;

        assert_int_equal(pthread_create(&other, NULL, defer_all, fixture), 0);
        while (fixture->n_run < N)
                assert_ok(sd_event_run(fixture->event, UINT64_MAX));
        assert_int_equal(pthread_join(other, NULL), 0);
}

TEST(deferred_is_not_lost_in_the_end) {
        Fixture *fixture = *state;

        (void) defer_all(fixture);
        assert_int_equal(fixture->n_run, 0);
        fixture->server = bus_server_free(fixture->server);
        assert_int_equal(fixture->n_run, N);
}

#define ROW(test, set_up) cmocka_unit_test_setup_teardown(test, set_up, teardown)

int main(void) {
        static const struct CMUnitTest tests[] = {
                ROW(none_is_no_bus_and_no_failure, setup_none),
                ROW(missing_bus_is_told_once, setup_nowhere),
                { "missing_bus_is_told_once: nonsense", missing_bus_is_told_once, setup_nonsense,
                  teardown, NULL },
                ROW(deferred_runs_on_the_loop_in_order, setup_none),
                ROW(deferred_is_not_lost_in_the_end, setup_nowhere),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
