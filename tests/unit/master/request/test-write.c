/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Small values, from the request to the commit; and where large ones are sent. */

#include "test.h"

#include <inttypes.h>

#include "master/request/write.h"
#include "master/world.h"
#include "sweep.h"

static unsigned count_copies(void) {
        unsigned n = 0;

        for (uint32_t i = 1; i <= N_VOLUMES; i++)
                n += (unsigned) world.fakes[i].n_objects;
        return n;
}

TEST(a_small_value_is_stored_on_each_volume_and_then_committed) {
        const char *answer = put("/a/b", "value");
        _cleanup_free_ char *etag = NULL;
        Record record;
        Object object;

        assert_status(answer, 201);
        etag = strdup(header_of(answer, "ETag"));
        assert_non_null(header_of(answer, "Dkv-Version"));

        record = record_of("a/b");
        assert_int_equal(record.n_copies, N_VOLUMES);
        assert_int_equal(record.size, 5);
        for (uint32_t i = 1; i <= N_VOLUMES; i++) {
                assert_non_null(fake_find(world.fakes + i, record.version, &object));
                assert_string_equal(object.key, "a/b");
                assert_memory_equal(object.value, "value", 5);
        }
        assert_string_equal(
                        etag, header_of(exchange_simple(&world.master, "HEAD", "/a/b"), "ETag"));
}

TEST(what_is_there_is_replaced_and_gets_the_next_version) {
        uint64_t first;

        assert_status(put("/k", "one"), 201);
        first = record_of("k").revision;
        assert_status(put("/k", "two"), 204);
        assert_true(record_of("k").revision > first);
        assert_int_equal(record_of("k").size, 3);
}

TEST(headers_of_the_value_are_kept) {
        const char *answer;

        assert_status(ask("PUT", "/k", "Content-Type: text/x\r\nDkv-Meta-Colour: red\r\n", "v"),
                      201);
        answer = exchange_simple(&world.master, "HEAD", "/k");
        assert_string_equal(header_of(answer, "Content-Type"), "text/x");
        assert_contains(answer, "red");
}

TEST(conditions_are_checked_before_anything_is_sent) {
        static const struct {
                const char *method, *target, *headers;
                int status;
        } rows[] = {
                { "POST", "/k", "", 409 },
                { "PUT", "/k", "If-None-Match: *\r\n", 412 },
                { "PUT", "/k", "If-Match: \"nonsense\"\r\n", 412 },
                { "PUT", "/other", "If-Match: *\r\n", 412 },
                { "PUT", "/k", "If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT\r\n", 412 },
        };
        unsigned n;

        assert_status(put("/k", "v"), 201);
        n = count_copies();
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                const char *answer = ask(rows[i].method, rows[i].target, rows[i].headers, "w");

                assert_int_equal(atoi(answer + strlen("HTTP/1.1 ")), rows[i].status);
        }
        assert_int_equal(count_copies(), n);
        assert_status(ask("POST", "/new", "", "w"), 201);
        assert_status(ask("PUT", "/k", "If-Match: *\r\n", "w"), 204);
}

TEST(requests_that_cannot_be_right_are_refused) {
        static const struct {
                const char *target, *headers, *body;
                int status;
        } rows[] = {
                { "/a/../b", "", "v", 400 },
                { "/.", "", "v", 400 },
                { "/%zz", "", "v", 400 },
                { "/", "", "v", 400 },
                { "/k", "Content-MD5: AAAAAAAAAAAAAAAAAAAAAA==\r\n", "v", 400 },
                { "/k", "Content-Range: bytes 0-1/2\r\n", "v", 400 },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                const char *answer = ask("PUT", rows[i].target, rows[i].headers, rows[i].body);

                assert_int_equal(atoi(answer + strlen("HTTP/1.1 ")), rows[i].status);
        }
        assert_int_equal(count_copies(), 0);
}

TEST(a_value_beyond_the_limit_is_refused) {
        RequestSettings settings = world_settings();
        const char *chunked = "PUT /k HTTP/1.1\r\n" CLOSE "Transfer-Encoding: chunked\r\n\r\n"
                              "6\r\nabcdef\r\n6\r\nabcdef\r\n0\r\n\r\n";

        settings.value_size_max = 10;
        configure(settings);
        assert_status(put("/k", "0123456789"), 201);
        assert_status(put("/k", "0123456789a"), 413);
        assert_status(exchange(&world.master, chunked), 413);
}

