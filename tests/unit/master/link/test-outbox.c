/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <pthread.h>
#include <sched.h>

#include "core/call/wire.h"
#include "http/stand-in.h"
#include "master/cluster/report.h"
#include "master/link/outbox.h"
#include "scratch.h"

#define LIVE    1 /* the volume that the test stands in for */
#define REFUSED 2 /* one where nobody listens */
#define UNKNOWN 3 /* one that never reported */

/* Each test sends items of its own; the first byte of an item is minus the error it is answered. */
typedef struct Trial {
        OutboxItem item;
        uint8_t data[2];
        int error;
        Loop *loop; /* on which it was done */
} Trial;

static char *directory;
static struct {
        sd_event *event;
        Index *index;
        Volumes *volumes;
        Peers *peers;
} master;
static StandIn volume, refused;
static Outbox *outbox;
static sem_t done;

static void report(uint32_t number, const char *url) {
        VolumeReport request = { .number = number,
                                 .uuid = { (uint8_t) number },
                                 .run = 1,
                                 .sequence = 1,
                                 .url = url,
                                 .zone = "" };
        IndexSet barrier = { .request.done = scratch_answered, .name = "barrier" };

        assert_int_equal(volumes_report(master.volumes, &request), 0);
        index_set(master.index, &barrier); /* what was submitted before it is done when it is */
        assert_int_equal(scratch_wait(), 0);
}

static int setup(void **state) {
        IndexOptions options = { .directory = directory = scratch_new() };

        assert_ok(sem_init(&done, 0, 0));
        assert_ok(sd_event_new(&master.event));
        assert_int_equal(index_open(&options, &master.index), 0);
        assert_int_equal(
                        volumes_new(master.index,
                                    &(VolumesOptions){
                                                    .timeout_usec = USEC_PER_HOUR,
                                                    .copies = 1,
                                                    .auto_add = true,
                                    },
                                    &master.volumes),
                        0);
        stand_in_init(&volume);
        stand_in_listen(&volume);
        stand_in_init(&refused);
        master.peers = volume.peers;
        assert_int_equal(outbox_new(master.peers, master.volumes, &outbox), 0);
        report(LIVE, volume.url);
        report(REFUSED, refused.url);
        return 0;
}

static int teardown(void **state) {
        stand_in_hang_up(&volume);
        outbox = outbox_free(outbox);
        stand_in_done(&volume);
        stand_in_done(&refused);
        master.index = index_free(master.index);
        master.volumes = volumes_free(master.volumes);
        master.event = sd_event_unref(master.event);
        directory = scratch_free(directory);
        return 0;
}

static void on_done(OutboxItem *item, int error) {
        Trial *trial = CONTAINER_OF(item, Trial, item);

        trial->error = error;
        trial->loop = loop_current();
        assert_ok(sem_post(&done));
}

static void submit(Trial *trial, uint32_t number, uint8_t error, uint8_t name) {
        *trial = (Trial){
                .item.size = sizeof(trial->data),
                .item.done = on_done,
                .data = { error, name },
                .error = 1,
        };
        trial->item.data = trial->data;
        outbox_submit(outbox, number, &trial->item);
}

static void wait_for_all(size_t n) {
        for (size_t i = 0; i < n; i++)
                wait_for(&done);
}

static void do_nothing(void *userdata) {
}

/* Waits until what this thread has submitted lies in its tray, so that it goes with the next call.
 */
static void await_trays(void) {
        loop_call(loops_get(peers_loops(master.peers), 0), do_nothing, NULL);
}

/* Takes a call with exactly these confirmed versions and answers the first MAX_ANSWERS items as
 * they want it. Returns the names of the items, which are good until the next call. */
static const char *serve_with(const uint64_t *confirmed, size_t n_confirmed, size_t max_answers) {
        static char names[2048];
        _cleanup_(buffer_done) Buffer answer = {};
        Reader reader = stand_in_receive(&volume, CALL_STORE);
        size_t n_items;

        assert_int_equal(reader_get_varint(&reader), n_confirmed);
        for (size_t i = 0; i < n_confirmed; i++)
                assert_int_equal(reader_get_u64(&reader), confirmed[i]);

        n_items = reader_get_varint(&reader);
        assert_in_range(n_items, 1, sizeof(names) - 1);
        for (size_t i = 0; i < n_items; i++) {
                size_t size;
                const uint8_t *data = reader_get_bytes(&reader, &size);

                assert_non_null(data);
                names[i] = (char) data[1];
                if (i < max_answers)
                        wire_put_error(&answer, -data[0]);
        }
        names[n_items] = '\0';
        assert_int_equal(reader_end(&reader), 0);

        await_trays();
        stand_in_answer(&volume, &answer);
        return names;
}

