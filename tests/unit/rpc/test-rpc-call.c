/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Calls over channels, from whom calls to whom is called, and what keeps them from arriving. */

#include "test.h"

#include <errno.h>
#include <unistd.h>

#include "channel/handshake.h"
#include "http/stand-in.h"
#include "rpc/channel-types.h"

static const Parties order = {
        .lead = { .cluster = "a cluster", .term = 7, .leader = 9 },
        .to = { .number = 3, .uuid = "a store", .run = 5 },
        .sequence = 11,
        .revision = 13,
};

static StandIn other;

static int setup(void **state) {
        stand_in_init(&other);
        return 0;
}

static int teardown(void **state) {
        stand_in_done(&other);
        return 0;
}

typedef struct Trial {
        sem_t done;
        unsigned n_done;
        int error, refusal;
        char detail[128];
        Leadership lead;
        Buffer answer;
        Loop *loop; /* on which it ended */
} Trial;

static void on_done(const RpcResult *result, void *userdata) {
        Trial *trial = userdata;

        trial->n_done++;
        trial->error = result->error;
        trial->refusal = result->refusal;
        trial->lead = result->lead;
        trial->loop = loop_current();
        (void) snprintf(trial->detail, sizeof(trial->detail), "%s", result->detail ?: "");
        buffer_put(&trial->answer, result->body, result->body_size);
        assert_ok(sem_post(&trial->done));
}

static int
start_as(Trial *trial, const Parties *parties, CallKind kind, Buffer *body, RpcCallHandle **ret) {
        *trial = (Trial){};
        assert_ok(sem_init(&trial->done, 0, 0));
        return rpc_call(
                        &(RpcCall){
                                        .peers = other.peers,
                                        .kind = kind,
                                        .url = other.url,
                                        .parties = parties,
                                        .body = body,
                                        .on_done = on_done,
                                        .userdata = trial,
                        },
                        ret);
}

static int start(Trial *trial, CallKind kind, Buffer *body, RpcCallHandle **ret) {
        return start_as(trial, &order, kind, body, ret);
}

TEST(a_call_arrives_with_its_body_and_is_answered) {
        const Leadership lead = { .cluster = "a cluster", .term = 8, .leader = 10 };
        Buffer body = {}, answer = {};
        Trial trial;
        Reader reader;

        stand_in_listen(&other);
        buffer_put(&body, "a body", 6);
        assert_ok(start(&trial, CALL_STORE, &body, NULL));
        assert_null(body.data); /* it was taken over */
        reader = stand_in_receive(&other, CALL_STORE);
        assert_int_equal(reader.size, 6);
        assert_memory_equal(reader.data, "a body", 6);
        assert_true(parties_equal(stand_in_parties(&other), &order));

        buffer_put(&answer, "an answer", 9);
        stand_in_answer_as(&other, &lead, &answer);
        buffer_done(&answer);
        wait_for(&trial.done);
        assert_int_equal(trial.error, 0);
        assert_int_equal(trial.refusal, 0);
        assert_int_equal(trial.answer.size, 9);
        assert_true(leadership_equal(&trial.lead, &lead));
        assert_ptr_equal(trial.loop, loops_get(other.caller_loops, 0)); /* the home loop */
        buffer_done(&trial.answer);
}

TEST(a_refusal_is_told_with_its_sentence) {
        Trial trial;

        stand_in_listen(&other);
        assert_ok(start(&trial, CALL_DELETE, NULL, NULL));
        (void) stand_in_receive(&other, CALL_DELETE);
        assert_ok(rpc_request_refuse(TAKE_PTR(other.call), -EREMOTE, "This is volume 4."));
        wait_for(&trial.done);
        assert_int_equal(trial.error, 0);
        assert_int_equal(trial.refusal, -EREMOTE);
        assert_string_equal(trial.detail, "This is volume 4.");
}

/* It is not our own end, which -ESHUTDOWN means. */
TEST(a_daemon_that_is_being_stopped_is_as_good_as_down) {
        Trial trial;

        stand_in_listen(&other);
        assert_ok(start(&trial, CALL_CHECK, NULL, NULL));
        (void) stand_in_receive(&other, CALL_CHECK);
        stand_in_refuse(&other, -ESHUTDOWN);
        wait_for(&trial.done);
        assert_int_equal(trial.refusal, -EHOSTDOWN);
}

TEST(nobody_there_is_an_answer_as_well) {
        Trial trials[3];

        for (size_t i = 0; i < ELEMENTSOF(trials); i++) { /* the second one is told at once */
                assert_ok(start(trials + i, CALL_STORE, NULL, NULL));
                wait_for(&trials[i].done);
                assert_int_equal(trials[i].error, -EHOSTDOWN);
        }
        stand_in_listen(&other);
        peers_hurry(other.peers, other.url);
        assert_ok(start(trials, CALL_STORE, NULL, NULL));
        (void) stand_in_receive(&other, CALL_STORE);
        stand_in_answer(&other, &(Buffer){});
        wait_for(&trials[0].done);
        assert_int_equal(trials[0].error, 0);
}

