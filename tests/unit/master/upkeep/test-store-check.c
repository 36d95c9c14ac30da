/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A store that is compared with the index, while the test answers for its volume. */

#include "test.h"

#include <errno.h>
#include <pthread.h>

#include "core/call/wire.h"
#include "master/master-fixture.h"
#include "master/upkeep/store-check.h"
#include "shift.h"
#include "store/index/damage.h"
#include "sweep.h"

#define NUMBER   1
#define PAGE     256 /* keys */
#define KEYS_MAX 1024

static StandIn volume;
static StoreCheck *check;
static uint64_t versions[KEYS_MAX]; /* by the order of their keys */

static void start_all(void) {
        master_start();
        stand_in_init(&volume);
        stand_in_listen(&volume);
        master_know(NUMBER, volume.url);
        assert_ok(store_check_new(
                        &(StoreCheckOptions){
                                        .index = master.index,
                                        .volumes = master.volumes,
                                        .peers = volume.peers,
                        },
                        &check));
        store_check_begin(check, NUMBER);
}

static void stop_all(void) {
        stand_in_done(&volume);
        check = store_check_free(check);
        master_stop();
}

static int setup(void **state) {
        start_all();
        return 0;
}

static int teardown(void **state) {
        stop_all();
        return 0;
}

static void format_key(size_t i, char ret[static 16]) {
        (void) snprintf(ret, 16, "k%05zu", i);
}

static Record make_record(uint64_t version, uint32_t first, uint32_t second) {
        return (Record){
                .version = version,
                .content_type = "",
                .metadata = "",
                .n_copies = second > 0 ? 2 : 1,
                .copies = { first, second },
        };
}

static void ignore(IndexRequest *request, IndexResult result) {
}

/* Values FROM to TO have a copy on volume FIRST, and one on SECOND unless that is 0. */
static void store(size_t from, size_t to, uint32_t first, uint32_t second) {
        IndexCommit *commits = calloc(to - from + 1, sizeof(*commits));
        char(*keys)[16] = calloc(to - from + 1, sizeof(*keys));

        for (size_t i = from; i < to; i++) {
                IndexCommit *commit = commits + i - from;

                versions[i] = index_next_version(master.index, VERSION_DIRECT);
                format_key(i, keys[i - from]);
                *commit = (IndexCommit){
                        .request.done = ignore,
                        .key = keys[i - from],
                        .record = make_record(versions[i], first, second),
                };
                index_commit(master.index, commit);
        }
        master_settle();
        free(commits);
        free(keys);
}

static void *run_page(void *userdata) {
        *(int *) userdata = store_check_page(check);
        return NULL;
}

static pthread_t begin_page(int *result) {
        pthread_t thread;

        assert_int_equal(pthread_create(&thread, NULL, run_page, result), 0);
        return thread;
}

/* The error that the volume has for the copy of value I. */
typedef int (*ErrorOf)(size_t i);

static int has_all(size_t i) {
        return 0;
}

static int lacks_every_third(size_t i) {
        return i % 3 == 0 ? -ENOENT : 0;
}

static size_t find_version(uint64_t version) {
        for (size_t i = 0; i < KEYS_MAX; i++)
                if (versions[i] == version)
                        return i;
        fail();
        return 0;
}

/* Answers for the copies that it is asked about, with SURPLUS answers more than that. Returns how
 * many it was asked about. */
static size_t answer_call(ErrorOf error_of, int surplus) {
        _cleanup_(buffer_done) Buffer answer = {};
        Reader body = stand_in_receive(&volume, CALL_CHECK);
        size_t n;

        assert_int_equal(reader_get_u8(&body), WIRE_CHECK_PRESENT);
        n = body.size / sizeof(uint64_t);
        for (size_t i = 0; i < n && (int) (n - i) + surplus > 0; i++)
                wire_put_error(&answer, error_of(find_version(reader_get_u64(&body))));
        for (int i = 0; i < surplus; i++)
                wire_put_error(&answer, 0);
        stand_in_answer(&volume, &answer);
        return n;
}

