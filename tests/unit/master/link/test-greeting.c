/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Who is at the address of a volume, and what follows from that. */

#include "test.h"

#include <errno.h>
#include <signal.h>

#include "master/cluster/run.h"
#include "master/link/greeting.h"
#include "master/master-fixture.h"
#include "shift.h"

#define NUMBER 3
#define OTHER  4 /* nobody listens at its address */

static StandIn volume, absent;
static Greetings *greetings;
static sem_t judged;
static int judgement;

/* What whoever is there answers. */
typedef struct Answer {
        Leadership lead;
        StoreIdentity store;
        bool follows;
        uint64_t age_usec;
        const char *master;
} Answer;

static int setup(void **state) {
        master_start();
        stand_in_init(&volume);
        stand_in_listen(&volume);
        stand_in_init(&absent);
        assert_ok(sem_init(&judged, 0, 0));
        assert_ok(greetings_new(
                        &(GreetingsOptions){
                                        .index = master.index,
                                        .lead = master.lead,
                                        .volumes = master.volumes,
                                        .troubles = master.troubles,
                                        .client = volume.client,
                        },
                        &greetings));
        master_know(NUMBER, volume.url);
        master_know(OTHER, absent.url);
        return 0;
}

static int teardown(void **state) {
        stand_in_done(&volume);
        stand_in_done(&absent);
        greetings = greetings_free(greetings);
        master_stop();
        return 0;
}

static void on_done(HttpCall *call, const HttpResult *result, void *userdata) {
        judgement = greeting_judge(greetings, (uint32_t) (uintptr_t) userdata, call, result);
        assert_ok(sem_post(&judged));
}

static int greet(uint32_t number) {
        return greeting_send(greetings, number, on_done, (void *) (uintptr_t) number);
}

static int await_judgement(void) {
        wait_for(&judged);
        return judgement;
}

/* What the volume itself answers that follows this master. */
static Answer good_answer(void) {
        return (Answer){
                .lead = *index_identity(master.index),
                .store = { .number = NUMBER, .uuid = { NUMBER }, .run = NUMBER },
                .follows = true,
                .master = "http://master:3000",
        };
}

static void answer_signed(const Answer *answer, const char *text) {
        Parties parties = { .lead = answer->lead, .from = answer->store };

        (void) stand_in_receive(&volume, CALL_HELLO);
        assert_ok(
                        signed_reply(TAKE_PTR(volume.request), volume.secret, &parties,
                                     "application/json", text, strlen(text)));
}

static int judge_answer(const Answer *answer) {
        char text[256];

        (void) snprintf(text, sizeof(text),
                        "{\"follows\":%s,\"age_usec\":%" PRIu64 ",\"master\":\"%s\"}",
                        answer->follows ? "true" : "false", answer->age_usec, answer->master);
        assert_ok(greet(NUMBER));
        answer_signed(answer, text);
        return await_judgement();
}

static int judge_text(const char *text) {
        Answer answer = good_answer();

        assert_ok(greet(NUMBER));
        answer_signed(&answer, text);
        return await_judgement();
}

static int judge_refusal(int error, const char *detail) {
        assert_ok(greet(NUMBER));
        (void) stand_in_receive(&volume, CALL_HELLO);
        assert_ok(http_request_reply_error(TAKE_PTR(volume.request), error, detail));
        return await_judgement();
}

static int judge_status(unsigned status) {
        assert_ok(greet(NUMBER));
        (void) stand_in_receive(&volume, CALL_HELLO);
        assert_ok(http_request_reply_data(TAKE_PTR(volume.request), status, NULL, "{}", 2));
        return await_judgement();
}

TEST(a_greeting_names_the_store_that_is_meant_and_nothing_else_is_carried_out) {
        Answer answer = good_answer();
        const Parties *parties;

        assert_ok(greet(NUMBER));
        stand_in_await(&volume);
        parties = stand_in_parties(&volume);
        assert_int_equal(parties->from.number, 0); /* the master */
        assert_int_equal(parties->to.number, NUMBER);
        assert_int_equal(parties->to.uuid[0], NUMBER);
        assert_int_equal(parties->to.run, 0); /* whichever is there */
        assert_true(leadership_equal(&parties->lead, index_identity(master.index)));
        answer_signed(&answer, "{\"follows\":true,\"age_usec\":0,\"master\":\"\"}");
        assert_int_equal(await_judgement(), 0);
}

