/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A store that went back in time, from the report that shows it until it is looked through. */

#include "test.h"

#include <errno.h>

#include "core/call/wire.h"
#include "master/master-fixture.h"
#include "master/upkeep/stale.h"
#include "store/index/damage.h"
#include "store/index/rollback.h"
#include "sweep.h"

#define NUMBER 1
#define OTHER  2

static StandIn volume;
static Stale *stale;
static uint64_t last_version;

static void start_stale(void) {
        assert_ok(stale_new(
                        &(StaleOptions){
                                        .index = master.index,
                                        .volumes = master.volumes,
                                        .troubles = master.troubles,
                                        .peers = volume.peers,
                        },
                        &stale));
}

static void start_all(void) {
        master_start();
        stand_in_init(&volume);
        stand_in_listen(&volume);
        master_know(NUMBER, volume.url);
        start_stale();
}

static void end_master(void) {
        stale_stop(stale);
        master.index = index_free(master.index);
        stale = stale_free(stale);
        master_close();
}

static void stop_all(void) {
        stale_stop(stale);
        stand_in_done(&volume);
        end_master();
        master.directory = scratch_free(master.directory);
}

static void restart(void) {
        end_master();
        master_open(USEC_PER_HOUR);
        start_stale();
}

static int setup(void **state) {
        start_all();
        return 0;
}

static int teardown(void **state) {
        stop_all();
        return 0;
}

static Record make_record(uint64_t version) {
        return (Record){
                .version = version,
                .content_type = "",
                .metadata = "",
                .n_copies = 2,
                .copies = { OTHER, NUMBER },
        };
}

/* A value with copies on both volumes. */
static void commit(const char *key) {
        IndexCommit request = {
                .request.done = scratch_answered,
                .key = key,
                .record = make_record(index_next_version(master.index, VERSION_DIRECT)),
        };

        last_version = request.record.version;
        index_commit(master.index, &request);
        assert_ok(scratch_wait());
}

/* The volume reports that it has come up to VERSION, and has stored OBJECTS. */
static void hear(uint64_t version, uint64_t objects) {
        VolumeReport report = master_report_of(NUMBER, volume.url);

        report.version_max = version;
        report.objects_ever = objects;
        stale_hear(stale, &report);
        master_settle();
}

static bool is_avoided(void) {
        const Record record = make_record(1);
        unsigned avoid = stale_avoid(stale, &record);

        assert_int_equal(avoid & ~2U, 0); /* at most the second copy, which is there */
        return avoid != 0;
}

static bool is_swept(uint64_t *ret_token, uint64_t *ret_version) {
        return stale_sweep(stale, NUMBER, ret_token, ret_version);
}

static bool is_known(void) {
        uint64_t token, version;

        return is_swept(&token, &version);
}

/* Answers the same of each copy that the volume is asked about. Returns how many there were. */
static size_t answer_check(int error) {
        _cleanup_(buffer_done) Buffer answer = {};
        Reader body = stand_in_receive(&volume, CALL_CHECK);
        size_t n;

        assert_int_equal(reader_get_u8(&body), WIRE_CHECK_PRESENT);
        n = body.size / sizeof(uint64_t);
        for (size_t i = 0; i < n; i++)
                wire_put_error(&answer, error);
        stand_in_answer(&volume, &answer);
        return n;
}

static void await_end_of_avoidance(void) {
        for (int i = 0; i < 2000 && is_avoided(); i++)
                (void) usleep(10 * USEC_PER_MSEC);
        assert_false(is_avoided());
        master_settle();
}

/* Two reports below what the index knows: it went back. */
static void go_back(void) {
        hear(last_version - 1, 0);
        hear(last_version - 1, 0);
        assert_true(is_avoided());
}

TEST(a_store_that_has_what_the_index_knows_is_well) {
        commit("a");
        for (int i = 0; i < 3; i++)
                hear(last_version, 5);
        assert_false(is_avoided());
        assert_false(is_known());
        assert_null(master_detail(TROUBLE_WENT_BACK, NUMBER));
}

