/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Calls that are answered later: each of them once, and freed once, whoever comes last. */

#include "test.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>

#include "bus/bus-ends.h"
#include "bus/property.h"
#include "master/bus/call.h"

#define PATH      "/org/dkv/Test"
#define INTERFACE "org.dkv.Test"

/* A call of Work(), which another thread does. */
typedef struct Work {
        BusCall call;
        int result;
        unsigned n_rounds; /* it takes so many */
} Work;

static BusEnds ends;
static BusCalls calls;
static Work *held[8]; /* that nobody has deferred yet */
static size_t n_held, n_freed, n_deferred;

static void on_done(BusCall *call) {
        n_freed++;
}

static void on_deferred(BusCall *call) {
        Work *work = CONTAINER_OF(call, Work, call);
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;

        n_deferred++;
        if (work->n_rounds-- > 1) {
                bus_call_defer(call);
                return;
        }
        if (work->result < 0) {
                (void) bus_fail(&error, work->result, NULL);
                bus_call_fail(call, &error);
        } else {
                _cleanup_(bus_writer_done) BusWriter reply = bus_writer_reply(call->message);

                bus_writer_put(&reply, "i", work->result);
                bus_call_reply(call, &reply);
        }
}

static int method_work(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Work *work = calloc(1, sizeof(*work));

        assert_non_null(work);
        assert_ptr_equal(userdata, &calls);
        bus_call_init(&work->call, &calls, message);
        work->call.on_deferred = on_deferred;
        work->call.done = on_done;
        work->n_rounds = 1;
        assert_ok(sd_bus_message_read(message, "i", &work->result));
        if (work->result == 0) { /* refused at once */
                (void) bus_call_free(&work->call);
                return bus_fail(error, -EINVAL, NULL);
        }
        bus_call_start(&work->call);
        held[n_held++] = work;
        return 1;
}

/* clang-format off */
static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("Work", "i", "i", method_work, BUS_FOR_ALL),
        SD_BUS_VTABLE_END,
};
static const BusObject objects[] = { { PATH, INTERFACE, vtable }, {} };
/* clang-format on */

static int setup(void **state) {
        n_held = n_freed = n_deferred = 0;
        calls = (BusCalls){};
        bus_ends_init(&ends);
        return bus_server_new(
                        ends.event,
                        &(BusServerOptions){
                                        .address = "none",
                                        .name = "org.dkv.Test",
                                        .bus = ends.server,
                                        .objects = objects,
                                        .userdata = &calls,
                        },
                        &calls.server);
}

static int teardown(void **state) {
        calls.server = bus_server_free(calls.server);
        bus_ends_done(&ends);
        return 0;
}

static int on_reply(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        *(sd_bus_message **) userdata = sd_bus_message_ref(message);
        return 1;
}

static void send_call(int value, sd_bus_message **reply) {
        size_t n = n_held;

        *reply = NULL;
        assert_ok(sd_bus_call_method_async(
                        ends.client, NULL, NULL, PATH, INTERFACE, "Work", on_reply, reply, "i",
                        value));
        bus_ends_await(&ends, n_held > n || *reply);
}

static void assert_answer(sd_bus_message *reply, int expected) {
        int value;

        assert_ok(sd_bus_message_read(assert_no_bus_error(reply), "i", &value));
        assert_int_equal(value, expected);
        (void) sd_bus_message_unref(reply);
}

static void *defer(void *userdata) {
        bus_call_defer(userdata);
        return NULL;
}

TEST(another_thread_has_a_call_answered_on_the_loop) {
        sd_bus_message *reply;
        pthread_t thread;

        send_call(5, &reply);
        assert_int_equal(pthread_create(&thread, NULL, defer, &held[0]->call), 0);
        bus_ends_await(&ends, reply);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_answer(reply, 5);
        assert_int_equal(n_freed, 1);
        assert_null(calls.first);
}

TEST(calls_are_answered_in_any_order) {
        static const size_t order[] = { 1, 3, 0, 2 };
        sd_bus_message *replies[4];

        for (int i = 0; i < 4; i++)
                send_call(i + 1, replies + i);
        for (size_t i = 0; i < ELEMENTSOF(order); i++) {
                bus_call_defer(&held[order[i]]->call);
                bus_ends_await(&ends, replies[order[i]]);
                assert_answer(replies[order[i]], (int) order[i] + 1);
                assert_int_equal(n_freed, i + 1);
        }
        assert_null(calls.first);
}

TEST(a_call_may_take_several_rounds) {
        sd_bus_message *reply;

        send_call(7, &reply);
        held[0]->n_rounds = 3;
        bus_call_defer(&held[0]->call);
        bus_ends_await(&ends, reply);
        assert_answer(reply, 7);
        assert_int_equal(n_deferred, 3);
        assert_int_equal(n_freed, 1);
}

TEST(a_failure_is_the_answer) {
        sd_bus_message *reply;

        send_call(-EBUSY, &reply);
        bus_call_defer(&held[0]->call);
        bus_ends_await(&ends, reply);
        assert_bus_error(reply, "org.dkv.Error.Busy", "");
        assert_int_equal(n_freed, 1);
}

TEST(a_call_that_is_refused_at_once_is_open_nowhere) {
        sd_bus_message *reply;

        send_call(0, &reply);
        assert_bus_error(reply, "org.dkv.Error.Invalid", "");
        assert_int_equal(n_freed, 1);
        assert_null(calls.first);
        assert_null(bus_call_free(NULL));
}

/* What another thread has finished is told as it ended; the others hear that the end has come, and
 * their threads come too late. */
TEST(at_the_end_each_open_call_is_answered_once) {
        sd_bus_message *finished, *open;

        send_call(5, &finished);
        send_call(6, &open);
        bus_call_defer(&held[0]->call);
        bus_calls_end(&calls);
        assert_null(calls.first);
        assert_int_equal(n_freed, 1);

        bus_ends_await(&ends, finished && open);
        assert_answer(finished, 5);
        assert_bus_error(open, "org.dkv.Error.ShuttingDown", "look whether this was still done");

        bus_call_defer(&held[1]->call);
        bus_server_run_deferred(calls.server);
        assert_int_equal(n_deferred, 1);
        assert_int_equal(n_freed, 2);
}

TEST(a_caller_that_is_gone_is_no_failure) {
        sd_bus_message *reply;

        send_call(5, &reply);
        ends.client = sd_bus_close_unref(ends.client);
        bus_call_defer(&held[0]->call);
        bus_ends_await(&ends, n_freed == 1);
        assert_null(calls.first);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
        static const struct CMUnitTest tests[] = {
                ROW(another_thread_has_a_call_answered_on_the_loop),
                ROW(calls_are_answered_in_any_order),
                ROW(a_call_may_take_several_rounds),
                ROW(a_failure_is_the_answer),
                ROW(a_call_that_is_refused_at_once_is_open_nowhere),
                ROW(at_the_end_each_open_call_is_answered_once),
                ROW(a_caller_that_is_gone_is_no_failure),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
