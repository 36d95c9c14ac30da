/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Who may call a master, and what those are told that may not. */

#include "test.h"

#include "base/json.h"
#include "master/call/peer.h"
#include "master/cluster/membership.h"
#include "master/cluster/report.h"
#include "master/cluster/run.h"
#include "rpc/rpc-call.h"
#include "store/index/identity.h"

#define ADMITTED 200

/* A call that is about a copy which there is not. */
static unsigned ask_nothing(const Parties *parties) {
        Buffer body = {};

        buffer_put_u32(&body, parties->from.number);
        buffer_put_u64(&body, next_version());
        wire_put_key(&body, "none");
        return call_as(parties, CALL_SETTLE, &body);
}

static const char *detail_of_answer(void) {
        return answer.detail;
}

static bool has_trouble(TroubleKind kind, uint32_t volume) {
        return troubles_has(world.troubles, kind, volume);
}

/* What a volume says of itself that calls its address URL and its number as its signature says. */
static void put_report(Buffer *body, const char *url) {
        static const char *const figures[] = { "free",        "size",        "objects",  "bytes",
                                               "pending",     "delay",       "revision", "deletion",
                                               "version_max", "objects_ever" };
        _cleanup_(json_freep) Json *json = json_new_object();
        _cleanup_free_ char *text = NULL;

        for (size_t i = 0; i < ELEMENTSOF(figures); i++)
                json_add_uint(json, figures[i], i < 2 ? GIB : 0);
        json_add_uint(json, "wire", WIRE_VERSION);
        json_add_uint(json, "clock", clock_realtime());
        json_add_string(json, "url", url);
        json_add_string(json, "zone", "");
        text = json_format(json, false);
        buffer_put(body, text, strlen(text));
}

static unsigned report_as(const Parties *parties, const char *url) {
        Buffer body = {};
        unsigned status;

        put_report(&body, url);
        status = call_as(parties, CALL_REPORT, &body);
        world_settle();
        return status;
}

TEST(the_run_that_is_the_volume_may_call) {
        for (uint32_t number = 1; number <= N_VOLUMES; number++) {
                Parties parties = parties_of(number);

                assert_int_equal(ask_nothing(&parties), ADMITTED);
        }
}

TEST(what_is_meant_for_another_master_is_refused) {
        Parties parties = parties_of(1);

        parties.lead.cluster[0] ^= 1;
        assert_int_equal(ask_nothing(&parties), 421);
}

TEST(what_is_meant_for_a_volume_is_refused) {
        Parties parties = parties_of(1);

        parties.to = (StoreIdentity){ .number = 2, .uuid = { 2 } };
        assert_int_equal(ask_nothing(&parties), 421);
        assert_int_equal(report_as(&parties, world.fakes[1].url), 421);
}

TEST(another_master_gives_this_one_no_orders) {
        Parties parties = parties_of(0);

        assert_int_equal(ask_nothing(&parties), 421);
        assert_int_equal(report_as(&parties, world.fakes[1].url), 421);
}

TEST(whoever_follows_a_later_master_is_told_that_this_one_is_over) {
        Parties parties = parties_of(1);

        parties.lead.term++;
        assert_int_equal(ask_nothing(&parties), 410);
}

/* It reports, and calls again: it follows an earlier start of this master, or a copy of it. */
TEST(whoever_follows_an_earlier_start_has_to_report_first) {
        Parties parties = parties_of(1);

        parties.lead.term--;
        assert_int_equal(ask_nothing(&parties), 425);
        parties = parties_of(1);
        parties.lead.leader ^= 1;
        assert_int_equal(ask_nothing(&parties), 425);
}

TEST(a_store_that_is_not_the_volume_is_refused) {
        Parties parties = parties_of(1);

        parties.from.uuid[5] = 77;
        assert_int_equal(ask_nothing(&parties), 421);
}

TEST(a_run_that_has_not_reported_has_to_report_first) {
        Parties parties = parties_of(1), unknown = parties_of(N_VOLUMES + 1);

        parties.from.run = 2;
        assert_int_equal(ask_nothing(&parties), 425);
        assert_int_equal(ask_nothing(&unknown), 425);
}

TEST(a_run_that_was_started_again_counts_its_calls_anew) {
        Parties parties = parties_of(1);
        VolumeReport report = fake_report(world.fakes + 1);
        StoreIdentity store = parties.from;

        assert_int_equal(ask_nothing(&parties), ADMITTED);
        store.run = report.run = 2;
        volumes_note_answer(world.volumes, &store);
        assert_ok(volumes_report(world.volumes, &report));
        parties.from.run = 2;
        assert_int_equal(ask_nothing(&parties), ADMITTED);
        parties = parties_of(1); /* the one before may not call any more */
        assert_int_equal(ask_nothing(&parties), 425);
}

TEST(without_an_offer_nobody_opens_a_channel) {
        assert_status(get("/-/channel"), 403);
        assert_false(has_trouble(TROUBLE_SECRET, 0)); /* anybody may knock */
}

