/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "channel/world.h"

static World *world;

static int teardown(void **state) {
        world = world_free(world);
        return 0;
}

static uint64_t failed_at;

/* Makes a call that fails since there is no connection. Returns the reason. */
static const char *fail_to_call(int error) {
        static Outcome outcome;

        assert_ok(world_call(world, WORLD_ECHO, 10, 1, &outcome));
        outcome_wait(&outcome);
        outcome_assert_error(&outcome, error, true);
        outcome_done(&outcome);
        assert_string_equal(channel_reason(world_channel(world)), outcome.reason);
        failed_at = outcome.at;
        return outcome.reason;
}

static void hurry(void *userdata) {
        channel_hurry(world_channel(world));
}

static void assert_works(void) {
        Outcome outcome;

        world_run(world, hurry, NULL);
        assert_ok(world_call(world, WORLD_ECHO, 10, 1, &outcome));
        outcome_wait(&outcome);
        outcome_assert_echo(&outcome, 10, 1);
        outcome_done(&outcome);
}

TEST(nobody_listens) {
        world = world_new(&(WorldOptions){});
        world_deafen(world);
        assert_string_equal(
                        fail_to_call(-EHOSTDOWN),
                        "it refuses connections, so no daemon listens there");
        world_hear(world);
        assert_works();
}

typedef struct Failure {
        sem_t done;
        int error, next; /* of the call, and of one that is made as soon as that is known */
} Failure;

static void ignore(const ChannelResult *result, void *userdata) {
}

static void call_again(const ChannelResult *result, void *userdata) {
        const ChannelCall call = { .kind = WORLD_ECHO, .on_answer = ignore };
        Failure *failure = userdata;

        failure->error = result->error;
        failure->next = channel_call(world_channel(world), &call, NULL);
        assert_ok(sem_post(&failure->done));
}

static void call_twice(void *userdata) {
        const ChannelCall call = {
                .kind = WORLD_ECHO,
                .on_answer = call_again,
                .userdata = userdata,
        };

        assert_ok(channel_call(world_channel(world), &call, NULL));
}

/* For a moment after a failure nobody waits for the next one. */
TEST(after_a_failure_calls_fail_at_once_for_a_while) {
        static Failure failure;
        static Outcome outcome;
        unsigned n = 0;
        int r = 0;

        assert_ok(sem_init(&failure.done, 0, 0));
        world = world_new(&(WorldOptions){});
        world_deafen(world);
        world_run(world, call_twice, &failure);
        assert_ok(sem_wait(&failure.done));
        assert_int_equal(failure.error, -EHOSTDOWN);
        assert_int_equal(failure.next, -EHOSTDOWN);
        world_hear(world);
        do {
                (void) usleep(1000);
                r = world_call(world, WORLD_ECHO, 10, 1, &outcome);
        } while (r == -EHOSTDOWN && n++ < 1000);
        assert_ok(r);
        outcome_wait(&outcome);
        outcome_assert_echo(&outcome, 10, 1);
        outcome_done(&outcome);
}

/* 25 to 50 ms, then up to twice as long each time, but not for more than a second. */
TEST(the_while_grows) {
        uint64_t max_msec = 50;

        world = world_new(&(WorldOptions){});
        world_deafen(world);
        (void) fail_to_call(-EHOSTDOWN);
        for (unsigned i = 0; i < 6; i++) {
                uint64_t begin = failed_at, msec;
                Outcome outcome;
                int r;

                do {
                        (void) usleep(1000);
                        r = world_call(world, WORLD_ECHO, 10, 1, &outcome);
                } while (r == -EHOSTDOWN);
                msec = (clock_monotonic() - begin) / USEC_PER_MSEC;
                assert_ok(r);
                outcome_wait(&outcome);
                outcome_assert_error(&outcome, -EHOSTDOWN, true);
                outcome_done(&outcome);
                failed_at = outcome.at;
                assert_in_range(msec, max_msec / 2, max_msec + 500); /* machines are busy */
                max_msec = MIN(2 * max_msec, UINT64_C(1000));
        }
}

TEST(another_secret_is_refused_with_a_sentence) {
        world = world_new(&(WorldOptions){ .caller_secret = "another secret of this cluster" });
        assert_string_equal(fail_to_call(-EACCES), "No such secret");
}

