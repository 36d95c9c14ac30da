/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The collector, and volumes that delete what it tells them, or do not. */

#include "test.h"

#include <errno.h>

#include "core/call/wire.h"
#include "master/cluster/membership.h"
#include "master/master-fixture.h"
#include "master/upkeep/deadlines.h"
#include "master/upkeep/garbage.h"
#include "shift.h"
#include "store/index/engine/index-internal.h"
#include "store/index/garbage.h"
#include "sweep.h"

#define VOLUMES_MAX 2
#define ITEMS_MAX   5000

static StandIn volumes[VOLUMES_MAX + 1]; /* by number, from 1 */
static Peers *peers;
static GarbageCollector *collector;
static uint64_t last_number; /* of a call */

static void start_collector(void) {
        assert_ok(garbage_collector_new(
                        &(GarbageOptions){
                                        .index = master.index,
                                        .lead = master.lead,
                                        .volumes = master.volumes,
                                        .peers = peers,
                        },
                        master.event, &collector));
}

static void start_all(void) {
        master_start();
        for (uint32_t i = 1; i <= VOLUMES_MAX; i++) {
                stand_in_init(volumes + i);
                stand_in_listen(volumes + i);
                master_know(i, volumes[i].url);
        }
        peers = volumes[1].peers;
        last_number = 0;
        start_collector();
}

static void stop_all(void) {
        for (uint32_t i = 1; i <= VOLUMES_MAX; i++)
                stand_in_done(volumes + i);
        master.index = index_free(master.index); /* what was submitted is done */
        collector = garbage_collector_free(collector);
        master_stop();
        atomic_store(&shift_realtime_usec, 0);
}

static int setup(void **state) {
        start_all();
        return 0;
}

static int teardown(void **state) {
        stop_all();
        return 0;
}

/* N versions that were stored on the volume and never committed, due after SECONDS. */
static void leave_garbage(uint32_t volume, size_t n, uint64_t seconds) {
        static IndexSettleItem items[ITEMS_MAX];
        IndexSettle settle = {
                .request.done = scratch_answered,
                .volume = volume,
                .items = items,
                .n_items = n,
                .garbage_due_usec = clock_realtime() + seconds * USEC_PER_SEC,
                .tombstone_due_usec = deadline_of_tombstone(),
        };

        for (size_t i = 0; i < n; i++)
                items[i] = (IndexSettleItem){
                        .version = index_next_version(master.index, VERSION_TICKET),
                        .key = "k",
                };
        index_settle(master.index, &settle);
        assert_ok(scratch_wait());
}

static uint64_t count_garbage(void) {
        IndexCounters counters;

        index_counters(master.index, &counters);
        return counters.garbage;
}

/* What is due of a volume, or of the tombstones. */
static int count_due(uint32_t volume) {
        static Garbage items[ITEMS_MAX];
        int r = index_garbage(master.index, volume, UINT64_MAX, items, ELEMENTSOF(items));

        assert_ok(r);
        return r;
}

/* Lets the collector work until the volume is called. */
static void await_call(StandIn *volume) {
        for (int i = 0; i < 2000 && sem_trywait(&volume->arrived) < 0; i++)
                assert_ok(sd_event_run(master.event, 10 * USEC_PER_MSEC));
        assert_non_null(volume->call);
        assert_ok(sem_post(&volume->arrived));
}

/* Lets it work for a while, in which it looks at every volume. */
static void let_work(void) {
        uint64_t until = clock_usec(CLOCK_BOOTTIME) + 700 * USEC_PER_MSEC;

        while (clock_usec(CLOCK_BOOTTIME) < until)
                assert_ok(sd_event_run(master.event, 10 * USEC_PER_MSEC));
}

static void let_work_until(int (*count)(uint32_t volume), uint32_t volume, int n) {
        for (int i = 0; i < 2000 && count(volume) != n; i++)
                assert_ok(sd_event_run(master.event, 10 * USEC_PER_MSEC));
        assert_int_equal(count(volume), n);
}

