/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What volumes ask of the master: reports, commits, resolutions, damaged copies. */

#include "test.h"

#include "base/json.h"
#include "core/call/calls.h"
#include "core/call/wire.h"
#include "master/world.h"
#include "store/index/damage.h"
#include "store/index/identity.h"

/* An answer to a call */
typedef struct Answer {
        unsigned status;
        Buffer body;
        sem_t done;
} Answer;

static Answer answer;
static uint64_t sequence = 1000;

static int setup(void **state) {
        assert_ok(sem_init(&answer.done, 0, 0));
        return world_setup(state);
}

static int teardown(void **state) {
        buffer_done(&answer.body);
        return world_teardown(state);
}

/* A call of volume NUMBER to this master. */
static Parties parties_of(uint32_t number) {
        return (Parties){
                .lead = *index_identity(world.index),
                .from = { .number = number, .uuid = { (uint8_t) number }, .run = 1 },
                .sequence = ++sequence,
        };
}

static void on_done(HttpCall *call, const HttpResult *result, void *userdata) {
        answer.status = result->status;
        buffer_clear(&answer.body);
        buffer_put(&answer.body, result->body, result->body_size);
        assert_ok(sem_post(&answer.done));
}

/* Takes BODY over. Returns the status. */
static unsigned call_as(const Parties *parties, CallKind kind, Buffer *body) {
        HttpCall *call;
        char url[128];

        (void) snprintf(url, sizeof(url), "http://127.0.0.1:%i%s", world.master.port,
                        call_types[kind].path);
        assert_ok(http_call_new(world.client, "POST", url, &call));
        http_call_set_body(call, body);
        assert_ok(http_call_sign(call, parties));
        http_call_start(call, on_done, NULL);
        wait_for(&answer.done);
        return answer.status;
}

static unsigned call(CallKind kind, Buffer *body) {
        Parties parties = parties_of(1);

        return call_as(&parties, kind, body);
}

static uint64_t next_version(void) {
        return index_next_version(world.index, VERSION_TICKET);
}

static void put_commit(Buffer *body, const char *key, uint64_t version, uint32_t volume) {
        wire_put_commit(
                        body,
                        &(WireCommit){
                                        .key = key,
                                        .record = {
                                                        .version = version,
                                                        .content_type = "text/x",
                                                        .mtime_usec = clock_realtime(),
                                                        .size = 9,
                                                        .copies = { volume },
                                                        .n_copies = 1,
                                        },
                        });
}

static WireCommitResult result_of(size_t i) {
        Reader reader = READER(answer.body.data, answer.body.size);
        WireCommitResult result = {};

        for (size_t k = 0; k <= i; k++)
                result = wire_get_commit_result(&reader);
        assert_int_equal(reader_error(&reader), 0);
        return result;
}

TEST(commits_are_answered_one_by_one) {
        Buffer body = {};

        put_commit(&body, "a", next_version(), 1);
        put_commit(&body, "b", next_version(), 2);
        put_commit(&body, "a", next_version(), 3);
        assert_int_equal(call(CALL_COMMIT, &body), 200);
        assert_int_equal(result_of(0).error, 0);
        assert_true(result_of(0).created);
        assert_true(result_of(1).created);
        assert_false(result_of(2).created);
        assert_true(result_of(2).revision > result_of(0).revision);
        assert_int_equal(record_of("a").copies[0], 3);
        assert_int_equal(record_of("b").size, 9);
}

TEST(a_condition_that_does_not_hold_fails_its_commit_alone) {
        Buffer body = {};

        put_commit(&body, "a", next_version(), 1);
        assert_int_equal(call(CALL_COMMIT, &body), 200);

        wire_put_commit(&body, &(WireCommit){
                                               .key = "a",
                                               .record = { .version = next_version(),
                                                           .content_type = "",
                                                           .copies = { 1 },
                                                           .n_copies = 1 },
                                               .condition.create_only = true,
                               });
        put_commit(&body, "b", next_version(), 1);
        assert_int_equal(call(CALL_COMMIT, &body), 200);
        assert_int_equal(result_of(0).error, -EEXIST);
        assert_int_equal(result_of(1).error, 0);
}

TEST(commits_that_this_master_cannot_have_asked_for_are_refused) {
        Buffer body = {};

        put_commit(&body, "a", index_version_end(world.index), 1);
        assert_int_equal(call(CALL_COMMIT, &body), 400); /* from the future */
        put_commit(&body, "a", 0, 1);
        assert_int_equal(call(CALL_COMMIT, &body), 400);
        put_commit(&body, "a", next_version(), 9);
        assert_int_equal(call(CALL_COMMIT, &body), 400); /* on a volume that nobody knows */
        buffer_put(&body, "nonsense", 8);
        assert_int_equal(call(CALL_COMMIT, &body), 400);
        assert_int_equal(call(CALL_COMMIT, &body), 200); /* nothing at all */
        assert_int_equal(answer.body.size, 0);
}