static const char *serve(void) {
        return serve_with(NULL, 0, SIZE_MAX);
}

TEST(what_waits_goes_together_and_each_gets_its_own_answer) {
        Trial trials[4];

        submit(trials + 0, LIVE, 0, 'a');
        stand_in_await(&volume);
        submit(trials + 1, LIVE, ENOSPC, 'b');
        submit(trials + 2, LIVE, 0, 'c');
        submit(trials + 3, LIVE, EBADMSG, 'd');

        assert_string_equal(serve(), "a");
        assert_string_equal(serve(), "bcd");
        wait_for_all(4);
        assert_int_equal(trials[0].error, 0);
        assert_int_equal(trials[1].error, -ENOSPC);
        assert_int_equal(trials[2].error, 0);
        assert_int_equal(trials[3].error, -EBADMSG);

        submit(trials, LIVE, 0, 'e');
        assert_string_equal(serve(), "e");
        wait_for_all(1);
}

TEST(a_call_has_a_limit) {
        static uint8_t large[1 << 20] = { 0, 'L' };
        static Trial trials[1500];
        Trial last;
        size_t n;

        submit(trials + 0, LIVE, 0, 'a');
        stand_in_await(&volume);
        for (size_t i = 1; i < ELEMENTSOF(trials); i++)
                submit(trials + i, LIVE, 0, 'x');
        last = (Trial){ .item = { .data = large, .size = sizeof(large), .done = on_done } };
        outbox_submit(outbox, LIVE, &last.item);
        submit(trials + 0, LIVE, 0, 'z');

        assert_string_equal(serve(), "a");
        wait_for_all(1);
        n = strlen(serve());
        assert_in_range(n, 1, ELEMENTSOF(trials) - 2);
        n += strlen(serve());
        assert_int_equal(n, ELEMENTSOF(trials)); /* up to the large one */
        assert_string_equal(serve(), "z");
        wait_for_all(ELEMENTSOF(trials) + 1);
        assert_int_equal(last.error, 0);
}

/* While a call is under way, so that they do not go by themselves. */
TEST(confirmed_versions_go_with_the_next_call_once) {
        const uint64_t confirmed[] = { 7, UINT64_MAX, 8 };
        Trial trials[2];

        submit(trials + 0, LIVE, 0, 'a');
        stand_in_await(&volume);
        outbox_confirm(outbox, REFUSED, 1);
        for (size_t i = 0; i < ELEMENTSOF(confirmed); i++)
                outbox_confirm(outbox, LIVE, confirmed[i]);
        submit(trials + 1, LIVE, 0, 'b');

        assert_string_equal(serve(), "a");
        assert_string_equal(serve_with(confirmed, ELEMENTSOF(confirmed), SIZE_MAX), "b");
        wait_for_all(2);
        submit(trials + 0, LIVE, 0, 'c');
        assert_string_equal(serve(), "c");
        wait_for_all(1);
}

TEST(items_for_a_dead_volume_fail) {
        Trial trials[20];

        for (size_t i = 0; i < ELEMENTSOF(trials); i++)
                submit(trials + i, i % 2 == 0 ? REFUSED : UNKNOWN, 0, 'x');
        wait_for_all(ELEMENTSOF(trials));
        for (size_t i = 0; i < ELEMENTSOF(trials); i++)
                assert_int_equal(trials[i].error, i % 2 == 0 ? -EHOSTDOWN : -ENOENT);

        /* They try again as soon as there is a reason to. */
        report(UNKNOWN, volume.url);
        submit(trials, UNKNOWN, 0, 'y');
        assert_string_equal(serve(), "y");
        wait_for_all(1);
        assert_int_equal(trials[0].error, 0);
}

TEST(a_call_that_fails_takes_only_its_own_items_along) {
        Trial trials[4];

        submit(trials + 0, LIVE, 0, 'z'); /* else the next connection would wait a moment */
        assert_string_equal(serve(), "z");
        wait_for_all(1);

        submit(trials + 0, LIVE, 0, 'a');
        (void) stand_in_receive(&volume, CALL_STORE);
        submit(trials + 1, LIVE, 0, 'b');
        stand_in_cut(&volume);
        wait_for_all(1);
        assert_true(trials[0].error < 0);

        (void) stand_in_receive(&volume, CALL_STORE);
        submit(trials + 2, LIVE, 0, 'c');
        stand_in_refuse(&volume, -ENOSPC);
        wait_for_all(1);
        assert_int_equal(trials[1].error, -ENOSPC);

        assert_string_equal(serve(), "c");
        wait_for_all(1);
        assert_int_equal(trials[2].error, 0);
}