/* Takes a call; returns how many versions it names, which are good until the answer. */
static size_t receive_call(StandIn *volume, const uint8_t **ret_versions) {
        Reader body;
        uint64_t number;
        size_t n;

        await_call(volume);
        body = stand_in_receive(volume, CALL_DELETE);
        number = reader_get_u64(&body);
        assert_true(number > last_number);
        last_number = number;
        n = body.size / sizeof(uint64_t);
        if (ret_versions)
                *ret_versions = reader_get(&body, n * sizeof(uint64_t));
        return n;
}

/* Takes a call, and answers the same of each version. Returns how many there were. */
static size_t serve(StandIn *volume, int error) {
        _cleanup_(buffer_done) Buffer answer = {};
        size_t n = receive_call(volume, NULL);

        for (size_t i = 0; i < n; i++)
                wire_put_error(&answer, error);
        stand_in_answer(volume, &answer);
        return n;
}

static void assert_idle(void) {
        let_work();
        for (uint32_t i = 1; i <= VOLUMES_MAX; i++)
                assert_int_equal(sem_trywait(&volumes[i].arrived), -1);
}

TEST(what_is_due_is_deleted_and_then_forgotten) {
        leave_garbage(1, 3, 0);
        assert_int_equal(serve(volumes + 1, 0), 3);
        let_work_until(count_due, 1, 0);
        assert_idle();
}

TEST(what_is_not_due_stays) {
        leave_garbage(1, 1, 600);
        leave_garbage(1, 2, 0);
        assert_int_equal(serve(volumes + 1, 0), 2);
        let_work_until(count_due, 1, 1);
        assert_idle();
        shift_realtime(601);
        assert_int_equal(serve(volumes + 1, 0), 1);
        let_work_until(count_due, 1, 0);
}

/* A readers' grace time is by the clock of the wall, which may be put back: then they have longer,
 * and nothing is deleted before. */
TEST(a_clock_that_was_put_back_deletes_nothing_early) {
        shift_realtime(1000);
        leave_garbage(1, 1, 0);
        atomic_store(&shift_realtime_usec, 0);
        assert_idle();
        assert_int_equal(count_due(1), 1);
        shift_realtime(1001);
        assert_int_equal(serve(volumes + 1, 0), 1);
}

TEST(each_call_has_a_higher_number_than_all_before) {
        for (int i = 0; i < 3; i++) { /* receive_call() compares */
                leave_garbage(1, 1, 0);
                assert_int_equal(serve(volumes + 1, 0), 1);
                let_work_until(count_due, 1, 0);
        }
        leave_garbage(2, 1, 0);
        assert_int_equal(serve(volumes + 2, 0), 1);
}

TEST(more_than_fits_a_call_goes_in_several) {
        leave_garbage(1, ITEMS_MAX, 0);
        assert_int_equal(serve(volumes + 1, 0), 4096);
        assert_int_equal(serve(volumes + 1, 0), ITEMS_MAX - 4096);
        let_work_until(count_due, 1, 0);
}

TEST(what_a_volume_cannot_delete_is_tried_again_later) {
        static const int errors[] = { -EBADMSG, -EIO, -EROFS };

        for (size_t i = 0; i < ELEMENTSOF(errors); i++) {
                leave_garbage(1, 2, 0);
                assert_int_equal(serve(volumes + 1, errors[i]), 2);
                let_work();
                assert_int_equal(count_due(1), 2);
                assert_int_equal(sem_trywait(&volumes[1].arrived), -1);

                shift_realtime(GARBAGE_AGAIN_USEC / USEC_PER_SEC + 1);
                assert_int_equal(serve(volumes + 1, 0), 2);
                let_work_until(count_due, 1, 0);
        }
}

