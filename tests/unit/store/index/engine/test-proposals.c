/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Who leads a group has its requests proposed, in the order in which they came, and answers each of
 * them as what becomes of it demands; nobody else carries anything out. */

#include "test.h"

#include "core/key.h"
#include "core/placement/cluster.h"
#include "store/index/damage.h"
#include "store/index/garbage.h"
#include "store/index/group-fixture.h"
#include "store/index/identity.h"
#include "store/index/request-batch.h"
#include "store/index/rollback.h"

static int setup_script(void **state) {
        Script *script = calloc(1, sizeof(*script));

        script_new(script);
        script_open(script);
        *state = script;
        return 0;
}

static int teardown_script(void **state) {
        script_done(*state);
        free(*state);
        return 0;
}

typedef struct Commit {
        IndexCommit commit;
        Script *script;
        char key[24];
        IndexResult result;
        unsigned nth; /* of the answers */
} Commit;

static void on_answered(IndexRequest *request, IndexResult result) {
        Commit *commit = CONTAINER_OF(request, Commit, commit.request);

        commit->result = result;
        commit->nth = commit->script->n_answered;
        script_note_answer(commit->script);
}

static void submit(Seat *seat, Commit *ret, const char *key, uint64_t version) {
        *ret = (Commit){ .script = seat->script };
        (void) snprintf(ret->key, sizeof(ret->key), "%s", key);
        ret->commit = (IndexCommit){
                .request.done = on_answered,
                .key = ret->key,
                .record = make_record(version, 3),
                .garbage_due_usec = DUE,
        };
        index_commit(seat->index, &ret->commit);
}

/* Waits for so many answers; nothing is decided. */
static void wait_for(Script *script, unsigned n_answers) {
        (void) pthread_mutex_lock(&script->lock);
        while (script->n_answered < n_answers)
                (void) pthread_cond_wait(&script->changed, &script->lock);
        (void) pthread_mutex_unlock(&script->lock);
}

static void on_begun(IndexResult result, void *userdata) {
        scratch_done(NULL, result.error);
}

/* Then nothing is under way, the first entry neither, which is told of before that. */
static void lead(Script *script, Seat *seat, uint64_t term) {
        assert_int_equal(seat_lead(seat, term), 0);
        index_sync(seat->index);
        assert_int_equal(index_identity(seat->index)->term, term);
        script->n_answered = 0;
}

TEST(who_does_not_lead_carries_nothing_out) {
        Script *script = *state;
        Seat *seat = script->seats;
        uint64_t end = index_version_end(seat->index);
        Commit commit;

        assert_int_equal(index_next_version(seat->index, VERSION_DIRECT), 0);
        assert_int_equal(index_version_end(seat->index), end);
        assert_int_equal(index_identity(seat->index)->term, 0);
        assert_int_equal(index_identity(seat->index)->leader, 0);
        assert_false(cluster_id_is_null(index_identity(seat->index)->cluster));
        assert_int_equal(index_set_fences(seat->index, NULL, 0), -EOWNERDEAD);
        submit(seat, &commit, "k", 2);
        wait_for(script, 1);
        assert_int_equal(commit.result.outcome, INDEX_NOT_LEADER);
        assert_int_equal(script->n, 0);
}

