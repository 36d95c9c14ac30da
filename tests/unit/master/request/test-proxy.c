/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Values that the master fetches for its clients. */

#include "test.h"

#include "master/world.h"
#include "store/index/damage.h"

static atomic_int n_states; /* checksums under way */

int __real_checksum_state_new(ChecksumState **ret);
ChecksumState *__real_checksum_state_free(ChecksumState *state);
int __wrap_checksum_state_new(ChecksumState **ret);
ChecksumState *__wrap_checksum_state_free(ChecksumState *state);

int __wrap_checksum_state_new(ChecksumState **ret) {
        n_states++;
        return __real_checksum_state_new(ret);
}

ChecksumState *__wrap_checksum_state_free(ChecksumState *state) {
        n_states -= state != NULL;
        return __real_checksum_state_free(state);
}

static const char *fetch(const char *headers) {
        return ask("GET", "/k?proxy=1", headers, "");
}

static unsigned count_gets(void) {
        unsigned n = 0;

        for (uint32_t i = 1; i <= N_VOLUMES; i++)
                n += world.fakes[i].n_gets;
        return n;
}

TEST(a_value_comes_with_its_headers) {
        const char *answer;

        assert_status(ask("PUT", "/k", "Content-Type: text/x\r\n", "value"), 201);
        answer = fetch("");
        assert_status(answer, 200);
        assert_string_equal(header_of(answer, "Content-Type"), "text/x");
        assert_string_equal(header_of(answer, "Content-Length"), "5");
        assert_non_null(header_of(answer, "ETag"));
        assert_non_null(header_of(answer, "Dkv-Version"));
        assert_string_equal(body_of(answer), "value");
}

TEST(an_empty_value_comes_too) {
        assert_status(put("/k", ""), 201);
        assert_string_equal(header_of(fetch(""), "Content-Length"), "0");
        assert_string_equal(body_of(fetch("")), "");
}

TEST(a_range_is_the_volumes_affair) {
        const char *answer;

        assert_status(put("/k", "0123456789"), 201);
        answer = fetch("Range: bytes=2-4\r\n");
        assert_status(answer, 206);
        assert_string_equal(header_of(answer, "Content-Range"), "bytes 2-4/10");
        assert_string_equal(body_of(answer), "234");

        answer = fetch("Range: bytes=20-\r\n");
        assert_status(answer, 416);
        assert_string_equal(header_of(answer, "Content-Range"), "bytes */10");
}

TEST(the_setting_may_be_overruled) {
        RequestSettings settings = world_settings();

        assert_status(put("/k", "value"), 201);
        assert_status(get("/k"), 307);
        settings.proxy = true;
        configure(settings);
        assert_status(get("/k"), 200);
        assert_status(get("/k?proxy=0"), 307);
}

/* What a copy may answer so that another one is asked. */
TEST(another_copy_is_asked_when_one_cannot_deliver) {
        static const int errors[] = { -EBADMSG, -EACCES, -EREMOTE, -EHOSTDOWN };

        assert_status(put("/k", "value"), 201);
        for (size_t i = 0; i < ELEMENTSOF(errors); i++) {
                unsigned before = count_gets();

                for (uint32_t v = 1; v < N_VOLUMES; v++)
                        world.fakes[v].get_error = errors[i];
                for (unsigned k = 0; k < 6; k++)
                        assert_string_equal(body_of(fetch("")), "value");
                assert_true(count_gets() >= before + 6);
        }
}

TEST(what_a_copy_says_of_the_request_it_says_once) {
        assert_status(put("/k", "value"), 201);
        for (uint32_t v = 1; v <= N_VOLUMES; v++)
                world.fakes[v].get_error = -EINVAL;
        assert_status(fetch(""), 400);
        assert_int_equal(count_gets(), 1);
}

TEST(each_copy_is_asked_once_before_the_client_is_told) {
        assert_status(put("/k", "value"), 201);
        for (uint32_t v = 1; v <= N_VOLUMES; v++)
                world.fakes[v].get_error = -EBADMSG;
        assert_status(fetch(""), 502);
        assert_int_equal(count_gets(), N_VOLUMES);
}

TEST(volumes_that_are_gone_are_passed_over) {
        assert_status(put("/k", "value"), 201);
        fake_stop(world.fakes + 1);
        fake_stop(world.fakes + 3);
        for (unsigned i = 0; i < 6; i++)
                assert_string_equal(body_of(fetch("")), "value");
        fake_stop(world.fakes + 2);
        assert_status(fetch(""), 503);
}

TEST(a_damaged_value_is_cut_and_its_copy_marked) {
        IndexDamageCounters counters;
        const char *answer;

        assert_status(put("/k", "value"), 201);
        for (uint32_t v = 1; v <= N_VOLUMES; v++)
                world.fakes[v].get_mode = GET_CORRUPT;
        answer = fetch("");
        assert_status(answer, 200);
        assert_string_equal(body_of(answer), ""); /* the last piece never comes */
        world_settle();
        index_damage_counters(world.index, &counters);
        assert_int_equal(counters.copies, 1);
}

/* Has all volumes be asked again, though their last answers were of no use. */
static void forgive(void) {
        for (uint32_t v = 1; v <= N_VOLUMES; v++)
                volumes_note_call(world.volumes, v, &(RpcResult){});
}

/* An answer of 200 that does not say its length cannot be passed on. */
TEST(an_answer_that_cannot_be_passed_on_leaves_nothing_behind) {
        assert_status(put("/k", "value"), 201);
        for (uint32_t v = 1; v < N_VOLUMES; v++)
                world.fakes[v].get_mode = GET_CHUNKED;
        for (unsigned i = 0; i < 10; i++) {
                forgive();
                assert_string_equal(body_of(fetch("")), "value");
        }
        assert_true(count_gets() > 10); /* some of them were asked in vain */
        world.bulk = http_client_free(world.bulk);
        fixture_stop(&world.master);
        assert_int_equal(n_states, 0);
}

TEST(a_value_that_no_copy_can_deliver_is_an_error) {
        assert_status(put("/k", "value"), 201);
        for (uint32_t v = 1; v <= N_VOLUMES; v++)
                world.fakes[v].get_mode = GET_CHUNKED;
        assert_status(fetch(""), 503);
}

TEST(beyond_the_budget_nothing_passes_through) {
        const char *answer;

        assert_status(put("/k", "value"), 201);
        world.requests.budget.max = MIB - 1;
        answer = fetch("");
        assert_status(answer, 503);
        assert_non_null(header_of(answer, "Retry-After"));
        assert_status(get("/k"), 307);

        world.requests.budget.max = MIB;
        for (unsigned i = 0; i < 3; i++) { /* each gives back what it took */
                assert_string_equal(body_of(fetch("")), "value");
                while (world.requests.budget.used > 0)
                        (void) usleep(100);
        }
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)
        const struct CMUnitTest tests[] = {
                RUN(a_value_comes_with_its_headers),
                RUN(an_empty_value_comes_too),
                RUN(a_range_is_the_volumes_affair),
                RUN(the_setting_may_be_overruled),
                RUN(another_copy_is_asked_when_one_cannot_deliver),
                RUN(what_a_copy_says_of_the_request_it_says_once),
                RUN(each_copy_is_asked_once_before_the_client_is_told),
                RUN(volumes_that_are_gone_are_passed_over),
                RUN(a_damaged_value_is_cut_and_its_copy_marked),
                RUN(an_answer_that_cannot_be_passed_on_leaves_nothing_behind),
                RUN(a_value_that_no_copy_can_deliver_is_an_error),
                RUN(beyond_the_budget_nothing_passes_through),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