/* One may have been held up on its way, while a value was stored. */
TEST(one_report_alone_shows_nothing) {
        commit("a");
        for (int i = 0; i < 3; i++) {
                hear(last_version - 1, 0);
                assert_false(is_avoided());
                hear(last_version, 0);
                assert_false(is_avoided());
        }
}

TEST(a_value_that_is_committed_between_two_reports_shows_nothing) {
        for (int i = 0; i < 5; i++) {
                hear(last_version, 0);
                commit("a"); /* and the next report is of before */
                hear(last_version, 0);
        }
        assert_false(is_avoided());
}

TEST(a_store_that_lacks_what_was_committed_there_is_avoided) {
        uint64_t token, version;

        commit("a");
        go_back();
        assert_non_null(master_detail(TROUBLE_WENT_BACK, NUMBER));
        assert_true(is_swept(&token, &version));
        assert_true(version == last_version - 1); /* it asks about all that it has */
        (void) answer_check(0);
        await_end_of_avoidance();
}

TEST(a_store_that_has_stored_less_than_before_is_avoided) {
        commit("a");
        hear(last_version, 10);
        hear(last_version, 9);
        assert_false(is_avoided());
        hear(last_version, 9);
        assert_true(is_avoided());
        (void) answer_check(0);
        await_end_of_avoidance();
}

TEST(other_volumes_are_read_as_before) {
        const Record elsewhere = { .n_copies = 2, .copies = { OTHER, 77 } };

        commit("a");
        go_back();
        assert_int_equal(stale_avoid(stale, &elsewhere), 0);
        assert_int_equal(stale_avoid(NULL, &elsewhere), 0);
        (void) answer_check(0);
        await_end_of_avoidance();
}

TEST(what_it_lacks_is_marked_before_it_is_read_again) {
        commit("a");
        commit("b");
        go_back();
        assert_int_equal(answer_check(-ENOENT), 2);
        await_end_of_avoidance();
        assert_int_equal(index_damage_on(master.index, NUMBER), 2);
        assert_int_equal(index_damage_on(master.index, OTHER), 0);
        assert_null(master_detail(TROUBLE_WENT_BACK, NUMBER));
        assert_true(is_known()); /* it goes on asking about what it has */
}

TEST(a_store_that_does_not_answer_is_asked_again) {
        commit("a");
        go_back();
        (void) stand_in_receive(&volume, CALL_CHECK);
        stand_in_refuse(&volume, -EIO);
        assert_true(is_avoided());
        assert_int_equal(answer_check(0), 1);
        await_end_of_avoidance();
}

TEST(a_store_that_is_older_still_is_looked_through_once_more) {
        uint64_t first, second, version;

        commit("a");
        commit("b");
        go_back();
        (void) answer_check(0);
        await_end_of_avoidance();
        assert_true(is_swept(&first, &version));

        hear(last_version - 3, 0);
        hear(last_version - 3, 0);
        assert_true(is_avoided());
        assert_true(is_swept(&second, &version));
        assert_true(second > first);
        assert_true(version == last_version - 3);
        (void) answer_check(0);
        await_end_of_avoidance();
}

/* It goes on storing, with higher versions, and is what it should be again. */
TEST(a_store_that_was_looked_through_and_has_caught_up_is_forgotten) {
        commit("a");
        go_back();
        (void) answer_check(0);
        await_end_of_avoidance();
        commit("b");
        hear(last_version, 1);
        assert_false(is_known());
        restart();
        assert_false(is_known());
        assert_false(is_avoided());
}

TEST(a_store_that_catches_up_before_it_was_looked_through_is_looked_through_all_the_same) {
        commit("a");
        go_back();
        stand_in_await(&volume);
        commit("b");
        hear(last_version, 5);
        assert_true(is_avoided());
        assert_int_equal(answer_check(-ENOENT), 1);
        await_end_of_avoidance();
}

TEST(it_is_remembered_over_a_restart) {
        uint64_t before, after, version;

        commit("a");
        go_back();
        stand_in_await(&volume);
        assert_true(is_swept(&before, &version));
        (void) stand_in_receive(&volume, CALL_CHECK);
        stand_in_refuse(&volume, -EIO);
        restart();
        assert_true(is_avoided());
        assert_true(is_swept(&after, &version));
        assert_true(before == after); /* one and the same time */
        assert_non_null(master_detail(TROUBLE_WENT_BACK, NUMBER));

        master_know(NUMBER, volume.url);
        assert_int_equal(answer_check(-ENOENT), 1);
        await_end_of_avoidance();
        restart();
        assert_false(is_avoided());
        assert_true(is_known());
        assert_int_equal(index_damage_on(master.index, NUMBER), 1);
}