/* Checks a page about which the volume is asked. Returns how many copies that was about. */
static size_t check_page(ErrorOf error_of, int expected) {
        int result;
        pthread_t thread = begin_page(&result);
        size_t n = answer_call(error_of, 0);

        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_int_equal(result, expected);
        return n;
}

static uint64_t count_marks(void) {
        return index_damage_on(master.index, NUMBER);
}

TEST(an_empty_index_has_nothing_to_ask) {
        assert_int_equal(store_check_page(check), 0);
        assert_int_equal(sem_trywait(&volume.arrived), -1);
}

TEST(what_is_elsewhere_is_not_asked_about) {
        store(0, 10, 2, 0);
        assert_int_equal(store_check_page(check), 0);
        store(10, 15, 2, NUMBER);
        store(15, 17, NUMBER, 0);
        store_check_begin(check, NUMBER);
        assert_int_equal(check_page(has_all, 0), 7);
        assert_int_equal(count_marks(), 0);
}

TEST(what_the_volume_lacks_gets_a_mark) {
        store(0, 9, NUMBER, 2);
        assert_int_equal(check_page(lacks_every_third, 0), 9);
        assert_int_equal(count_marks(), 3);
        for (size_t i = 0; i < 9; i++)
                assert_int_equal(
                                index_damage_kind(master.index, versions[i], NUMBER),
                                i % 3 == 0 ? damage_kind_of_error(-ENOENT) : DAMAGE_NONE);
        assert_int_equal(index_damage_on(master.index, 2), 0);
}

static int fails_in_every_way(size_t i) {
        static const int errors[] = { 0, -ENOENT, -EBADMSG, -EIO, -ENOMEM, -EBUSY };

        return errors[i % ELEMENTSOF(errors)];
}

/* That a volume is busy says nothing about the copy. */
TEST(the_kind_of_a_mark_is_what_the_volume_says) {
        store(0, 6, NUMBER, 2);
        (void) check_page(fails_in_every_way, 0);
        for (size_t i = 0; i < 6; i++) {
                int error = fails_in_every_way(i);

                assert_int_equal(
                                index_damage_kind(master.index, versions[i], NUMBER),
                                error < 0 ? damage_kind_of_error(error) : DAMAGE_NONE);
        }
}

TEST(each_key_is_on_one_page) {
        size_t n = 0;

        store(0, 2 * PAGE + 88, NUMBER, 0);
        n += check_page(lacks_every_third, 1);
        n += check_page(lacks_every_third, 1);
        n += check_page(lacks_every_third, 0);
        assert_int_equal(n, 2 * PAGE + 88);
        assert_int_equal(count_marks(), (2 * PAGE + 88 + 2) / 3);
}

TEST(a_last_page_that_is_full_is_followed_by_an_empty_one) {
        store(0, PAGE, NUMBER, 0);
        assert_int_equal(check_page(has_all, 1), PAGE);
        assert_int_equal(store_check_page(check), 0);
}

TEST(pages_without_a_copy_on_the_volume_are_passed_over) {
        store(0, 2 * PAGE, 2, 0);
        store(2 * PAGE, 2 * PAGE + 3, NUMBER, 0);
        assert_int_equal(store_check_page(check), 1);
        assert_int_equal(store_check_page(check), 1);
        assert_int_equal(check_page(has_all, 0), 3);
}

/* A page counts if the volume has answered about all of it, and else not at all. */
TEST(an_answer_that_is_none_marks_nothing) {
        store(0, 9, NUMBER, 0);
        for (int surplus = -9; surplus <= 1; surplus++) {
                int result;
                pthread_t thread = begin_page(&result);

                (void) answer_call(lacks_every_third, surplus);
                assert_int_equal(pthread_join(thread, NULL), 0);
                if (surplus == 0)
                        assert_int_equal(result, 0);
                else
                        assert_int_equal(result, -EBADMSG);
                assert_int_equal(count_marks(), surplus < 0 ? 0 : 3);
                store_check_begin(check, NUMBER);
        }
}