TEST(one_volume_that_is_gone_does_not_keep_a_value_from_being_stored) {
        fake_stop(world.fakes + 2);
        assert_status(put("/k", "value"), 201);
        assert_int_equal(record_of("k").n_copies, N_VOLUMES - 1);
}

TEST(without_a_majority_nothing_is_committed) {
        _cleanup_(buffer_done) Buffer scratch = {};
        const char *answer;
        Record record;

        fake_stop(world.fakes + 1);
        fake_stop(world.fakes + 3);
        answer = put("/k", "value");
        assert_status(answer, 503);
        assert_non_null(header_of(answer, "Retry-After"));
        assert_int_equal(index_get(world.index, "k", &scratch, &record), -ENOENT);
}

TEST(volumes_that_are_all_full_are_told_as_such) {
        const char *answer;

        for (uint32_t i = 1; i <= N_VOLUMES; i++) {
                world.fakes[i].store_error = -ENOSPC;
                world.fakes[i].n_failing = UINT_MAX;
        }
        answer = put("/k", "value");
        assert_status(answer, 507);
        assert_contains(answer, "The volumes are full.");
}

/* One copy is wanted, so that two volumes are left to take it. */
TEST(a_copy_that_a_volume_does_not_take_goes_to_another_one) {
        uint32_t first;

        assert_status(put("/k", "one"), 201);
        first = record_of("k").copies[0];
        world.fakes[first].store_error = -EIO;
        world.fakes[first].n_failing = UINT_MAX;
        assert_status(put("/k", "two"), 204);
        assert_int_equal(record_of("k").n_copies, 1);
        assert_int_not_equal(record_of("k").copies[0], first);
}

TEST(a_copy_fails_for_good_when_no_volume_takes_it) {
        for (uint32_t i = 1; i <= N_VOLUMES; i++) {
                world.fakes[i].store_error = -EIO;
                world.fakes[i].n_failing = UINT_MAX;
        }
        assert_status(put("/k", "one"), 503);
        for (uint32_t i = 1; i <= N_VOLUMES; i++)
                assert_int_equal(world.fakes[i].n_stores, 1); /* each was asked once */
}

static void assert_unknown(const char *answer) {
        assert_status(answer, 503);
        assert_contains(answer, "outcome-unknown");
}

TEST(a_commit_of_unknown_outcome_is_told_as_such) {
        intercept(INTERCEPT_LOSE_ANSWER);
        assert_unknown(put("/k", "value"));
        intercept(INTERCEPT_NOT);
        assert_status(exchange_simple(&world.master, "HEAD", "/k"), 200); /* it was done, here */

        intercept(INTERCEPT_LOSE);
        assert_unknown(put("/lost", "value"));
        intercept(INTERCEPT_NOT);
        assert_status(exchange_simple(&world.master, "HEAD", "/lost"), 404);
}

TEST(a_commit_that_the_index_refuses_is_refused) {
        const char *answer;

        intercept(INTERCEPT_NOT_LEADER);
        assert_status(put("/k", "value"), 503);
        intercept(INTERCEPT_REFUSE);
        answer = put("/k", "value");
        assert_status(answer, 507);
        assert_contains(answer, "The disk of the index is full.");
        intercept(INTERCEPT_NOT);
        assert_status(exchange_simple(&world.master, "HEAD", "/k"), 404);
}

/* Who waits for "100 Continue" has not sent anything yet. */
static const char *announce(const char *target, size_t size) {
        static char answer[16 * KIB];
        char request[512];
        int fd = fixture_connect(&world.master);

        (void) snprintf(request, sizeof(request),
                        "PUT %s HTTP/1.1\r\n" CLOSE
                        "Expect: 100-continue\r\nContent-Length: %zu\r\n\r\n",
                        target, size);
        send_text(fd, request);
        receive_until(fd, "\r\n\r\n", answer, sizeof(answer));
        close(fd);
        return answer;
}

TEST(a_client_that_waits_is_redirected_with_a_large_value) {
        const char *answer = announce("/k", WRITE_BUFFER_MAX + 1);

        assert_status(answer, 307);
        assert_int_not_equal(volume_of(answer), 0);
        assert_non_null(strstr(header_of(answer, "Location"), "/k?v="));
        assert_string_equal(header_of(answer, "Cache-Control"), "no-store");

        assert_status(announce("/k", WRITE_BUFFER_MAX), 100);
}