/* As one of a group greets. */
static void join_group(void) {
        greetings = greetings_free(greetings);
        assert_ok(greetings_new(
                        &(GreetingsOptions){
                                        .index = master.index,
                                        .lead = master.lead,
                                        .volumes = master.volumes,
                                        .troubles = master.troubles,
                                        .client = volume.client,
                                        .url = "http://here:3000",
                        },
                        &greetings));
}

TEST(a_master_of_a_group_says_where_it_is) {
        Answer answer = good_answer();
        Reader body;

        join_group();
        assert_ok(greet(NUMBER));
        stand_in_await(&volume);
        body = READER(volume.body->data, volume.body->size);
        assert_int_equal(body.size, strlen("http://here:3000"));
        assert_memory_equal(body.data, "http://here:3000", body.size);
        answer_signed(&answer, "{\"follows\":true,\"age_usec\":0,\"master\":\"\"}");
        assert_int_equal(await_judgement(), 0);
}

/* However alive another leader seems to be. */
TEST(of_two_leaders_of_a_group_the_one_with_the_lower_term_ends) {
        Answer answer = good_answer();

        join_group();
        answer.lead.term--;
        answer.lead.leader++;
        for (size_t i = 0; i < 3; i++)
                assert_int_equal(judge_answer(&answer), 0);
        assert_int_equal(lead_state(master.lead), LEAD_LEADS);
        answer.lead.term += 2;
        answer.lead.cluster[0] ^= 1;
        assert_int_equal(judge_answer(&answer), 0);
        assert_int_equal(lead_state(master.lead), LEAD_LEADS);
        answer.lead.cluster[0] ^= 1;
        assert_int_equal(judge_answer(&answer), 0);
        assert_int_equal(lead_state(master.lead), LEAD_LOST);
}

TEST(one_greeting_of_a_volume_is_under_way_at_a_time) {
        Answer answer = good_answer();

        assert_ok(greet(NUMBER));
        assert_int_equal(greet(NUMBER), -EALREADY);
        answer_signed(&answer, "{\"follows\":true,\"age_usec\":0,\"master\":\"\"}");
        assert_int_equal(await_judgement(), 0);
        assert_int_equal(judge_answer(&answer), 0);
}

TEST(a_volume_that_the_map_does_not_have_is_not_greeted) {
        assert_int_equal(greet(77), -ENOENT);
        assert_int_equal(greet(77), -ENOENT); /* none is under way, either */
}

TEST(where_nobody_listens_nobody_is_judged) {
        assert_ok(greet(OTHER));
        assert_int_equal(await_judgement(), -EHOSTDOWN);
        assert_null(master_detail(TROUBLE_MISPLACED, OTHER));
}

TEST(a_greeting_may_end_with_the_client) {
        assert_ok(greet(NUMBER));
        stand_in_await(&volume);
        stand_in_hang_up(&volume);
        assert_int_equal(await_judgement(), -ESHUTDOWN);
        assert_ok(http_request_reply_error(TAKE_PTR(volume.request), -EIO, NULL));
}

/* A volume with another secret, or that is about to stop, may well be the right one. */
TEST(a_refusal_without_a_reason_of_identity_says_nothing) {
        const int errors[] = { -EACCES, -EIO, -ESHUTDOWN, -ENOSPC };

        for (size_t i = 0; i < ELEMENTSOF(errors); i++)
                assert_int_equal(judge_refusal(errors[i], NULL), 0);
}

TEST(somebody_else_at_the_address_is_told) {
        static const unsigned statuses[] = { 204, 301, 400, 404, 405, 418 };
        Answer answer = good_answer();

        for (size_t i = 0; i < ELEMENTSOF(statuses); i++) {
                assert_int_equal(judge_status(statuses[i]), -EREMOTE);
                assert_contains(master_detail(TROUBLE_MISPLACED, NUMBER), volume.url);
                assert_contains(master_detail(TROUBLE_MISPLACED, NUMBER), "no volume of dkv");

                assert_int_equal(judge_answer(&answer), 0);
                assert_null(master_detail(TROUBLE_MISPLACED, NUMBER));
        }
}

TEST(an_answer_that_is_not_signed_is_nobody_s) {
        assert_int_equal(judge_status(200), -EREMOTE);
        assert_contains(master_detail(TROUBLE_MISPLACED, NUMBER), "no volume of this cluster");
}