TEST(what_a_volume_has_deleted_is_forgotten_though_it_cannot_delete_the_rest) {
        _cleanup_(buffer_done) Buffer answer = {};
        const uint8_t *versions;
        uint64_t failed;
        Reader second;
        Garbage left;

        leave_garbage(1, 3, 0);
        assert_int_equal(receive_call(volumes + 1, &versions), 3);
        second = READER(versions + 8, 8);
        failed = reader_get_u64(&second);
        wire_put_error(&answer, 0);
        wire_put_error(&answer, -EIO);
        wire_put_error(&answer, 0);
        stand_in_answer(volumes + 1, &answer);
        let_work_until(count_due, 1, 1);
        assert_int_equal(index_garbage(master.index, 1, UINT64_MAX, &left, 1), 1);
        assert_int_equal(left.version, failed);
}

TEST(a_call_that_fails_is_made_again) {
        leave_garbage(1, 2, 0);
        (void) receive_call(volumes + 1, NULL);
        stand_in_cut(volumes + 1);
        (void) receive_call(volumes + 1, NULL);
        stand_in_refuse(volumes + 1, -EBUSY);
        (void) receive_call(volumes + 1, NULL);
        stand_in_refuse(volumes + 1, -EINPROGRESS);
        assert_int_equal(serve(volumes + 1, 0), 2);
        let_work_until(count_due, 1, 0);
}

/* Nothing may be forgotten by an answer that is not one. */
TEST(an_answer_of_the_wrong_length_counts_for_nothing) {
        _cleanup_(buffer_done) Buffer answer = {};

        leave_garbage(1, 2, 0);
        for (int n = 0; n < 4; n++) {
                if (n == 2)
                        continue;
                (void) receive_call(volumes + 1, NULL);
                buffer_clear(&answer);
                for (int i = 0; i < n; i++)
                        wire_put_error(&answer, 0);
                stand_in_answer(volumes + 1, &answer);
                let_work();
                assert_int_equal(count_due(1), 2);
        }
        assert_int_equal(serve(volumes + 1, 0), 2);
        let_work_until(count_due, 1, 0);
}

TEST(a_volume_that_hangs_does_not_hold_up_the_others) {
        leave_garbage(1, 1, 0);
        leave_garbage(2, 1, 0);
        (void) receive_call(volumes + 1, NULL);
        assert_int_equal(serve(volumes + 2, 0), 1);
        let_work_until(count_due, 2, 0);

        leave_garbage(2, 1, 0);
        assert_int_equal(serve(volumes + 2, 0), 1);
        assert_int_equal(count_due(1), 1); /* and it has one call at a time */
        stand_in_refuse(volumes + 1, -EIO);
        assert_int_equal(serve(volumes + 1, 0), 1);
}

TEST(a_volume_that_is_down_is_asked_when_it_is_back) {
        leave_garbage(1, 1, 0);
        shift_clock(3601);
        assert_idle();
        master_know(1, volumes[1].url);
        assert_int_equal(serve(volumes + 1, 0), 1);
        let_work_until(count_due, 1, 0);
}

TEST(a_volume_that_has_not_reported_in_this_term_is_asked_when_it_has) {
        leave_garbage(1, 1, 0);
        collector = garbage_collector_free(collector);
        master_close();
        master_open(USEC_PER_HOUR);
        start_collector();
        assert_idle();
        master_know(1, volumes[1].url);
        assert_int_equal(serve(volumes + 1, 0), 1);
        let_work_until(count_due, 1, 0);
}

static void on_changed(VolumesChange *change, int result) {
        scratch_done(NULL, result);
}

/* Nobody will come back to ask for it. */
TEST(garbage_of_a_removed_volume_is_forgotten) {
        VolumesChange change = { .epoch = EPOCH_ANY, .done = on_changed };
        const uint32_t number = 1;

        leave_garbage(1, 3, 1);
        assert_ok(volumes_drain(master.volumes, &number, 1, &change));
        assert_ok(scratch_wait());
        assert_ok(volumes_remove(master.volumes, &number, 1, &change));
        assert_ok(scratch_wait());
        shift_realtime(2);
        let_work_until(count_due, 1, 0);
        assert_int_equal(sem_trywait(&volumes[1].arrived), -1);
}

