/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <pthread.h>
#include <sched.h>

#include "http/stand-in.h"
#include "scratch.h"
#include "shift.h"
#include "volume/link/commit-queue.h"

#define BATCH_MAX 512

/* A commit of a version of its own, which decides about the answer. */
typedef struct Trial {
        Commit commit;
        WireCommitResult result;
        atomic_uint n_done;
} Trial;

static StandIn master;
static char *directory;
static ObjectStore *store;
static Allegiance *allegiance;
static MasterLink *link_to_master;
static CommitQueue *queue;
static sem_t done;

/* Nobody but the leader is asked for commits. */
static void follow(void) {
        ObjectStoreOptions options = { .environment.directory = directory = scratch_new() };
        Leadership lead = { .cluster = "a cluster", .term = 1, .leader = 2 };
        uint32_t number;

        assert_int_equal(object_store_open(&options, &store), 0);
        assert_int_equal(allegiance_new(store, 3, &allegiance, &number), 0);
        assert_int_equal(allegiance_accept(allegiance, &lead), 0);
        while (!allegiance_lead(allegiance, &lead))
                (void) sched_yield();
}

static int setup(void **state) {
        atomic_store(&shift_usec, 0); /* else what the client has to wait for would take as long */
        assert_ok(sem_init(&done, 0, 0));
        stand_in_init(&master);
        follow();
        assert_ok(master_link_new(master.peers, allegiance, master.url, &link_to_master));
        assert_ok(commit_queue_new(link_to_master, &queue));
        return 0;
}

static int teardown(void **state) {
        stand_in_done(&master);
        queue = commit_queue_free(queue);
        link_to_master = master_link_free(link_to_master);
        store = object_store_free(store);
        allegiance = allegiance_free(allegiance);
        directory = scratch_free(directory);
        return 0;
}

static void on_done(Commit *commit, const WireCommitResult *result) {
        Trial *trial = CONTAINER_OF(commit, Trial, commit);

        trial->result = *result;
        trial->n_done++;
        assert_ok(sem_post(&done));
}

static void submit_until(Trial *trial, uint64_t version, uint64_t deadline_usec) {
        *trial = (Trial){
                .commit = {
                        .wire = {
                                .key = "users/42",
                                .record = {
                                        .version = version,
                                        .content_type = "text/plain",
                                        .metadata = "",
                                        .n_copies = 1,
                                        .copies = { 3 },
                                },
                                .condition.create_only = version % 7 == 0,
                        },
                        .done = on_done,
                        .deadline_usec = deadline_usec,
                },
                .result.error = 1,
        };
        commit_queue_submit(queue, &trial->commit);
}

static void submit(Trial *trial, uint64_t version) {
        submit_until(trial, version, 0);
}

static void wait_for_all(size_t n) {
        for (size_t i = 0; i < n; i++)
                wait_for(&done);
}

static WireCommitResult result_for(uint64_t version) {
        return (WireCommitResult){
                .error = version % 5 == 0 ? -EEXIST : 0,
                .created = version % 3 == 0,
                .revision = 1000 + version,
        };
}

static void assert_answered(const Trial *trial) {
        WireCommitResult expected = result_for(trial->commit.wire.record.version);

        assert_int_equal(trial->n_done, 1);
        assert_int_equal(trial->result.error, expected.error);
        assert_int_equal(trial->result.created, expected.created);
        assert_int_equal(trial->result.revision, expected.revision);
}

/* What one call was about */
typedef struct Call {
        size_t n_commits;
        uint64_t versions[BATCH_MAX];
        Buffer answer;
} Call;

static const Call *receive(void) {
        static Call call;
        Reader reader = stand_in_receive(&master, CALL_COMMIT);

        call.n_commits = 0;
        buffer_clear(&call.answer);
        while (reader.size > 0) {
                WireCommit commit;
                WireCommitResult result;

                assert_in_range(call.n_commits, 0, BATCH_MAX - 1);
                assert_int_equal(wire_get_commit(&reader, &commit), 0);
                assert_string_equal(commit.key, "users/42");
                assert_string_equal(commit.record.content_type, "text/plain");
                assert_int_equal(commit.record.copies[0], 3);
                assert_int_equal(commit.condition.create_only, commit.record.version % 7 == 0);
                call.versions[call.n_commits++] = commit.record.version;

                result = result_for(commit.record.version);
                wire_put_commit_result(&call.answer, &result);
        }
        return &call;
}

/* The commits in the order in which they came. */
static void assert_call(const Call *call, uint64_t first, size_t n_commits) {
        assert_int_equal(call->n_commits, n_commits);
        for (size_t i = 0; i < n_commits; i++)
                assert_int_equal(call->versions[i], first + i);
}