/* It, or the master, was just started. What comes meanwhile goes with it, behind it. */
TEST(a_volume_that_has_to_report_first_is_asked_again) {
        Trial trials[2];

        submit(trials + 0, LIVE, 0, 'a');
        for (int i = 0; i < 3; i++) {
                (void) stand_in_receive(&volume, CALL_STORE);
                if (i == 1)
                        submit(trials + 1, LIVE, ENOSPC, 'b');
                await_trays();
                stand_in_refuse(&volume, -EINPROGRESS);
        }
        assert_string_equal(serve(), "ab");
        wait_for_all(2);
        assert_int_equal(trials[0].error, 0);
        assert_int_equal(trials[1].error, -ENOSPC);
}

/* Not for ever, though. */
TEST(a_volume_that_never_reports_counts_as_down) {
        unsigned n = 0;
        Trial trial;

        submit(&trial, LIVE, 0, 'a');
        while (sem_trywait(&done) < 0) {
                if (sem_trywait(&volume.arrived) < 0) {
                        (void) sched_yield();
                        continue;
                }
                n++;
                stand_in_refuse(&volume, -EINPROGRESS);
        }
        assert_true(n > 3);
        assert_int_equal(trial.error, -EHOSTDOWN);
}

TEST(an_answer_that_is_too_short_fails_the_rest) {
        Trial trials[3];

        submit(trials + 0, LIVE, 0, 'a');
        stand_in_await(&volume);
        submit(trials + 1, LIVE, 0, 'b');
        submit(trials + 2, LIVE, 0, 'c');
        (void) serve();

        assert_string_equal(serve_with(NULL, 0, 1), "bc");
        wait_for_all(3);
        assert_int_equal(trials[1].error, 0);
        assert_int_equal(trials[2].error, -EREMOTEIO);
}

TEST(the_end_of_the_client_ends_the_call) {
        Trial trial;

        submit(&trial, LIVE, 0, 'a');
        (void) stand_in_receive(&volume, CALL_STORE);
        stand_in_hang_up(&volume);
        assert_int_equal(sem_trywait(&done), 0);
        assert_int_equal(trial.error, -ESHUTDOWN);
        stand_in_refuse(&volume, -ESHUTDOWN);
}

#define N_SUBMITTED 500

static void *submit_many(void *userdata) {
        Trial *trials = userdata;

        for (unsigned i = 0; i < N_SUBMITTED; i++) {
                submit(trials + i, LIVE, (uint8_t) (i % 100), 'x');
                outbox_confirm(outbox, REFUSED, i);
        }
        return NULL;
}

TEST(many_threads_may_submit) {
        static Trial trials[4][N_SUBMITTED];
        pthread_t threads[ELEMENTSOF(trials)];
        size_t n = 0;

        for (size_t i = 0; i < ELEMENTSOF(threads); i++)
                assert_int_equal(pthread_create(threads + i, NULL, submit_many, trials[i]), 0);
        while (n < ELEMENTSOF(trials) * N_SUBMITTED)
                n += strlen(serve());
        for (size_t i = 0; i < ELEMENTSOF(threads); i++)
                assert_int_equal(pthread_join(threads[i], NULL), 0);

        wait_for_all(n);
        for (size_t i = 0; i < ELEMENTSOF(trials); i++)
                for (int k = 0; k < N_SUBMITTED; k++)
                        assert_int_equal(trials[i][k].error, -(k % 100));
}

/* Of a master with two loops, in place of the one with which each test begins */
static Loops *loops;
static Peers *peers;

static int setup_two_loops(void **state) {
        setup(state);
        outbox = outbox_free(outbox);
        assert_ok(loops_new(2, &loops));
        assert_ok(
                        peers_new(&(PeersOptions){ .loops = loops,
                                                   .secret = volume.secret,
                                                   .timeout_usec = NO_TIMEOUT },
                                  &peers));
        assert_ok(outbox_new(peers, master.volumes, &outbox));
        return 0;
}

static int teardown_two_loops(void **state) {
        peers_stop(peers);
        outbox = outbox_free(outbox);
        peers = peers_free(peers);
        loops = loops_free(loops);
        return teardown(state);
}

static void submit_here(void *userdata) {
        submit(userdata, LIVE, 0, 'x');
}

TEST(what_a_loop_submits_is_done_there) {
        for (size_t i = 0; i < loops_count(loops); i++) {
                Trial trial;

                loop_call(loops_get(loops, i), submit_here, &trial);
                assert_string_equal(serve(), "x");
                wait_for_all(1);
                assert_int_equal(trial.error, 0);
                assert_ptr_equal(trial.loop, loops_get(loops, i));
        }
}

