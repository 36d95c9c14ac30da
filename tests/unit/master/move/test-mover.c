/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <sched.h>

#include "base/clock.h"
#include "core/call/wire.h"
#include "http/stand-in.h"
#include "master/cluster/report.h"
#include "master/move/mover.h"
#include "scratch.h"
#include "store/index/move.h"

#define TARGET 1 /* the volume that the test stands in for */
#define FIRST  2 /* sources, which nobody asks */
#define SECOND 3

static char *directory;
static const _Atomic uint64_t grace_usec = USEC_PER_HOUR;
static sd_event *event;
static Index *the_index;
static Volumes *volumes;
static Outbox *outbox;
static HttpServer *clients_server; /* at which clients may be at work */
static StandIn volume;
static Mover *mover;
static MoveOutcome outcomes[1000];
static size_t n_outcomes;
static sem_t answered;

static void on_moved(const MoveResult *result, void *userdata) {
        outcomes[n_outcomes++] = result->outcome;
}

static void on_answered(HttpCall *call, const HttpResult *result, void *userdata) {
        assert_ok(sem_post(&answered));
}

static bool has_clients(void *userdata) {
        return clients_server && http_server_has_clients(clients_server);
}

static void report(uint32_t number, const char *url) {
        VolumeReport request = { .number = number,
                                 .uuid = { (uint8_t) number },
                                 .run = 1,
                                 .sequence = 1,
                                 .url = url,
                                 .zone = "" };
        IndexSet barrier = { .request.done = scratch_answered, .name = "barrier" };

        assert_int_equal(volumes_report(volumes, &request), 0);
        index_set(the_index, &barrier); /* what was submitted before it is done when it is */
        assert_int_equal(scratch_wait(), 0);
}

static int setup(void **state) {
        MoverOptions mover_options;
        IndexOptions options = { .directory = directory = scratch_new() };
        VolumesOptions volumes_options = { .timeout_usec = USEC_PER_HOUR,
                                           .copies = 1,
                                           .auto_add = true };

        n_outcomes = 0;
        assert_ok(sem_init(&answered, 0, 0));
        clients_server = NULL;
        assert_ok(sd_event_new(&event));
        assert_int_equal(index_open(&options, &the_index), 0);
        assert_int_equal(volumes_new(the_index, &volumes_options, &volumes), 0);
        stand_in_init(&volume);
        stand_in_listen(&volume);
        assert_int_equal(outbox_new(volume.client, volumes, &outbox), 0);
        mover_options = (MoverOptions){
                .index = the_index,
                .volumes = volumes,
                .outbox = outbox,
                .client = volume.client,
                .bulk = volume.client,
                .grace_usec = &grace_usec,
                .has_clients = has_clients,
        };
        report(TARGET, volume.url);
        report(FIRST, "http://127.0.0.1:2");
        report(SECOND, "http://127.0.0.1:3");
        assert_int_equal(mover_new(&mover_options, on_moved, NULL, &mover), 0);
        return 0;
}

static int teardown(void **state) {
        stand_in_done(&volume);
        the_index = index_free(the_index);
        mover = mover_free(mover);
        outbox = outbox_free(outbox);
        volumes = volumes_free(volumes);
        event = sd_event_unref(event);
        directory = scratch_free(directory);
        return 0;
}

static void write_key(const char *key, uint64_t version, size_t n_copies) {
        IndexCommit commit = {
                .request.done = scratch_answered,
                .key = key,
                .record = {
                        .version = version,
                        .size = 10,
                        .content_type = "",
                        .metadata = "",
                        .n_copies = (uint8_t) n_copies,
                        .copies = { FIRST, SECOND },
                },
        };

        index_commit(the_index, &commit);
        assert_int_equal(scratch_wait(), 0);
}

/* To the target, from the first volume, or either of two. */
static void submit(const char *key, uint64_t version, size_t n_sources) {
        Record record = { .version = version, .size = 10 };
        Plan plan = {
                .add = { TARGET },
                .n_add = 1,
                .drop = { FIRST },
                .n_drop = 1,
                .sources = { FIRST, SECOND },
                .n_sources = n_sources,
        };

        assert_int_equal(mover_submit(mover, key, &record, &plan), 0);
        mover_work(mover, 0);
}