TEST(a_call_whose_connection_breaks_fails_and_the_next_one_gets_through) {
        Trial trial;

        stand_in_listen(&other);
        for (int i = 0; i < 3; i++) {
                assert_ok(start(&trial, CALL_STORE, NULL, NULL));
                (void) stand_in_receive(&other, CALL_STORE);
                if (i == 1)
                        stand_in_cut(&other);
                else
                        stand_in_answer(&other, &(Buffer){});
                wait_for(&trial.done);
                assert_int_equal(trial.error < 0, i == 1);
        }
}

TEST(a_call_that_is_canceled_ends_once) {
        RpcCallHandle *handle;
        Trial trial;

        stand_in_listen(&other);
        assert_ok(start(&trial, CALL_PULL, NULL, &handle));
        (void) stand_in_receive(&other, CALL_PULL);
        assert_ok(rpc_request_check(other.call));
        rpc_call_cancel(handle);
        wait_for(&trial.done);
        assert_int_equal(trial.error, -ECANCELED);
        while (rpc_request_check(other.call) != -ECANCELED) /* which the other side hears */
                (void) usleep(USEC_PER_MSEC);
        stand_in_answer(&other, &(Buffer){});
        rpc_call_cancel(handle); /* of no effect */
        (void) rpc_call_unref(handle);
        assert_int_equal(trial.n_done, 1);
}

TEST(a_body_that_is_too_large_is_not_sent) {
        Trial trial;
        Buffer body = {};

        while (body.size <= call_types[CALL_CHECK].body_max)
                buffer_put(&body, order.lead.cluster, sizeof(order.lead.cluster));
        stand_in_listen(&other);
        assert_ok(start(&trial, CALL_CHECK, &body, NULL));
        wait_for(&trial.done);
        assert_int_equal(trial.error, -EMSGSIZE);
}

static sem_t goes_on;

static void stop_for_a_while(void *userdata) {
        wait_for(&goes_on);
}

TEST(calls_that_wait_for_a_silent_daemon_are_ended) {
        Trial trial;

        assert_ok(sem_init(&goes_on, 0, 0));
        stand_in_listen(&other);
        assert_ok(start(&trial, CALL_STORE, NULL, NULL));
        (void) stand_in_receive(&other, CALL_STORE);
        assert_ok(loop_post(loops_get(other.loops, 0), 0, stop_for_a_while, NULL));
        while (sem_trywait(&trial.done) < 0) {
                peers_end_silent(other.peers, other.url, USEC_PER_SEC);
                (void) usleep(50 * USEC_PER_MSEC);
        }
        assert_int_equal(trial.error, -ETIMEDOUT);
        assert_ok(sem_post(&goes_on));
}

static void never(void *userdata) {
        fail();
}

TEST(stopped_peers_end_all_calls_and_run_no_posts) {
        Trial trial, later;

        stand_in_listen(&other);
        assert_ok(start(&trial, CALL_STORE, NULL, NULL));
        (void) stand_in_receive(&other, CALL_STORE);
        assert_ok(peers_post(other.peers, USEC_PER_HOUR, never, NULL));
        peers_stop(other.peers);
        assert_int_equal(trial.n_done, 1);
        assert_int_equal(trial.error, -ESHUTDOWN);
        assert_ok(peers_post(other.peers, 0, never, NULL));
        assert_ok(start(&later, CALL_STORE, NULL, NULL));
        wait_for(&later.done);
        assert_int_equal(later.error, -ESHUTDOWN);
}

static void linger(void *userdata) {
        (void) usleep(USEC_PER_MSEC);
}

/* So the loop has something to do before it comes to the next one. */
static void post_again(void *userdata) {
        assert_ok(loop_post(loop_current(), 0, linger, NULL));
        assert_ok(peers_post(userdata, 0, post_again, userdata));
}

TEST(peers_that_have_their_loop_woken_all_the_time_are_freed) {
        Secret *secret;
        Loops *loops;
        Peers *peers;

        assert_ok(secret_new("0123456789abcdef", 16, &secret));
        assert_ok(loops_new(1, &loops));
        assert_ok(peers_new(&(PeersOptions){ loops, secret, USEC_PER_HOUR }, &peers));
        assert_ok(peers_post(peers, 0, post_again, peers));
        (void) peers_free(peers);
        (void) loops_free(loops);
        (void) secret_free(secret);
}