static void be_another_store(Handshake *answer) {
        answer->from.uuid[0]++;
}

static void be_another_number(Handshake *answer) {
        answer->from.number++;
}

static void be_in_another_cluster(Handshake *answer) {
        answer->cluster[0]++;
}

static void be_in_no_cluster(Handshake *answer) {
        answer->cluster[0] = 0;
}

TEST(who_answers_must_be_who_was_called) {
        static void (*const others[])(Handshake * answer) = {
                be_another_store,
                be_another_number,
                be_in_another_cluster,
        };

        for (size_t i = 0; i < ELEMENTSOF(others); i++) {
                world = world_new(&(WorldOptions){ .change = others[i] });
                assert_string_equal(
                                fail_to_call(-EREMOTE), "another daemon answers at its address");
                world = world_free(world);
        }

        world = world_new(&(WorldOptions){ .change = be_in_no_cluster });
        assert_works();
}

TEST(what_is_no_channel_is_told_apart) {
        static const struct {
                const char *answer;
                int error;
                const char *reason;
        } cases[] = {
                { "", -ECONNRESET, "it broke the connection" },
                { "HTTP/1.1 101 Switch", -ECONNRESET, "it broke the connection" },
                { "SSH-2.0-OpenSSH\r\n", -EOPNOTSUPP, "what it answers is no HTTP that dkv knows" },
                { "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", -EOPNOTSUPP,
                  "it answers with HTTP status 404" },
                { "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]", -EHOSTDOWN,
                  "it answers with HTTP status 200" },
                { "HTTP/1.1 421 No\r\nContent-Length: 39\r\n\r\n"
                  "{\"title\":\"Elsewhere.\",\"detail\":\"Mine.\"}",
                  -EREMOTE, "Mine." },
                { "HTTP/1.1 426 No\r\nContent-Length: 22\r\n\r\n{\"title\":\"Elsewhere.\"}",
                  -EPROTO, "Elsewhere." },
                { "HTTP/1.1 503 No\r\nContent-Length: 5\r\n\r\n{\"tit", -EHOSTDOWN,
                  "it answers with HTTP status 503" },
                { "HTTP/1.1 101 OK\r\nUpgrade: websocket\r\n\r\n", -EHOSTDOWN,
                  "it answers with HTTP status 101" },
                { "HTTP/1.1 101 OK\r\nUpgrade: dkv-channel/1\r\n\r\n", -EACCES,
                  "it does not have the secret of this cluster" },
                { "HTTP/1.1 101 OK\r\nUpgrade: dkv-channel/1\r\nDkv-Channel: 01ff\r\n\r\n", -EACCES,
                  "it does not have the secret of this cluster" },
                { "HTTP/1.1 101 OK\r\nUpgrade: dkv-channel/1\r\nDkv-Channel: 02ff\r\n\r\n", -EPROTO,
                  "it runs another release of dkv" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                world = world_new(&(WorldOptions){ .answer = cases[i].answer });
                assert_string_equal(fail_to_call(cases[i].error), cases[i].reason);
                world = world_free(world);
        }
}

TEST(an_answer_without_an_end_is_cut_off) {
        size_t size = 64 * KIB;
        char *answer = malloc(size + 1);

        assert_non_null(answer);
        memset(answer, 'x', size);
        answer[size] = '\0';
        memcpy(answer, "HTTP/1.1 500 No\r\n\r\n", 19);
        world = world_new(&(WorldOptions){ .answer = answer });
        assert_string_equal(fail_to_call(-EHOSTDOWN), "it answers with HTTP status 500");
        world = world_free(world);
        free(answer);
}

TEST(who_does_not_answer_is_given_up) {
        world = world_new(&(WorldOptions){ .is_mute = true });
        assert_string_equal(
                        fail_to_call(-ETIMEDOUT),
                        "it takes connections and does not answer in time");
}

static void end_silent(void *userdata) {
        channel_end_silent(world_channel(world), *(uint64_t *) userdata);
}

TEST(who_does_not_answer_may_be_given_up_sooner) {
        uint64_t lengthy = USEC_PER_HOUR, brief = 100 * USEC_PER_MSEC;
        Outcome outcome;

        world = world_new(&(WorldOptions){ .is_mute = true });
        assert_ok(world_call(world, WORLD_ECHO, 10, 1, &outcome));
        (void) usleep(120000);
        world_run(world, end_silent, &lengthy);
        assert_int_equal(outcome.n, 0);
        world_run(world, end_silent, &brief);
        outcome_assert_error(&outcome, -EHOSTDOWN, true);
        outcome_done(&outcome);
}

/* -- Addresses -- */

typedef struct Alone {
        Loop *loop;
        Signer *signer;
        Channel *channel;
        Outcome outcome;
        const char *url;
        int r;
} Alone;

static void introduce(Handshake *offer, void *userdata) {
}

static void note(const ChannelResult *result, void *userdata) {
        Alone *alone = userdata;

        alone->outcome.error = result->error;
        (void) strcpy(alone->outcome.reason, result->reason);
        assert_ok(sem_post(&alone->outcome.done));
}

static void dial_alone(void *userdata) {
        static const ChannelCallType types[] = { { 10, 10 } };
        Alone *alone = userdata;
        ChannelOptions options = {
                .loop = alone->loop,
                .url = alone->url,
                .signer = alone->signer,
                .types = types,
                .n_types = 1,
                .introduce = introduce,
        };
        ChannelCall call = { .on_answer = note, .userdata = alone };

        alone->r = channel_new(&options, &alone->channel);
        if (alone->r >= 0)
                assert_ok(channel_call(alone->channel, &call, NULL));
}

static void end_alone(void *userdata) {
        Alone *alone = userdata;

        alone->channel = channel_free(alone->channel);
}

/* Returns the error of a call to that URL. */
static int call_url(const char *url, char ret_reason[static FRAME_SENTENCE_MAX + 1]) {
        Alone alone = { .url = url };

        assert_ok(loop_new(&alone.loop));
        assert_ok(loop_start(alone.loop));
        assert_ok(sem_init(&alone.outcome.done, 0, 0));
        assert_ok(signer_new("a secret of thirty-two bytes ...", 32, &alone.signer));
        loop_call(alone.loop, dial_alone, &alone);
        if (alone.r >= 0)
                assert_ok(sem_wait(&alone.outcome.done));
        loop_call(alone.loop, end_alone, &alone);
        loop_stop(alone.loop);
        (void) loop_free(alone.loop);
        (void) signer_free(alone.signer);
        (void) strcpy(ret_reason, alone.outcome.reason);
        return alone.r < 0 ? alone.r : alone.outcome.error;
}

TEST(names_are_looked_up) {
        char reason[FRAME_SENTENCE_MAX + 1], url[64];
        uint16_t port = 0;
        int fd = way_listen(&port);

        (void) close(fd); /* nobody is there now */
        (void) snprintf(url, sizeof(url), "http://localhost:%u", port);
        assert_int_equal(call_url(url, reason), -EHOSTDOWN);
        assert_string_equal(reason, "it refuses connections, so no daemon listens there");
        assert_int_equal(call_url("http://[::1]:1", reason), -EHOSTDOWN);
        assert_int_equal(call_url("http://", reason), -EINVAL);
}

/* What comes first depends on whether there is a name server at all. */
TEST(a_name_that_nobody_knows_is_no_machine) {
        char reason[FRAME_SENTENCE_MAX + 1];

        assert_int_equal(call_url("http://no-such-machine.invalid:3000", reason), -EHOSTDOWN);
        assert_true(strcmp(reason, "there is no machine of that name") == 0 ||
                    strcmp(reason, "no name server knows its address in time") == 0);
}

int main(void) {
#define RUN(test) cmocka_unit_test_teardown(test, teardown)
        const struct CMUnitTest tests[] = {
                RUN(nobody_listens),
                RUN(after_a_failure_calls_fail_at_once_for_a_while),
                RUN(the_while_grows),
                RUN(another_secret_is_refused_with_a_sentence),
                RUN(who_answers_must_be_who_was_called),
                RUN(what_is_no_channel_is_told_apart),
                RUN(an_answer_without_an_end_is_cut_off),
                RUN(who_does_not_answer_is_given_up),
                RUN(who_does_not_answer_may_be_given_up_sooner),
                RUN(names_are_looked_up),
                RUN(a_name_that_nobody_knows_is_no_machine),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