TEST(a_page_that_could_not_be_checked_is_checked_again) {
        static const int errors[] = { -EIO, -EBUSY, -EINPROGRESS };

        store(0, PAGE + 3, NUMBER, 0);
        assert_int_equal(check_page(has_all, 1), PAGE);
        for (size_t i = 0; i < ELEMENTSOF(errors); i++) {
                int result;
                pthread_t thread = begin_page(&result);

                (void) stand_in_receive(&volume, CALL_CHECK);
                stand_in_refuse(&volume, errors[i]);
                assert_int_equal(pthread_join(thread, NULL), 0);
                assert_true(result < 0);
        }
        assert_int_equal(check_page(lacks_every_third, 0), 3);
        assert_int_equal(count_marks(), 1);
}

TEST(a_volume_that_is_down_is_not_checked) {
        store(0, 3, NUMBER, 0);
        shift_clock(3601);
        assert_int_equal(store_check_page(check), -EHOSTDOWN);
        master_know(NUMBER, volume.url);
        assert_int_equal(check_page(has_all, 0), 3);
}

TEST(a_check_that_is_stopped_ends_though_the_volume_hangs) {
        int result;
        pthread_t thread;

        store(0, 3, NUMBER, 0);
        thread = begin_page(&result);
        stand_in_await(&volume);
        store_check_stop(check);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_true(result < 0);
        assert_int_equal(store_check_page(check), -ESHUTDOWN);
        (void) stand_in_receive(&volume, CALL_CHECK);
        stand_in_refuse(&volume, -EIO);
}

TEST(a_value_that_was_overwritten_meanwhile_gets_no_mark) {
        int result;
        pthread_t thread;
        uint64_t before;

        store(0, 1, NUMBER, 0);
        before = versions[0];
        thread = begin_page(&result);
        stand_in_await(&volume);
        store(0, 1, NUMBER, 0);
        versions[KEYS_MAX - 1] = before; /* for answer_call() */
        (void) answer_call(lacks_every_third, 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_int_equal(result, 0);
        assert_int_equal(count_marks(), 0);
        versions[KEYS_MAX - 1] = 0;
}

/* What could not be marked would be taken for checked, and nobody would look for it again. */
static void check_one_store(Sweep *sweep, void *userdata) {
        int result;

        start_all();
        store(0, 4, NUMBER, 2);
        sweep_begin(sweep, master.index);
        do {
                pthread_t thread = begin_page(&result);

                (void) answer_call(lacks_every_third, 0);
                assert_int_equal(pthread_join(thread, NULL), 0);
                if (result < 0)
                        assert_int_equal(sweep_met(sweep), REQUEST_DAMAGE);
        } while (result < 0);
        sweep_end(sweep, master.index);
        assert_int_equal(result, 0);
        assert_int_equal(count_marks(), 2);
        stop_all();
}

TEST(a_page_is_checked_once_its_marks_are_made) {
        assert_int_equal(sweep_index(check_one_store, NULL), 1);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                RUN(an_empty_index_has_nothing_to_ask),
                RUN(what_is_elsewhere_is_not_asked_about),
                RUN(what_the_volume_lacks_gets_a_mark),
                RUN(the_kind_of_a_mark_is_what_the_volume_says),
                RUN(each_key_is_on_one_page),
                RUN(a_last_page_that_is_full_is_followed_by_an_empty_one),
                RUN(pages_without_a_copy_on_the_volume_are_passed_over),
                RUN(an_answer_that_is_none_marks_nothing),
                RUN(a_page_that_could_not_be_checked_is_checked_again),
                RUN(a_volume_that_is_down_is_not_checked),
                RUN(a_check_that_is_stopped_ends_though_the_volume_hangs),
                RUN(a_value_that_was_overwritten_meanwhile_gets_no_mark),
                cmocka_unit_test(a_page_is_checked_once_its_marks_are_made),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