TEST(who_leads_has_the_term_of_the_log_and_versions_of_its_own) {
        Script *script = *state;
        Seat *first = script->seats, *second = script->seats + 1;
        uint64_t leader, version, next;

        assert_int_equal(seat_lead(first, 7), 0);
        assert_int_equal(index_begin_to_lead(first->index, 8, NULL, NULL), -EALREADY);
        leader = index_identity(first->index)->leader;
        assert_int_equal(index_identity(first->index)->term, 7);
        assert_true(leader != 0);
        version = index_next_version(first->index, VERSION_DIRECT);
        assert_true(version > 0);
        assert_true(index_version_end(first->index) > version);

        follow_all(script);
        assert_alike(script);
        assert_int_equal(index_next_version(second->index, VERSION_DIRECT), 0);

        assert_int_equal(seat_lead(second, 9), 0);
        assert_int_equal(index_identity(second->index)->term, 9);
        assert_true(index_identity(second->index)->leader != leader);
        next = index_next_version(second->index, VERSION_DIRECT);
        assert_true(next >= version + 2 * 1000000); /* the first may give out all that it has */
        assert_int_equal(index_next_version(second->index, VERSION_DIRECT), next + 2);
        assert_true(cluster_id_equal(
                        index_identity(first->index)->cluster,
                        index_identity(second->index)->cluster));
        follow_all(script);
        assert_alike(script);
}

TEST(answers_are_what_a_master_alone_would_give) {
        Script *script = *state;
        Seat *seat = script->seats;
        Commit commits[2];
        IndexSettleItem items[2] = { { .version = 4, .key = "k" }, { .version = 8, .key = "k" } };
        IndexSettle settle = {
                .request.done = scratch_answered, .volume = 3, .items = items, .n_items = 2
        };
        IndexDamageItem marks[2] = {
                { .version = 4, .volume = 3, .key = "k", .kind = DAMAGE_CORRUPT },
                { .version = 5, .volume = 3, .key = "k", .kind = DAMAGE_CORRUPT },
        };
        IndexDamage damage = { .request.done = scratch_answered, .items = marks, .n_items = 2 };
        IndexDelete none = { .request.done = scratch_answered, .key = "none" };

        lead(script, seat, 6);
        submit(seat, commits, "k", 2);
        submit(seat, commits + 1, "k", 4);
        script_run(script, seat, 2);
        assert_int_equal(commits[0].result.outcome, INDEX_DONE);
        assert_true(commits[0].commit.created);
        assert_int_equal(commits[0].commit.revision, 1);
        assert_false(commits[1].commit.created);
        assert_int_equal(commits[1].commit.revision, 2);

        index_settle(seat->index, &settle);
        seat_follow(seat);
        assert_int_equal(scratch_wait(), 0);
        assert_true(items[0].current);
        assert_false(items[1].current);

        index_damage(seat->index, &damage);
        seat_follow(seat);
        assert_int_equal(scratch_wait(), 0);
        assert_int_equal(marks[0].error, -EBADMSG); /* it was the only copy */
        assert_true(marks[0].is_new);
        assert_int_equal(marks[1].error, -ENOENT);

        index_delete(seat->index, &none);
        seat_follow(seat);
        assert_int_equal(scratch_wait(), -ENOENT);
        follow_all(script);
        assert_alike(script);
}

static unsigned n_requests_of(const Proposed *proposed) {
        RequestBatch batch;
        DecodedRequest request;
        unsigned n = 0;

        assert_int_equal(request_batch_open(proposed->entry.data, proposed->entry.size, &batch), 0);
        for (; request_batch_next(&batch, &request) > 0; n++)
                request_done(&request);
        return n;
}

/* The first three are proposed at once; what comes after them is one entry, but for what is too
 * much for one. */
TEST(what_gathers_while_entries_are_under_way_is_one_entry) {
        Script *script = *state;
        Seat *seat = script->seats;
        Commit *commits = calloc(300, sizeof(*commits));
        size_t before;

        lead(script, seat, 6);
        before = script->n;
        for (unsigned i = 0; i < 300; i++) {
                char key[24];

                (void) snprintf(key, sizeof(key), "k%u", i);
                submit(seat, commits + i, key, 2 * i + 2);
                assert_int_equal(script->n - before, MIN(i + 1, 3U));
        }
        script_run(script, seat, 300);
        assert_int_equal(script->n - before, 5);
        assert_int_equal(n_requests_of(script->log + before), 1);
        assert_int_equal(n_requests_of(script->log + before + 3), 256);
        assert_int_equal(n_requests_of(script->log + before + 4), 41);
        for (unsigned i = 0; i < 300; i++) {
                assert_int_equal(commits[i].result.outcome, INDEX_DONE);
                assert_int_equal(commits[i].nth, i);
                assert_int_equal(commits[i].commit.revision, i + 1);
        }
        follow_all(script);
        assert_alike(script);
        free(commits);
}