TEST(the_index_is_heard_about_each_commit) {
        static const struct {
                Interception interception;
                int error;
        } rows[] = { { INTERCEPT_REFUSE, -ENOSPC }, { INTERCEPT_NOT_LEADER, -EOWNERDEAD } };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                Buffer body = {};

                intercept(rows[i].interception);
                put_commit(&body, "a", next_version(), 1);
                assert_int_equal(call(CALL_COMMIT, &body), 200);
                assert_int_equal(result_of(0).error, rows[i].error);
                intercept(INTERCEPT_NOT);
        }
}

/* Who may call at all is the gate's affair; which store, and whom it follows, is ours. */
TEST(calls_of_others_are_refused) {
        Parties parties;
        Buffer body = {};

        parties = parties_of(1);
        parties.from.uuid[0]++; /* another store of that number */
        assert_int_equal(call_as(&parties, CALL_COMMIT, &body), 421);
        parties = parties_of(1);
        parties.lead.cluster[0]++;
        assert_int_equal(call_as(&parties, CALL_COMMIT, &body), 421);
        parties = parties_of(1);
        parties.to.number = 2;
        assert_int_equal(call_as(&parties, CALL_COMMIT, &body), 421);
        parties = parties_of(1);
        parties.from.number = 0; /* masters do not make this call */
        assert_int_equal(call_as(&parties, CALL_COMMIT, &body), 421);
        parties = parties_of(1);
        parties.lead.term++;
        assert_int_equal(call_as(&parties, CALL_COMMIT, &body), 410);
        parties = parties_of(1);
        parties.lead.term--;
        assert_int_equal(call_as(&parties, CALL_COMMIT, &body), 425);
        parties = parties_of(1);
        assert_int_equal(call_as(&parties, CALL_COMMIT, &body), 200);
        assert_int_equal(call_as(&parties, CALL_COMMIT, &body), 409); /* the same once more */
}

static void put_settle(Buffer *body, uint32_t volume, uint64_t version, const char *key) {
        if (body->size == 0)
                buffer_put_u32(body, volume);
        buffer_put_u64(body, version);
        wire_put_key(body, key);
}

TEST(a_copy_in_doubt_stays_if_it_is_current_and_is_garbage_if_not) {
        IndexCounters counters;
        uint64_t lost = next_version();
        Buffer body = {};

        assert_status(put("/k", "value"), 201);
        put_settle(&body, 1, record_of("k").version, "k");
        put_settle(&body, 1, lost, "k");
        put_settle(&body, 1, next_version(), "none");
        assert_int_equal(call(CALL_SETTLE, &body), 204);
        index_counters(world.index, &counters);
        assert_int_equal(counters.garbage, 2);

        put_commit(&body, "k", lost, 1); /* what was given up is never committed */
        assert_int_equal(call(CALL_COMMIT, &body), 200);
        assert_int_equal(result_of(0).error, -ESTALE);
}

TEST(a_list_in_doubt_that_cannot_be_right_is_refused) {
        Buffer body = {};

        assert_int_equal(call(CALL_SETTLE, &body), 400);
        put_settle(&body, 9, next_version(), "k");
        assert_int_equal(call(CALL_SETTLE, &body), 400);
        put_settle(&body, 1, index_version_end(world.index), "k");
        assert_int_equal(call(CALL_SETTLE, &body), 400);
        buffer_put_u32(&body, 1);
        buffer_put_u32(&body, 1);
        assert_int_equal(call(CALL_SETTLE, &body), 400);
}

static void put_damage(Buffer *body, uint32_t volume, uint64_t version, const char *key) {
        if (body->size == 0)
                buffer_put_u32(body, volume);
        wire_put_damage(body,
                        &(WireDamage){ .version = version, .key = key, .kind = DAMAGE_CORRUPT });
}

static int error_of(size_t i) {
        Reader reader = READER(answer.body.data, answer.body.size);
        int error = 0;

        for (size_t k = 0; k <= i; k++)
                error = wire_get_error(&reader);
        assert_int_equal(reader_error(&reader), 0);
        return error;
}