/* What a volume of a newer index knows may be all that is left of a value. */
TEST(a_master_that_does_not_lead_deletes_nothing) {
        VolumeReport ahead = master_report_of(1, volumes[1].url);

        leave_garbage(1, 1, 0);
        ahead.version_max = UINT64_C(1) << 60;
        ahead.lead = *index_identity(master.index);
        assert_int_equal(lead_hear(master.lead, &ahead, LEAD_MEMBER, 2), -EOWNERDEAD);
        assert_idle();
        assert_int_equal(count_due(1), 1);
}

/* A version stays dead for as long as an older commit may still arrive, and is forgotten then. */
TEST(without_a_number_nothing_is_deleted) {
        leave_garbage(1, 1, 0);
        atomic_store(&master.index->versions.is_over, true);
        assert_idle();
        atomic_store(&master.index->versions.is_over, false);
        assert_int_equal(serve(volumes + 1, 0), 1);
        let_work_until(count_due, 1, 0);
}

TEST(a_tombstone_stands_until_no_commit_can_arrive_any_more) {
        leave_garbage(1, 2, 0);
        assert_int_equal(serve(volumes + 1, 0), 2);
        let_work_until(count_due, 1, 0);
        let_work();
        assert_int_equal(count_due(INDEX_TOMBSTONES), 2);
        shift_realtime(DEADLINE_COMMIT_USEC / USEC_PER_SEC + 1);
        let_work_until(count_due, INDEX_TOMBSTONES, 0);
        assert_int_equal(count_garbage(), 0);
}

/* The call is repeated until the index has forgotten what was deleted, and no longer. */
static void collect_once(Sweep *sweep, void *userdata) {
        unsigned n_calls = 0;

        start_all();
        leave_garbage(1, 2, 0);
        sweep_begin(sweep, master.index);
        for (int i = 0; i < 3000 && count_due(1) > 0; i++) {
                assert_ok(sd_event_run(master.event, 10 * USEC_PER_MSEC));
                if (sem_trywait(&volumes[1].arrived) < 0)
                        continue;
                assert_ok(sem_post(&volumes[1].arrived));
                assert_int_equal(serve(volumes + 1, 0), 2);
                n_calls++;
        }
        sweep_end(sweep, master.index);
        assert_int_equal(count_due(1), 0);
        assert_int_equal(count_due(INDEX_TOMBSTONES), 2);
        assert_true(n_calls >= 1);
        if (sweep_is_made(sweep, REQUEST_COLLECTED))
                assert_int_equal(n_calls, 1);
        else
                assert_int_equal(n_calls, 2);
        stop_all();
}

TEST(what_could_not_be_forgotten_is_deleted_once_more) {
        assert_true(sweep_index(collect_once, NULL) >= 1);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                RUN(what_is_due_is_deleted_and_then_forgotten),
                RUN(what_is_not_due_stays),
                RUN(a_clock_that_was_put_back_deletes_nothing_early),
                RUN(each_call_has_a_higher_number_than_all_before),
                RUN(more_than_fits_a_call_goes_in_several),
                RUN(what_a_volume_cannot_delete_is_tried_again_later),
                RUN(what_a_volume_has_deleted_is_forgotten_though_it_cannot_delete_the_rest),
                RUN(a_call_that_fails_is_made_again),
                RUN(an_answer_of_the_wrong_length_counts_for_nothing),
                RUN(a_volume_that_hangs_does_not_hold_up_the_others),
                RUN(a_volume_that_is_down_is_asked_when_it_is_back),
                RUN(a_volume_that_has_not_reported_in_this_term_is_asked_when_it_has),
                RUN(garbage_of_a_removed_volume_is_forgotten),
                RUN(a_master_that_does_not_lead_deletes_nothing),
                RUN(without_a_number_nothing_is_deleted),
                RUN(a_tombstone_stands_until_no_commit_can_arrive_any_more),
                cmocka_unit_test(what_could_not_be_forgotten_is_deleted_once_more),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