TEST(a_refusal_says_what_becomes_of_the_requests) {
        static const struct {
                int error;
                IndexOutcome outcome;
                int told;
                bool leads; /* after that */
        } cases[] = {
                { -EAGAIN, INDEX_REFUSED, -EAGAIN, true },
                { -EBUSY, INDEX_REFUSED, -EAGAIN, true },
                { -ENOMEM, INDEX_REFUSED, -ENOMEM, true },
                { -EINPROGRESS, INDEX_UNKNOWN, INDEX_ERROR_UNKNOWN, true },
                { -EOWNERDEAD, INDEX_NOT_LEADER, -EOWNERDEAD, false },
        };
        Script *script = *state;
        Seat *seat = script->seats;
        Commit commit;

        lead(script, seat, 6);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                size_t before = script->n;

                /* At once, or later. */
                script->error = cases[i].error;
                submit(seat, &commit, "k", 2);
                wait_for(script, 2 * i + 1);
                assert_int_equal(commit.result.outcome, cases[i].outcome);
                assert_int_equal(commit.result.error, cases[i].told);
                script->error = 0;

                submit(seat, &commit, "k", 2);
                if (cases[i].leads) {
                        Proposed *last = script->log + script->n - 1;

                        assert_int_equal(script->n, before + 1);
                        index_refused(seat->index, last->proposal, cases[i].error);
                        last->from = NULL;
                        buffer_done(&script->log[--script->n].data);
                }
                wait_for(script, 2 * i + 2);
                assert_int_equal(commit.result.outcome, cases[i].outcome);
                assert_int_equal(commit.result.error, cases[i].told);
        }
        assert_int_equal(script->n, 1);
}

/* Some of them are decided all the same, and that is no contradiction. */
TEST(what_is_undecided_when_the_lead_is_lost_is_unknown) {
        Script *script = *state;
        Seat *seat = script->seats, *other = script->seats + 1;
        Commit commits[5];

        lead(script, seat, 6);
        for (unsigned i = 0; i < 5; i++)
                submit(seat, commits + i, "k", 2 * i + 2);
        assert_int_equal(script->n, 4); /* the last two wait */
        index_end_lead(seat->index);
        for (unsigned i = 1; i < 4; i++) {
                index_refused(seat->index, script->log[i].proposal, -EINPROGRESS);
                script->log[i].from = NULL;
        }
        wait_for(script, 5);
        for (unsigned i = 0; i < 5; i++)
                assert_int_equal(
                                commits[i].result.outcome,
                                i < 3 ? INDEX_UNKNOWN : INDEX_NOT_LEADER);
        assert_int_equal(script->n, 4);
        assert_int_equal(index_begin_to_lead(seat->index, 7, NULL, NULL), -EALREADY);

        follow_all(script); /* they were decided all the same */
        assert_int_equal(index_revision(other->index), 3);
        assert_alike(script);
}

static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;

static void hold_up(void) {
        (void) pthread_mutex_lock(&held);
        (void) pthread_mutex_unlock(&held);
}

static void refuse(Script *script, size_t i, int error) {
        index_refused(script->seats->index, script->log[i].proposal, error);
        script->log[i].from = NULL;
}