static void serve(uint64_t first, size_t n_commits) {
        const Call *call = receive();

        assert_call(call, first, n_commits);
        stand_in_answer(&master, &call->answer);
}

TEST(what_waits_goes_in_one_call_and_each_gets_its_own_answer) {
        static Trial trials[700];

        stand_in_listen(&master);
        submit(trials, 0);
        stand_in_await(&master);
        for (size_t i = 1; i < ELEMENTSOF(trials); i++)
                submit(trials + i, i);

        serve(0, 1);
        serve(1, BATCH_MAX);
        serve(1 + BATCH_MAX, ELEMENTSOF(trials) - 1 - BATCH_MAX);
        wait_for_all(ELEMENTSOF(trials));
        for (size_t i = 0; i < ELEMENTSOF(trials); i++)
                assert_answered(trials + i);

        submit(trials, 99);
        serve(99, 1);
        wait_for_all(1);
        assert_answered(trials);
}

static void on_refused(const RpcResult *result, void *userdata) {
        assert_int_equal(result->error, -EHOSTDOWN);
        assert_ok(sem_post(userdata));
}

/* Makes a call that is refused. One that was under way before has been, too, then, as they use the
 * same channel. */
static void wait_for_refusal(void) {
        const Parties parties = {
                .from = { .number = 3, .uuid = { 3 }, .run = 1 },
                .sequence = 1,
        };
        sem_t semaphore;

        assert_ok(sem_init(&semaphore, 0, 0));
        assert_ok(
                        rpc_call(&(RpcCall){ .peers = master.peers,
                                             .kind = CALL_COMMIT,
                                             .url = master.url,
                                             .parties = &parties,
                                             .on_done = on_refused,
                                             .userdata = &semaphore },
                                 NULL));
        wait_for(&semaphore);
}

TEST(a_master_that_is_not_there_yet_is_asked_again) {
        Trial trials[2];

        submit(trials + 0, 1);
        wait_for_refusal();
        submit(trials + 1, 2);
        stand_in_listen(&master);

        serve(1, 2);
        wait_for_all(2);
        assert_answered(trials + 0);
        assert_answered(trials + 1);
}

static void cut(const Call *call) {
        stand_in_cut(&master);
}

static void answer_error(const Call *call) {
        stand_in_refuse(&master, -ESHUTDOWN);
}

static void answer_too_short(const Call *call) {
        stand_in_answer(&master, &(Buffer){ .data = call->answer.data, .size = 3 });
}

static void answer_too_long(const Call *call) {
        Buffer *answer = (Buffer *) &call->answer;

        buffer_put_u8(answer, 0);
        stand_in_answer(&master, answer);
}

TEST(a_call_that_fails_is_made_again) {
        void (*const failures[])(const Call *call) = { cut, answer_error, answer_too_short,
                                                       answer_too_long };
        Trial trials[2 + ELEMENTSOF(failures)];

        stand_in_listen(&master);
        submit(trials + 0, 0);
        stand_in_await(&master);
        submit(trials + 1, 1);
        submit(trials + 2, 2);
        serve(0, 1);

        /* What comes meanwhile goes along, behind the others. */
        for (size_t i = 0; i < ELEMENTSOF(failures); i++) {
                const Call *call = receive();

                assert_call(call, 1, 2 + i);
                if (i + 1 < ELEMENTSOF(failures))
                        submit(trials + 3 + i, 3 + i);
                failures[i](call);
        }
        serve(1, ELEMENTSOF(trials) - 1);
        wait_for_all(ELEMENTSOF(trials));
        for (size_t i = 0; i < ELEMENTSOF(trials); i++)
                assert_answered(trials + i);
}

TEST(a_commit_is_not_asked_for_again_after_its_deadline) {
        Trial trials[3];

        stand_in_listen(&master);
        submit(trials + 0, 1);
        stand_in_await(&master);
        submit_until(trials + 1, 2, clock_monotonic() + USEC_PER_SEC);
        submit_until(trials + 2, 3, clock_monotonic() + USEC_PER_HOUR);
        serve(1, 1);
        wait_for_all(1);

        (void) receive();
        shift_clock(1);
        stand_in_refuse(&master, -ESHUTDOWN);
        serve(3, 1);
        wait_for_all(2);
        assert_int_equal(trials[1].result.error, -ECOMM);
        assert_answered(trials + 2);
}

static bool is_version_2(const Commit *commit) {
        return commit->wire.record.version == 2;
}