/* One of several masters finds out that it leads no longer when it asks for more of them. */
TEST(without_a_version_nothing_is_written) {
        _cleanup_free_ char *large = calloc(1, LARGE + 1);

        assert_non_null(large);
        memset(large, 'x', LARGE);
        atomic_store(&world.index->versions.is_over, true);
        assert_status(put("/k", "value"), 503);
        assert_status(put("/k", large), 503);
        assert_status(announce("/k", LARGE), 503);
        assert_int_equal(count_copies(), 0);
        atomic_store(&world.index->versions.is_over, false);
        assert_status(put("/k", "value"), 201);
}

TEST(a_client_that_came_back_too_often_is_not_redirected_again) {
        assert_status(announce("/k?again=2", LARGE), 307);
        assert_status(announce("/k?again=3", LARGE), 100);
}

TEST(with_proxy_nobody_is_redirected) {
        RequestSettings settings = world_settings();

        settings.proxy = true;
        configure(settings);
        assert_status(announce("/k", LARGE), 100);
}

/* One request to the index goes astray in each run: the client hears no more, and no less, than is
 * known. */
static void write_scene(Sweep *sweep, void *userdata) {
        const char *answer;
        bool was_met;

        assert_int_equal(world_setup(NULL), 0);
        sweep_begin(sweep, world.index);
        answer = put("/k", "value");
        sweep_end(sweep, world.index);
        was_met = sweep_met(sweep) != 0;
        if (!was_met)
                assert_status(answer, 201);
        else
                assert_status(answer, 503);

        if (was_met && sweep_way(sweep) == INTERCEPT_NOT_LEADER) {
                assert_contains(answer, "about:blank");
                assert_null(header_of(answer, "Dkv-Version"));
        } else if (was_met) {
                assert_contains(answer, "outcome-unknown");
                assert_non_null(header_of(answer, "Retry-After"));
        }
        if (was_met && sweep_way(sweep) == INTERCEPT_LOSE_ANSWER) {
                char revision[32];

                (void) snprintf(revision, sizeof(revision), "%" PRIu64, record_of("k").revision);
                assert_string_equal(header_of(answer, "Dkv-Version"), revision);
        }
        if (was_met && sweep_way(sweep) != INTERCEPT_LOSE_ANSWER)
                assert_status(exchange_simple(&world.master, "HEAD", "/k"), 404);

        /* To try again is always right. */
        answer = put("/k", "value");
        assert_true(atoi(answer + strlen("HTTP/1.1 ")) / 100 == 2);
        assert_int_equal(record_of("k").size, 5);
        assert_int_equal(world_teardown(NULL), 0);
}

TEST(a_write_whose_commit_goes_astray_is_told_as_what_it_is) {
        assert_true(sweep_index(write_scene, NULL) >= 1);
}

int main(void) {
#define RUN(test)     cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)
#define RUN_ONE(test) cmocka_unit_test_setup_teardown(test, world_setup_one_copy, world_teardown)
        const struct CMUnitTest tests[] = {
                RUN(a_small_value_is_stored_on_each_volume_and_then_committed),
                RUN(what_is_there_is_replaced_and_gets_the_next_version),
                RUN(headers_of_the_value_are_kept),
                RUN(conditions_are_checked_before_anything_is_sent),
                RUN(requests_that_cannot_be_right_are_refused),
                RUN(a_value_beyond_the_limit_is_refused),
                RUN(one_volume_that_is_gone_does_not_keep_a_value_from_being_stored),
                RUN(without_a_majority_nothing_is_committed),
                RUN(volumes_that_are_all_full_are_told_as_such),
                RUN_ONE(a_copy_that_a_volume_does_not_take_goes_to_another_one),
                RUN_ONE(a_copy_fails_for_good_when_no_volume_takes_it),
                RUN(a_commit_of_unknown_outcome_is_told_as_such),
                RUN(a_commit_that_the_index_refuses_is_refused),
                RUN(a_client_that_waits_is_redirected_with_a_large_value),
                RUN(without_a_version_nothing_is_written),
                RUN(a_client_that_came_back_too_often_is_not_redirected_again),
                RUN(with_proxy_nobody_is_redirected),
                cmocka_unit_test(
                                a_write_whose_commit_goes_astray_is_told_as_what_it_is), /* whose
                                                                                            scenes
                                                                                            make
                                                                                            worlds
                                                                                            of their
                                                                                            own */
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