TEST(a_volume_with_another_secret_is_told_to_the_administrator) {
        Parties parties = parties_of(1);
        PeersOptions options = { .timeout_usec = NO_TIMEOUT };
        Peers *own = world.peers;
        Buffer body = {};

        assert_ok(loops_new(1, &options.loops));
        assert_ok(secret_new("another secret, ", 16, &options.secret));
        assert_ok(peers_new(&options, &world.peers));
        put_report(&body, world.fakes[1].url);
        assert_int_equal(call_as(&parties, CALL_REPORT, &body), 403);
        assert_true(has_trouble(TROUBLE_SECRET, 0));
        world.peers = peers_free(world.peers);
        world.peers = own;
        (void) loops_free(options.loops);
        (void) secret_free(options.secret);
}

TEST(a_store_with_the_number_of_another_is_told_why_it_is_refused) {
        Parties parties = parties_of(1);

        parties.from.uuid[0] = 99;
        assert_int_equal(report_as(&parties, "http://127.0.0.1:9"), 409);
        assert_contains(detail_of_answer(), "Another store has this volume's number");
        assert_true(has_trouble(TROUBLE_OTHER_STORE, 1));
}

TEST(a_copied_directory_under_another_number_is_told_why_it_is_refused) {
        Parties parties = parties_of(9);

        parties.from.uuid[0] = 1;
        assert_int_equal(report_as(&parties, "http://127.0.0.1:9"), 409);
        assert_contains(detail_of_answer(), "the store of another volume");
}

TEST(of_two_daemons_on_one_store_the_second_is_told_where_the_first_is) {
        Parties parties = parties_of(1);

        parties.from.run = 2;
        assert_true(report_as(&parties, "http://127.0.0.1:9") >= 400);
        assert_contains(detail_of_answer(), world.fakes[1].url);
        assert_contains(detail_of_answer(), "http://127.0.0.1:9");
        assert_true(has_trouble(TROUBLE_TWO_RUNS, 1));

        parties = parties_of(1); /* the first one does not notice */
        assert_int_equal(ask_nothing(&parties), ADMITTED);
}

TEST(a_store_of_another_cluster_is_told_why_it_is_refused) {
        Parties parties = parties_of(1);

        parties.lead.cluster[0] ^= 1;
        assert_true(report_as(&parties, world.fakes[1].url) >= 400);
        assert_true(has_trouble(TROUBLE_OTHER_CLUSTER, 1) || has_trouble(TROUBLE_STRANGER, 1));
}

TEST(a_store_that_has_followed_nobody_yet_may_be_of_any_cluster) {
        VolumeReport report = fake_report(world.fakes + 1);

        report.lead = (Leadership){};
        assert_int_equal(caller_check_cluster(&world.requests.callers, &report), 0);
        report.lead = *index_identity(world.index);
        report.lead.term = 1; /* whatever the term */
        assert_int_equal(caller_check_cluster(&world.requests.callers, &report), 0);
        report.lead.cluster[15] ^= 1;
        assert_int_equal(caller_check_cluster(&world.requests.callers, &report), -EREMOTE);
}

static void on_changed(VolumesChange *change, int result) {
        scratch_done(NULL, result);
}

TEST(a_removed_volume_is_told_that_it_is) {
        VolumesChange change = { .epoch = EPOCH_ANY, .done = on_changed };
        const uint32_t number = 3;
        Parties parties = parties_of(number);

        assert_ok(volumes_set_copies(world.volumes, 1, &change));
        assert_ok(scratch_wait());
        assert_ok(volumes_drain(world.volumes, &number, 1, &change));
        assert_ok(scratch_wait());
        assert_ok(volumes_remove(world.volumes, &number, 1, &change));
        assert_ok(scratch_wait());
        assert_true(report_as(&parties, world.fakes[3].url) >= 400);
        assert_contains(detail_of_answer(), "was removed from the cluster");
        assert_true(has_trouble(TROUBLE_REMOVED_REPORTS, 3));
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, peer_setup, peer_teardown)
        const struct CMUnitTest tests[] = {
                RUN(the_run_that_is_the_volume_may_call),
                RUN(what_is_meant_for_another_master_is_refused),
                RUN(what_is_meant_for_a_volume_is_refused),
                RUN(another_master_gives_this_one_no_orders),
                RUN(whoever_follows_a_later_master_is_told_that_this_one_is_over),
                RUN(whoever_follows_an_earlier_start_has_to_report_first),
                RUN(a_store_that_is_not_the_volume_is_refused),
                RUN(a_run_that_has_not_reported_has_to_report_first),
                RUN(a_run_that_was_started_again_counts_its_calls_anew),
                RUN(without_an_offer_nobody_opens_a_channel),
                RUN(a_volume_with_another_secret_is_told_to_the_administrator),
                RUN(a_store_with_the_number_of_another_is_told_why_it_is_refused),
                RUN(a_copied_directory_under_another_number_is_told_why_it_is_refused),
                RUN(of_two_daemons_on_one_store_the_second_is_told_where_the_first_is),
                RUN(a_store_of_another_cluster_is_told_why_it_is_refused),
                RUN(a_store_that_has_followed_nobody_yet_may_be_of_any_cluster),
                RUN(a_removed_volume_is_told_that_it_is),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