TEST(a_record_of_another_release_stops_the_start) {
        static const struct {
                const char *data;
                size_t size;
                int error;
        } cases[] = {
                { "\x09", 1, -EPROTONOSUPPORT },
                { "\x02 short", 7, -EBADMSG },
        };
        const StaleOptions options = { .index = master.index,
                                       .volumes = master.volumes,
                                       .troubles = master.troubles };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                IndexSet set = { .request.done = scratch_answered,
                                 .name = "stale-1",
                                 .data = cases[i].data,
                                 .size = cases[i].size };
                Stale *other;

                index_set(master.index, &set);
                assert_ok(scratch_wait());
                assert_int_equal(stale_new(&options, &other), cases[i].error);
        }
}

static void on_accepted(IndexAccept *accept, IndexResult result) {
        scratch_done(NULL, result.error);
}

/* It is the index that went back then: what the store has is not in doubt, but may be unknown. */
TEST(after_a_rollback_every_store_is_looked_through_once_and_read_all_the_while) {
        IndexAccept accept = { .term = 1, .version = 1000, .done = on_accepted };
        uint64_t first, second, version;

        commit("a");
        index_accept_rollback(master.index, &accept);
        assert_ok(scratch_wait());
        hear(last_version, 1);
        assert_false(is_avoided());
        assert_true(is_swept(&first, &version));
        assert_true(version >= 1000); /* all of what is from before */
        assert_int_equal(answer_check(-ENOENT), 1);
        for (int i = 0; i < 1000 && index_damage_on(master.index, NUMBER) == 0; i++)
                (void) usleep(10 * USEC_PER_MSEC);
        assert_int_equal(index_damage_on(master.index, NUMBER), 1);
        assert_null(master_detail(TROUBLE_WENT_BACK, NUMBER));

        hear(last_version, 1);
        assert_true(is_swept(&second, &version));
        assert_true(first == second);
}

/* Without an answer it is known all the same, and stored with the next report. */
static void go_back_with_an_accident(Sweep *sweep, void *userdata) {
        start_all();
        commit("a");
        hear(last_version - 1, 0);
        sweep_begin(sweep, master.index);
        stale_hear(stale, &(VolumeReport){ .number = NUMBER, .version_max = last_version - 1 });
        sweep_end(sweep, master.index);
        master_settle();
        assert_true(is_avoided());
        (void) stand_in_receive(&volume, CALL_CHECK);
        stand_in_refuse(&volume, -EIO);

        hear(last_version - 1, 0);
        restart();
        assert_true(is_avoided());
        stop_all();
}

TEST(that_it_went_back_is_stored_until_it_is) {
        assert_true(sweep_index(go_back_with_an_accident, NULL) >= 1);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                RUN(a_store_that_has_what_the_index_knows_is_well),
                RUN(one_report_alone_shows_nothing),
                RUN(a_value_that_is_committed_between_two_reports_shows_nothing),
                RUN(a_store_that_lacks_what_was_committed_there_is_avoided),
                RUN(a_store_that_has_stored_less_than_before_is_avoided),
                RUN(other_volumes_are_read_as_before),
                RUN(what_it_lacks_is_marked_before_it_is_read_again),
                RUN(a_store_that_does_not_answer_is_asked_again),
                RUN(a_store_that_is_older_still_is_looked_through_once_more),
                RUN(a_store_that_was_looked_through_and_has_caught_up_is_forgotten),
                RUN(a_store_that_catches_up_before_it_was_looked_through_is_looked_through_all_the_same),
                RUN(it_is_remembered_over_a_restart),
                RUN(a_record_of_another_release_stops_the_start),
                RUN(after_a_rollback_every_store_is_looked_through_once_and_read_all_the_while),
                cmocka_unit_test(that_it_went_back_is_stored_until_it_is),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