TEST(what_other_threads_submit_is_done_on_the_first_loop) {
        Trial trial;

        submit(&trial, LIVE, 0, 'x');
        assert_string_equal(serve(), "x");
        wait_for_all(1);
        assert_ptr_equal(trial.loop, loops_get(loops, 0));
}

TEST(a_loop_does_not_wait_for_the_call_of_another) {
        RpcRequest *first;
        Trial trials[2];

        loop_call(loops_get(loops, 0), submit_here, trials + 0);
        (void) stand_in_receive(&volume, CALL_STORE);
        first = TAKE_PTR(volume.call);
        loop_call(loops_get(loops, 1), submit_here, trials + 1);
        assert_string_equal(serve(), "x");
        wait_for_all(1);
        assert_ptr_equal(trials[1].loop, loops_get(loops, 1));

        volume.call = first;
        stand_in_refuse(&volume, -ENOSPC);
        wait_for_all(1);
        assert_int_equal(trials[0].error, -ENOSPC);
}

static void confirm_here(void *userdata) {
        outbox_confirm(outbox, LIVE, 9);
}

TEST(what_a_loop_confirms_goes_with_its_own_call) {
        const uint64_t confirmed[] = { 9 };
        RpcRequest *first;
        Trial trials[3];

        loop_call(loops_get(loops, 1), submit_here, trials + 0);
        (void) stand_in_receive(&volume, CALL_STORE);
        first = TAKE_PTR(volume.call);
        loop_call(loops_get(loops, 1), confirm_here, NULL);
        loop_call(loops_get(loops, 0), submit_here, trials + 1);
        assert_string_equal(serve(), "x");
        wait_for_all(1);

        loop_call(loops_get(loops, 1), submit_here, trials + 2);
        volume.call = first;
        stand_in_refuse(&volume, -ENOSPC);
        assert_string_equal(serve_with(confirmed, 1, SIZE_MAX), "x");
        wait_for_all(2);
}

TEST(what_a_loop_confirms_goes_by_itself_if_nothing_is_to_be_stored) {
        _cleanup_(buffer_done) Buffer empty = {};

        for (unsigned i = 0; i < 2; i++) {
                Reader reader;

                loop_call(loops_get(loops, 1), confirm_here, NULL);
                reader = stand_in_receive(&volume, CALL_STORE);
                assert_int_equal(reader_get_varint(&reader), 1);
                assert_int_equal(reader_get_u64(&reader), 9);
                assert_int_equal(reader_get_varint(&reader), 0);
                assert_int_equal(reader_end(&reader), 0);
                stand_in_answer(&volume, &empty);
        }
}

/* Nobody sends it any more. */
TEST(what_is_confirmed_may_wait_at_the_end) {
        loop_call(loops_get(loops, 1), confirm_here, NULL);
        peers_stop(peers);
        loop_call(loops_get(loops, 1), confirm_here, NULL);
}

static void submit_three(void *userdata) {
        Trial *trials = userdata;

        for (size_t i = 0; i < 3; i++)
                submit(trials + i, LIVE, 0, 'x');
}

TEST(what_is_submitted_in_one_turn_goes_in_one_call) {
        Trial trials[3];

        loop_call(loops_get(loops, 1), submit_three, trials);
        assert_string_equal(serve(), "xxx");
        wait_for_all(3);
}

int main(void) {
#define RUN(test)     cmocka_unit_test_setup_teardown(test, setup, teardown)
#define RUN_TWO(test) cmocka_unit_test_setup_teardown(test, setup_two_loops, teardown_two_loops)
        const struct CMUnitTest tests[] = {
                RUN(what_waits_goes_together_and_each_gets_its_own_answer),
                RUN(a_call_has_a_limit),
                RUN(confirmed_versions_go_with_the_next_call_once),
                RUN(items_for_a_dead_volume_fail),
                RUN(a_call_that_fails_takes_only_its_own_items_along),
                RUN(a_volume_that_has_to_report_first_is_asked_again),
                RUN(a_volume_that_never_reports_counts_as_down),
                RUN(an_answer_that_is_too_short_fails_the_rest),
                RUN(the_end_of_the_client_ends_the_call),
                RUN(many_threads_may_submit),
                RUN_TWO(what_a_loop_submits_is_done_there),
                RUN_TWO(what_other_threads_submit_is_done_on_the_first_loop),
                RUN_TWO(a_loop_does_not_wait_for_the_call_of_another),
                RUN_TWO(what_a_loop_confirms_goes_with_its_own_call),
                RUN_TWO(what_a_loop_confirms_goes_by_itself_if_nothing_is_to_be_stored),
                RUN_TWO(what_is_confirmed_may_wait_at_the_end),
                RUN_TWO(what_is_submitted_in_one_turn_goes_in_one_call),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