static void work(size_t n) {
        while (n_outcomes < n)
                mover_work(mover, clock_monotonic() + USEC_PER_SEC);
}

/* Answers the next pull, of one object. Returns the port of the source. */
static char answer_pull(uint64_t version, int error) {
        _cleanup_(buffer_done) Buffer answer = {};
        Reader reader = stand_in_receive(&volume, "/-/pull");
        WirePullItem item;
        WirePull pull;
        char port;

        assert_int_equal(reader_get_varint(&reader), 0); /* confirmed */
        assert_int_equal(wire_get_pull(&reader, &pull), 0);
        assert_true(pull.deadline_usec > clock_realtime());
        assert_int_equal(pull.n_items, 1);
        assert_int_equal(wire_get_pull_item(&reader, pull.n_sources, &item), 0);
        assert_int_equal(item.version, version);
        port = pull.sources[item.source].url[strlen("http://127.0.0.1:")];
        wire_put_error(&answer, error);
        stand_in_answer(&volume, &answer);
        return port;
}

static void assert_copy(const char *key, uint32_t number) {
        _cleanup_(buffer_done) Buffer scratch = {};
        Record record;

        assert_int_equal(index_get(the_index, key, &scratch, &record), 0);
        for (size_t i = 0; i < record.n_copies; i++)
                if (record.copies[i] == number)
                        return;
        fail_msg("no copy of '%s' on volume %u", key, number);
}

TEST(what_was_pulled_is_swapped_and_confirmed) {
        static const Buffer empty = {};
        Reader reader;

        write_key("k", 2, 1);
        submit("k", 2, 1);
        assert_int_equal(mover_count(mover), 1);
        assert_copy("k", FIRST);
        assert_int_equal(answer_pull(2, 0), '2');
        work(1);
        assert_int_equal(outcomes[0], MOVE_DONE);
        assert_int_equal(mover_count(mover), 0);
        assert_copy("k", TARGET);
        assert_true(index_is_stray(the_index, 2, FIRST));

        reader = stand_in_receive(&volume, "/-/store");
        assert_int_equal(reader_get_varint(&reader), 1);
        assert_int_equal(reader_get_u64(&reader), 2);
        stand_in_answer(&volume, &empty);
}

TEST(another_source_is_tried_if_one_is_damaged) {
        char first;

        write_key("k", 2, 2);
        submit("k", 2, 2);
        first = answer_pull(2, -EBADMSG);
        mover_work(mover, clock_monotonic() + PATIENCE_SEC * USEC_PER_SEC);
        while (n_outcomes == 0 && sem_trywait(&volume.arrived) < 0)
                mover_work(mover, clock_monotonic() + USEC_PER_SEC / 100);
        assert_int_equal(n_outcomes, 0);
        assert_ok(sem_post(&volume.arrived));
        assert_int_equal(answer_pull(2, -ENOENT), first == '2' ? '3' : '2');
        work(1);
        assert_int_equal(outcomes[0], MOVE_DAMAGED);
        assert_copy("k", FIRST);
}

TEST(what_is_written_meanwhile_is_not_swapped) {
        write_key("k", 2, 1);
        submit("k", 2, 1);
        stand_in_await(&volume);
        write_key("k", 4, 1);
        (void) answer_pull(2, 0);
        work(1);
        assert_int_equal(outcomes[0], MOVE_CHANGED);
        assert_copy("k", FIRST);
}

TEST(a_full_target_and_one_that_fails_are_told_apart) {
        write_key("k", 2, 1);
        submit("k", 2, 1);
        (void) answer_pull(2, -ENOSPC);
        work(1);
        assert_int_equal(outcomes[0], MOVE_FULL);

        submit("k", 2, 1);
        (void) answer_pull(2, -ETIMEDOUT);
        work(2);
        assert_int_equal(outcomes[1], MOVE_LATER);
        assert_copy("k", FIRST);
}