TEST(another_store_at_the_address_is_not_the_volume) {
        Answer answers[] = { good_answer(), good_answer() };

        answers[0].store.number = OTHER;
        answers[1].store.uuid[0] = 99;
        for (size_t i = 0; i < ELEMENTSOF(answers); i++) {
                assert_int_equal(judge_answer(answers + i), -EREMOTE);
                assert_contains(master_detail(TROUBLE_MISPLACED, NUMBER), "another volume");
        }
}

TEST(what_refuses_the_call_as_meant_for_another_says_who_it_is) {
        assert_int_equal(judge_refusal(-EREMOTE, "This is volume 7."), -EREMOTE);
        assert_contains(master_detail(TROUBLE_MISPLACED, NUMBER), "which says: This is volume 7)");

        assert_int_equal(judge_refusal(-EREMOTE, "?"), -EREMOTE); /* nothing that could be quoted */
        assert_contains(master_detail(TROUBLE_MISPLACED, NUMBER), "it is another one's");
}

TEST(a_long_answer_is_cut_where_it_is_quoted) {
        char detail[1000];

        memset(detail, 'x', sizeof(detail));
        detail[sizeof(detail) - 1] = '\0';
        assert_int_equal(judge_refusal(-EREMOTE, detail), -EREMOTE);
        assert_contains(master_detail(TROUBLE_MISPLACED, NUMBER), "which says: xxx");
}

/* The address is right then, and the directory is not. */
TEST(another_store_with_the_volume_s_number_is_told_as_that) {
        assert_int_equal(judge_status(404), -EREMOTE);
        assert_int_equal(judge_refusal(-EREMOTE, IDENTITY_OTHER_STORE), -EREMOTE);
        assert_null(master_detail(TROUBLE_MISPLACED, NUMBER));
        assert_string_equal(master_detail(TROUBLE_OTHER_STORE, NUMBER), volume.url);
}

TEST(an_answer_that_makes_no_sense_is_nobody_s) {
        static const char *const texts[] = {
                "",
                "[]",
                "null",
                "{}",
                "not json",
                "{\"follows\":true,\"age_usec\":0}",
                "{\"follows\":true,\"master\":\"\"}",
                "{\"age_usec\":0,\"master\":\"\"}",
                "{\"follows\":1,\"age_usec\":0,\"master\":\"\"}",
                "{\"follows\":true,\"age_usec\":-1,\"master\":\"\"}",
                "{\"follows\":true,\"age_usec\":\"0\",\"master\":\"\"}",
                "{\"follows\":true,\"age_usec\":0,\"master\":7}",
                "{\"follows\":true,\"age_usec\":0,\"master\":\"\"",
        };

        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                assert_int_equal(judge_text(texts[i]), -EREMOTE);
                assert_int_equal(lead_state(master.lead), LEAD_LEADS);
        }
}

/* The run that answers is the one that was started again at the address of another. */
TEST(the_run_that_answers_may_take_the_place_of_the_one_before) {
        Answer answer = good_answer();
        VolumeReport report = master_report_of(NUMBER, volume.url);

        report.run = 77;
        assert_int_equal(master_hear(&report), -EINPROGRESS);
        answer.store.run = 77;
        assert_int_equal(judge_answer(&answer), 0);
        assert_int_equal(master_hear(&report), 0);
}

/* Another master has the cluster, or is about to take it. Greets the volume twice, SECONDS apart;
 * it follows THEIRS, which has taken a report AGE before. */
static LeadState meet(const Leadership *theirs, unsigned seconds, uint64_t age_usec) {
        Answer answer = good_answer();

        answer.lead = *theirs;
        answer.age_usec = age_usec;
        answer.master = "http://elsewhere:3000";
        assert_int_equal(judge_answer(&answer), 0);
        assert_int_equal(lead_state(master.lead), LEAD_LEADS); /* one answer shows nothing */
        shift_clock(seconds);
        assert_int_equal(judge_answer(&answer), 0);
        return lead_state(master.lead);
}

/* Of a term that is by DIFFERENCE later than ours. */
static Leadership other_lead(int difference) {
        Leadership lead = *index_identity(master.index);

        lead.term = (uint64_t) ((int64_t) lead.term + difference);
        lead.leader ^= UINT64_C(1) << 63;
        return lead;
}

TEST(the_later_of_two_masters_ends_at_once) {
        Leadership theirs = other_lead(-1);
        char reason[LEAD_REASON_SIZE];

        assert_int_equal(meet(&theirs, 1, 0), LEAD_DEPOSED);
        lead_reason(master.lead, reason);
        assert_contains(reason, "http://elsewhere:3000");
        assert_contains(reason, "volume 3");
}