TEST(damaged_copies_are_marked_and_each_is_answered) {
        IndexDamageCounters counters;
        Buffer body = {};

        assert_status(put("/k", "value"), 201);
        put_damage(&body, 1, record_of("k").version, "k");
        put_damage(&body, 1, next_version(), "k");
        put_damage(&body, 1, record_of("k").version, "none");
        assert_int_equal(call(CALL_DAMAGED, &body), 200);
        assert_int_equal(error_of(0), 0);
        assert_int_equal(error_of(1), -ENOENT);
        assert_int_equal(error_of(2), -ENOENT);
        index_damage_counters(world.index, &counters);
        assert_int_equal(counters.copies, 1);

        put_damage(&body, 2, record_of("k").version, "k");
        assert_int_equal(call(CALL_DAMAGED, &body), 200);
        put_damage(&body, 3, record_of("k").version, "k");
        assert_int_equal(call(CALL_DAMAGED, &body), 200);
        assert_int_equal(error_of(0), -EBADMSG); /* that was the last one */
}

TEST(damage_that_makes_no_sense_is_refused) {
        Buffer body = {};

        assert_int_equal(call(CALL_DAMAGED, &body), 400);
        put_damage(&body, 0, 1, "k");
        assert_int_equal(call(CALL_DAMAGED, &body), 400);
        buffer_put_u32(&body, 1);
        buffer_put_u32(&body, 1);
        assert_int_equal(call(CALL_DAMAGED, &body), 400);
        intercept(INTERCEPT_NOT_LEADER);
        put_damage(&body, 1, 1, "k");
        assert_int_equal(call(CALL_DAMAGED, &body), 503);
        intercept(INTERCEPT_NOT);
}

/* What volume NUMBER says of itself, without the member of this NAME. */
static void put_report(Buffer *body, uint32_t number, const char *without) {
        static const char *const figures[] = { "free",     "size",     "objects",
                                               "bytes",    "pending",  "version_max",
                                               "revision", "deletion", "objects_ever",
                                               "delay" };
        _cleanup_(json_freep) Json *json = json_new_object();
        _cleanup_free_ char *text = NULL;

        for (size_t i = 0; i < ELEMENTSOF(figures); i++)
                if (strcmp(figures[i], without) != 0)
                        json_add_uint(json, figures[i], i < 2 ? GIB : 0);
        if (strcmp("clock", without) != 0)
                json_add_uint(json, "clock", clock_realtime());
        if (strcmp("wire", without) != 0)
                json_add_uint(json, "wire", WIRE_VERSION);
        if (strcmp("url", without) != 0)
                json_add_string(json, "url", world.fakes[MIN(number, 3U)].url);
        if (strcmp("zone", without) != 0)
                json_add_string(json, "zone", "here");
        text = json_format(json, false);
        buffer_put(body, text, strlen(text));
}

TEST(a_report_is_answered_with_what_the_volume_has_to_know) {
        _cleanup_(json_freep) Json *json = NULL;
        uint64_t figure;
        Buffer body = {};

        put_report(&body, 1, "");
        assert_int_equal(call(CALL_REPORT, &body), 200);
        assert_ok(json_parse((const char *) answer.body.data, answer.body.size, &json));
        assert_ok(json_get_uint(json, "grace_usec", &figure));
        assert_int_equal(figure, GRACE_USEC);
        assert_ok(json_get_uint(json, "revision", &figure));
        assert_ok(json_get_uint(json, "clock", &figure));
        assert_in_range(figure, clock_realtime() - USEC_PER_MIN, clock_realtime());
}

TEST(a_report_that_lacks_something_is_refused) {
        static const char *const members[] = { "free",         "objects", "pending", "version_max",
                                               "objects_ever", "clock",   "url",     "zone" };
        Buffer body = {};

        for (size_t i = 0; i < ELEMENTSOF(members); i++) {
                put_report(&body, 1, members[i]);
                assert_int_equal(call(CALL_REPORT, &body), 400);
        }
        put_report(&body, 1, "wire");
        assert_int_equal(call(CALL_REPORT, &body), 405);
        buffer_put(&body, "nonsense", 8);
        assert_int_equal(call(CALL_REPORT, &body), 400);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                RUN(commits_are_answered_one_by_one),
                RUN(a_condition_that_does_not_hold_fails_its_commit_alone),
                RUN(commits_that_this_master_cannot_have_asked_for_are_refused),
                RUN(the_index_is_heard_about_each_commit),
                RUN(calls_of_others_are_refused),
                RUN(a_copy_in_doubt_stays_if_it_is_current_and_is_garbage_if_not),
                RUN(a_list_in_doubt_that_cannot_be_right_is_refused),
                RUN(damaged_copies_are_marked_and_each_is_answered),
                RUN(damage_that_makes_no_sense_is_refused),
                RUN(a_report_is_answered_with_what_the_volume_has_to_know),
                RUN(a_report_that_lacks_something_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