/* They wait behind an entry, and so are in a batch with the next one, which cannot be read. */
TEST(what_breaks_an_index_changes_no_refusal) {
        static const IndexOutcome outcomes[] = { INDEX_UNKNOWN, INDEX_NOT_LEADER,
                                                 INDEX_NOT_LEADER };
        const Entry damaged = { .term = 7, .type = ENTRY_REQUESTS };
        Script *script = *state;
        Seat *seat = script->seats;
        Commit commits[ELEMENTSOF(outcomes)];

        seat_close(seat);
        seat->before_done = hold_up;
        seat_open(seat);
        lead(script, seat, 6);

        (void) pthread_mutex_lock(&held);
        script_add(script, ENTRY_NOTHING, "", 0);
        seat_follow(seat);
        submit(seat, commits, "k", 2);
        submit(seat, commits + 1, "k", 4);
        index_end_lead(seat->index);
        assert_int_equal(index_decided(seat->index, seat->told + 1, &damaged, NULL), 0);
        refuse(script, script->n - 2, -EINPROGRESS);
        refuse(script, script->n - 1, -EOWNERDEAD);
        submit(seat, commits + 2, "k", 6);
        (void) pthread_mutex_unlock(&held);

        wait_for(script, ELEMENTSOF(outcomes));
        assert_int_equal(atomic_load(&seat->broken), -EBADMSG);
        for (size_t i = 0; i < ELEMENTSOF(outcomes); i++)
                assert_int_equal(commits[i].result.outcome, outcomes[i]);
}

/* It has lost the lead and has it again, and nobody has told the index. */
TEST(an_entry_that_is_decided_in_another_term_is_answered_so) {
        Script *script = *state;
        Seat *seat = script->seats;
        Commit commits[2];

        lead(script, seat, 6);
        script->term = 8;
        submit(seat, commits, "k", 2);
        script_run(script, seat, 1);
        assert_int_equal(commits[0].result.outcome, INDEX_NOT_LEADER);
        submit(seat, commits + 1, "k", 4);
        wait_for(script, 2);
        assert_int_equal(commits[1].result.outcome, INDEX_NOT_LEADER);
        assert_int_equal(script->n, 2);
        follow_all(script);
        assert_int_equal(index_revision(seat->index), 0);
        assert_alike(script);
}

/* An election that comes to nothing may be followed by another one. */
TEST(who_has_not_led_yet_may_begin_again) {
        Script *script = *state;
        Seat *seat = script->seats;

        script->error = -EOWNERDEAD;
        assert_int_equal(index_begin_to_lead(seat->index, 6, on_begun, NULL), 0);
        assert_int_equal(scratch_wait(), -EOWNERDEAD);
        script->error = 0;

        script->term = 8;
        assert_int_equal(index_begin_to_lead(seat->index, 7, on_begun, NULL), 0);
        assert_int_equal(index_begin_to_lead(seat->index, 8, on_begun, NULL), -EALREADY);
        seat_follow(seat);
        assert_int_equal(scratch_wait(), -EOWNERDEAD); /* its term has passed */

        script->term = 9;
        assert_int_equal(index_begin_to_lead(seat->index, 9, on_begun, NULL), 0);
        index_end_lead(seat->index);
        seat_follow(seat);
        assert_int_equal(scratch_wait(), -EOWNERDEAD);
        assert_int_equal(index_identity(seat->index)->term, 0);
        assert_int_equal(index_identity(seat->index)->leader, 0);
        assert_int_equal(index_next_version(seat->index, VERSION_DIRECT), 0);

        assert_int_equal(seat_lead(seat, 10), 0);
        assert_int_equal(index_identity(seat->index)->term, 10);
}

static void on_told(IndexResult result, void *userdata) {
        unsigned *n_told = userdata;

        ++*n_told;
}

/* Each is told by its own function, although the next one does not wait for that. */
TEST(who_begins_again_at_once_is_told_of_each_beginning) {
        Script *script = *state;
        Seat *seat = script->seats;
        static unsigned n_told[300];

        script->error = -EOWNERDEAD;
        for (size_t i = 0; i < ELEMENTSOF(n_told); i++) {
                int r;

                n_told[i] = 0;
                do
                        r = index_begin_to_lead(seat->index, 6 + i, on_told, n_told + i);
                while (r == -EALREADY);
                assert_int_equal(r, 0);
        }
        seat_close(seat);
        for (size_t i = 0; i < ELEMENTSOF(n_told); i++)
                assert_int_equal(n_told[i], 1);
}