TEST(a_commit_that_nobody_waits_for_is_not_asked_for_again) {
        Trial trials[3];

        stand_in_listen(&master);
        submit(trials + 0, 1);
        stand_in_await(&master);
        submit(trials + 1, 2);
        submit(trials + 2, 3);
        trials[1].commit.is_abandoned = trials[2].commit.is_abandoned = is_version_2;
        serve(1, 1);
        wait_for_all(1);

        assert_call(receive(), 2, 2);
        stand_in_refuse(&master, -ESHUTDOWN);
        serve(3, 1);
        wait_for_all(2);
        assert_int_equal(trials[1].result.error, -ECOMM);
        assert_answered(trials + 2);
}

TEST(patience_ends) {
        Trial trials[2];

        stand_in_listen(&master);
        submit(trials + 0, 1);
        stand_in_await(&master);
        submit_until(trials + 1, 2, clock_monotonic() + USEC_PER_HOUR);
        serve(1, 1);
        wait_for_all(1);

        (void) receive();
        shift_clock(COMMIT_PATIENCE_USEC / USEC_PER_SEC);
        stand_in_refuse(&master, -ESHUTDOWN);
        wait_for_all(1);
        assert_int_equal(trials[1].result.error, -ECOMM);
        assert_int_equal(trials[1].n_done, 1);
}

static void answer_unknown(uint64_t revision) {
        _cleanup_(buffer_done) Buffer answer = {};

        (void) receive();
        wire_put_commit_result(
                        &answer, &(WireCommitResult){ .error = -ECOMM, .revision = revision });
        stand_in_answer(&master, &answer);
}

/* By that the client finds out what became of its write. */
TEST(what_stays_unknown_keeps_the_revision_that_it_was_to_get) {
        Trial trial;

        stand_in_listen(&master);
        submit(&trial, 2);
        answer_unknown(77);
        answer_unknown(0); /* that the master knows nothing now takes nothing back */
        (void) receive();
        shift_clock(COMMIT_PATIENCE_USEC / USEC_PER_SEC);
        stand_in_refuse(&master, -ESHUTDOWN);
        wait_for_all(1);
        assert_int_equal(trial.result.error, -ECOMM);
        assert_int_equal(trial.result.revision, 77);
}

TEST(an_unknown_commit_is_asked_for_until_it_is_known) {
        Trial trial;

        stand_in_listen(&master);
        submit(&trial, 2);
        answer_unknown(77);
        serve(2, 1);
        wait_for_all(1);
        assert_answered(&trial);
}

TEST(the_end_of_the_client_ends_the_call) {
        Trial trials[3];

        stand_in_listen(&master);
        submit(trials + 0, 1);
        stand_in_await(&master);
        submit(trials + 1, 2);
        submit(trials + 2, 3);
        serve(1, 1);
        wait_for_all(1);

        (void) receive();
        stand_in_hang_up(&master);
        for (size_t i = 1; i < ELEMENTSOF(trials); i++) {
                assert_int_equal(trials[i].n_done, 1);
                assert_int_equal(trials[i].result.error, -ESHUTDOWN);
        }
        stand_in_refuse(&master, -ESHUTDOWN);
}

#define N_SUBMITTED 1000

static void *submit_many(void *userdata) {
        Trial *trials = userdata;

        for (unsigned i = 0; i < N_SUBMITTED; i++)
                submit(trials + i, i);
        return NULL;
}

TEST(many_threads_may_submit) {
        static Trial trials[4][N_SUBMITTED];
        pthread_t threads[ELEMENTSOF(trials)];
        size_t n = 0;

        stand_in_listen(&master);
        for (size_t i = 0; i < ELEMENTSOF(threads); i++)
                assert_int_equal(pthread_create(threads + i, NULL, submit_many, trials[i]), 0);
        while (n < ELEMENTSOF(trials) * N_SUBMITTED) {
                const Call *call = receive();

                n += call->n_commits;
                stand_in_answer(&master, &call->answer);
        }
        for (size_t i = 0; i < ELEMENTSOF(threads); i++)
                assert_int_equal(pthread_join(threads[i], NULL), 0);

        wait_for_all(n);
        for (size_t i = 0; i < ELEMENTSOF(trials); i++)
                for (size_t k = 0; k < N_SUBMITTED; k++)
                        assert_answered(trials[i] + k);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                RUN(what_waits_goes_in_one_call_and_each_gets_its_own_answer),
                RUN(a_master_that_is_not_there_yet_is_asked_again),
                RUN(a_call_that_fails_is_made_again),
                RUN(a_commit_is_not_asked_for_again_after_its_deadline),
                RUN(a_commit_that_nobody_waits_for_is_not_asked_for_again),
                RUN(patience_ends),
                RUN(what_stays_unknown_keeps_the_revision_that_it_was_to_get),
                RUN(an_unknown_commit_is_asked_for_until_it_is_known),
                RUN(the_end_of_the_client_ends_the_call),
                RUN(many_threads_may_submit),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