TEST(when_the_service_is_stopped_calls_that_take_long_are_told) {
        Trial trial;

        stand_in_listen(&other);
        assert_ok(start(&trial, CALL_PULL, NULL, NULL));
        (void) stand_in_receive(&other, CALL_PULL);
        rpc_service_stop(other.service);
        assert_int_equal(rpc_request_check(other.call), -ESHUTDOWN);
        stand_in_answer(&other, &(Buffer){});
        wait_for(&trial.done);
        assert_int_equal(trial.error, 0);
}

/* Calls each of the two in turn. Returns how many connections that took. */
static unsigned call_in_turn(CallKind kind, const StoreIdentity to[static 2]) {
        Parties parties = order;
        Trial trial;

        stand_in_listen(&other);
        for (size_t i = 0; i < 6; i++) {
                parties.to = to[i % 2];
                assert_ok(start_as(&trial, &parties, kind, NULL, NULL));
                (void) stand_in_receive(&other, kind);
                stand_in_answer(&other, &(Buffer){});
                wait_for(&trial.done);
                assert_int_equal(trial.error, 0);
        }
        return other.n_opened; /* the loop has counted before it took the call */
}

TEST(masters_of_a_group_do_not_take_each_others_channels_away) {
        const StoreIdentity masters[] = { { .uuid = "one of them" }, { .uuid = "another" } };

        assert_int_equal(call_in_turn(CALL_GROUP, masters), 2);
}

TEST(another_store_of_a_volume_takes_its_place) {
        const StoreIdentity stores[] = { { .number = 3, .uuid = "a store", .run = 5 },
                                         { .number = 3, .uuid = "another", .run = 6 } };

        assert_int_equal(call_in_turn(CALL_STORE, stores), 6);
}

/* The offer is signed, but who sends it is only known by what it does with the keys. */
static void open_without_keys(void) {
        const Handshake offer = { .purpose = RPC_PURPOSE, .cluster = "a cluster" };
        char text[HANDSHAKE_TEXT_SIZE], request[HANDSHAKE_TEXT_SIZE + 256], piece[1024];
        struct sockaddr_in address = {
                .sin_family = AF_INET,
                .sin_port = htons((uint16_t) other.port),
                .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
        };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        size_t n = 0;

        assert_ok(handshake_offer(&offer, secret_signer(other.secret), text));
        (void) snprintf(request, sizeof(request),
                        "GET " HANDSHAKE_PATH " HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n"
                        "Upgrade: " HANDSHAKE_PROTOCOL "\r\n" HANDSHAKE_HEADER ": %s\r\n\r\n",
                        text);
        assert_ok(connect(fd, (struct sockaddr *) &address, sizeof(address)));
        assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
        assert_ok(shutdown(fd, SHUT_WR));
        for (ssize_t got = 1; got > 0; n += (size_t) MAX(got, (ssize_t) 0)) {
                got = recv(fd, piece + n, sizeof(piece) - 1 - n, 0);
                assert_true(got >= 0 || errno == ECONNRESET);
        }
        piece[n] = '\0';
        assert_memory_equal(piece, "HTTP/1.1 101", 12);
        (void) close(fd);
}

TEST(nothing_is_told_of_a_connection_before_it_has_shown_that_it_has_the_keys) {
        Trial trial;

        stand_in_listen(&other);
        open_without_keys();
        assert_ok(start(&trial, CALL_STORE, NULL, NULL));
        (void) stand_in_receive(&other, CALL_STORE);
        stand_in_answer(&other, &(Buffer){});
        wait_for(&trial.done);
        peers_stop(other.peers);
        wait_for(&other.closed);
        assert_int_equal(other.n_opened, 1);
        assert_int_equal(other.n_closed, 1);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                RUN(a_call_arrives_with_its_body_and_is_answered),
                RUN(a_refusal_is_told_with_its_sentence),
                RUN(a_daemon_that_is_being_stopped_is_as_good_as_down),
                RUN(nobody_there_is_an_answer_as_well),
                RUN(a_call_whose_connection_breaks_fails_and_the_next_one_gets_through),
                RUN(a_call_that_is_canceled_ends_once),
                RUN(a_body_that_is_too_large_is_not_sent),
                RUN(calls_that_wait_for_a_silent_daemon_are_ended),
                RUN(stopped_peers_end_all_calls_and_run_no_posts),
                RUN(peers_that_have_their_loop_woken_all_the_time_are_freed),
                RUN(when_the_service_is_stopped_calls_that_take_long_are_told),
                RUN(masters_of_a_group_do_not_take_each_others_channels_away),
                RUN(another_store_of_a_volume_takes_its_place),
                RUN(nothing_is_told_of_a_connection_before_it_has_shown_that_it_has_the_keys),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