static void on_accepted(IndexAccept *accept, IndexResult result) {
        scratch_done(NULL, result.error);
}

TEST(what_a_group_cannot_do_is_refused) {
        Script *script = *state;
        Seat *seat = script->seats;
        IndexAccept accept = { .term = 1, .done = on_accepted };
        static char data[ENTRY_SIZE_MAX];
        IndexSet set = { .request.done = scratch_answered, .name = "large", .data = data };

        lead(script, seat, 6);
        index_accept_rollback(seat->index, &accept);
        assert_int_equal(scratch_wait(), -EOPNOTSUPP);

        set.size = sizeof(data);
        index_set(seat->index, &set);
        assert_int_equal(scratch_wait(), -EFBIG);
        set.size = sizeof(data) - 100;
        index_set(seat->index, &set);
        seat_follow(seat);
        assert_int_equal(scratch_wait(), 0);
}

/* All members would break at it. */
TEST(what_the_others_could_not_read_is_refused) {
        Script *script = *state;
        Seat *seat = script->seats;
        IndexSettleItem item = { .version = 4, .key = "k" };
        IndexSettle settle = { .request.done = scratch_answered,
                               .volume = VOLUME_MAX + 1,
                               .items = &item,
                               .n_items = 1 };
        IndexSet set = { .name = "", .data = "", .size = 0 };
        Commit commits[3];
        char long_key[KEY_MAX + 2] = "";

        lead(script, seat, 6);
        memset(long_key, 'k', sizeof(long_key) - 1);
        submit(seat, commits, "k", 2);
        index_settle(seat->index, &settle);
        assert_int_equal(scratch_wait(), -EINVAL);
        settle.volume = 3;
        item.key = long_key;
        index_settle(seat->index, &settle);
        assert_int_equal(scratch_wait(), -EINVAL);
        set.request.done = scratch_answered;
        index_set(seat->index, &set);
        assert_int_equal(scratch_wait(), -EINVAL);
        submit(seat, commits + 1, "", 4);
        submit(seat, commits + 2, "k", 6);
        script_run(script, seat, 3);
        assert_int_equal(commits[0].result.outcome, INDEX_DONE);
        assert_int_equal(commits[1].result.outcome, INDEX_REFUSED);
        assert_int_equal(commits[1].result.error, -EINVAL);
        assert_int_equal(commits[2].result.outcome, INDEX_DONE);
        follow_all(script);
        assert_alike(script);
}

int main(void) {
#define RUN_GROUP(test) cmocka_unit_test_setup_teardown(test, setup_script, teardown_script)
        static const struct CMUnitTest tests[] = {
                RUN_GROUP(who_does_not_lead_carries_nothing_out),
                RUN_GROUP(who_leads_has_the_term_of_the_log_and_versions_of_its_own),
                RUN_GROUP(answers_are_what_a_master_alone_would_give),
                RUN_GROUP(what_gathers_while_entries_are_under_way_is_one_entry),
                RUN_GROUP(a_refusal_says_what_becomes_of_the_requests),
                RUN_GROUP(what_is_undecided_when_the_lead_is_lost_is_unknown),
                RUN_GROUP(what_breaks_an_index_changes_no_refusal),
                RUN_GROUP(an_entry_that_is_decided_in_another_term_is_answered_so),
                RUN_GROUP(who_has_not_led_yet_may_begin_again),
                RUN_GROUP(who_begins_again_at_once_is_told_of_each_beginning),
                RUN_GROUP(what_a_group_cannot_do_is_refused),
                RUN_GROUP(what_the_others_could_not_read_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