TEST(the_earlier_of_two_masters_gives_the_later_one_time_to_notice) {
        Leadership theirs = other_lead(1);
        Answer answer = good_answer();

        assert_int_equal(meet(&theirs, 2, 0), LEAD_LEADS);
        answer.lead = theirs;
        shift_clock(3);
        assert_int_equal(judge_answer(&answer), 0);
        assert_int_equal(lead_state(master.lead), LEAD_DEPOSED);
}

TEST(of_two_masters_in_one_term_the_one_with_the_lower_id_is_the_earlier) {
        Leadership ours = *index_identity(master.index), theirs = other_lead(0);
        bool is_earlier = theirs.leader < ours.leader;

        assert_int_equal(meet(&theirs, 1, 0), is_earlier ? LEAD_DEPOSED : LEAD_LEADS);
}

/* It has taken its last report before we noticed it, so it may be gone. */
TEST(a_master_that_gives_no_sign_of_life_deposes_nobody) {
        Leadership theirs = other_lead(-1);

        assert_int_equal(meet(&theirs, 10, 10 * USEC_PER_SEC), LEAD_LEADS);
        assert_int_equal(meet(&theirs, 10, UINT64_MAX / 2), LEAD_LEADS);
}

TEST(the_master_of_another_cluster_deposes_nobody) {
        Leadership theirs = other_lead(-1);

        theirs.cluster[0] ^= 1;
        assert_int_equal(meet(&theirs, 10, 0), LEAD_LEADS);
}

TEST(a_volume_that_follows_nobody_deposes_nobody) {
        Answer answer = good_answer();

        answer.lead = other_lead(-1);
        answer.follows = false;
        for (int i = 0; i < 3; i++) {
                assert_int_equal(judge_answer(&answer), 0);
                shift_clock(10);
        }
        assert_int_equal(lead_state(master.lead), LEAD_LEADS);
}

TEST(a_volume_that_comes_back_to_this_master_is_taken_as_if_it_had_never_left) {
        Answer ours = good_answer(), theirs = good_answer();

        theirs.lead = other_lead(1);
        for (int i = 0; i < 4; i++) { /* each time for 2 s, never for more than 3 s at a time */
                assert_int_equal(judge_answer(&theirs), 0);
                shift_clock(2);
                assert_int_equal(judge_answer(&theirs), 0);
                assert_int_equal(judge_answer(&ours), 0);
        }
        assert_int_equal(lead_state(master.lead), LEAD_LEADS);
}

static int ignore_the_end(void **state) {
        return signal(SIGTERM, SIG_IGN) ==
               SIG_ERR; /* which a master sends itself that is deposed */
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                RUN(a_greeting_names_the_store_that_is_meant_and_nothing_else_is_carried_out),
                RUN(one_greeting_of_a_volume_is_under_way_at_a_time),
                RUN(a_master_of_a_group_says_where_it_is),
                RUN(of_two_leaders_of_a_group_the_one_with_the_lower_term_ends),
                RUN(a_volume_that_the_map_does_not_have_is_not_greeted),
                RUN(where_nobody_listens_nobody_is_judged),
                RUN(a_greeting_may_end_with_the_client),
                RUN(a_refusal_without_a_reason_of_identity_says_nothing),
                RUN(somebody_else_at_the_address_is_told),
                RUN(an_answer_that_is_not_signed_is_nobody_s),
                RUN(another_store_at_the_address_is_not_the_volume),
                RUN(what_refuses_the_call_as_meant_for_another_says_who_it_is),
                RUN(a_long_answer_is_cut_where_it_is_quoted),
                RUN(another_store_with_the_volume_s_number_is_told_as_that),
                RUN(an_answer_that_makes_no_sense_is_nobody_s),
                RUN(the_run_that_answers_may_take_the_place_of_the_one_before),
                RUN(the_later_of_two_masters_ends_at_once),
                RUN(the_earlier_of_two_masters_gives_the_later_one_time_to_notice),
                RUN(of_two_masters_in_one_term_the_one_with_the_lower_id_is_the_earlier),
                RUN(a_master_that_gives_no_sign_of_life_deposes_nobody),
                RUN(the_master_of_another_cluster_deposes_nobody),
                RUN(a_volume_that_follows_nobody_deposes_nobody),
                RUN(a_volume_that_comes_back_to_this_master_is_taken_as_if_it_had_never_left),
        };

        return cmocka_run_group_tests(tests, ignore_the_end, NULL);
}