/* A client's request, as far as the server can see. */
static void be_a_client(void) {
        uint64_t deadline = clock_monotonic() + PATIENCE_SEC * USEC_PER_SEC;
        char url[sizeof(volume.url) + 1];
        HttpCall *call;

        (void) snprintf(url, sizeof(url), "%s/", volume.url);
        assert_ok(http_call_new(volume.client, "GET", url, &call));
        http_call_start(call, on_answered, NULL);
        wait_for(&answered);
        while (!http_server_has_clients(volume.server) && clock_monotonic() < deadline)
                (void) sched_yield();
        clients_server = volume.server;
}

/* Writes keys, with one submit behind the other before any is begun. */
static void submit_many(size_t n, uint64_t size) {
        for (size_t i = 1; i <= n; i++) {
                Record record = { .version = 2 * i, .size = size };
                Plan plan = { .add = { TARGET }, .n_add = 1, .sources = { FIRST }, .n_sources = 1 };
                char key[16];

                (void) snprintf(key, sizeof(key), "k%zu", i);
                assert_int_equal(mover_submit(mover, key, &record, &plan), 0);
        }
        mover_work(mover, 0);
}

/* Lets the next pull fail. Returns how many objects it is about. */
static size_t refuse_pull(void) {
        Reader reader = stand_in_receive(&volume, "/-/pull");
        WirePull pull;

        assert_int_equal(reader_get_varint(&reader), 0); /* confirmed */
        assert_int_equal(wire_get_pull(&reader, &pull), 0);
        stand_in_refuse(&volume, -EIO);
        return pull.n_items;
}

TEST(without_clients_calls_are_large) {
        mover_set_limits(mover, &(JobLimits){ .parallel = 1 });
        submit_many(1000, 10);
        assert_int_equal(refuse_pull(), WIRE_PULL_MAX);
        work(WIRE_PULL_MAX);
        mover_work(mover, 0);
        assert_int_equal(refuse_pull(), 1000 - WIRE_PULL_MAX);
        work(1000);
}

TEST(clients_come_first) {
        be_a_client();
        submit_many(1000, 10);
        stand_in_await(&volume);
        mover_work(mover, 0);
        assert_int_equal(refuse_pull(), 128);
        assert_int_equal(sem_trywait(&volume.arrived), -1); /* nothing else until that has ended */
        work(128);
        mover_stop(mover);
}

TEST(the_rate_is_passed_on) {
        Reader reader;
        WirePull pull;

        mover_set_limits(mover, &(JobLimits){ .parallel = 1, .rate = 12345 });
        submit_many(1, 10);
        reader = stand_in_receive(&volume, "/-/pull");
        assert_int_equal(reader_get_varint(&reader), 0); /* confirmed */
        assert_int_equal(wire_get_pull(&reader, &pull), 0);
        assert_int_equal(pull.rate, 12345);
        stand_in_refuse(&volume, -EIO);
        work(1);
}

TEST(stopping_gives_up_what_waits_and_what_is_under_way) {
        write_key("k", 2, 1);
        write_key("l", 4, 1);
        mover_set_limits(mover, &(JobLimits){ .parallel = 1 });
        submit("k", 2, 1);
        stand_in_await(&volume);
        submit("l", 4, 1);
        mover_stop(mover);
        assert_int_equal(mover_count(mover), 0);
        assert_int_equal(n_outcomes, 2);
        assert_copy("k", FIRST);
        assert_copy("l", FIRST);
        stand_in_refuse(&volume, -ESHUTDOWN);
}

#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
int main(void) {
        const struct CMUnitTest tests[] = {
                RUN(what_was_pulled_is_swapped_and_confirmed),
                RUN(another_source_is_tried_if_one_is_damaged),
                RUN(what_is_written_meanwhile_is_not_swapped),
                RUN(a_full_target_and_one_that_fails_are_told_apart),
                RUN(without_clients_calls_are_large),
                RUN(clients_come_first),
                RUN(the_rate_is_passed_on),
                RUN(stopping_gives_up_what_waits_and_what_is_under_way),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
