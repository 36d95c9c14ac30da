/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Large values that the master passes on while they arrive. */

#include "core/etag.h"
#include "test.h"

#include "core/call/ticket.h"
#include "master/request/write.h"
#include "master/world.h"

static char value[2 * MIB + 1];

static const char *make_value(size_t size) {
        memset(value, 'x', size);
        value[size] = '\0';
        return value;
}

static unsigned count_puts(void) {
        unsigned n = 0;

        for (uint32_t i = 1; i <= N_VOLUMES; i++)
                n += world.fakes[i].n_puts;
        return n;
}

/* The volume that was last sent a value; 0 for none. */
static uint32_t find_put(size_t size) {
        for (uint32_t i = 1; i <= N_VOLUMES; i++)
                if (world.fakes[i].put.size == size)
                        return i;
        return 0;
}

static void fail_all(int error) {
        for (uint32_t i = 1; i <= N_VOLUMES; i++)
                world.fakes[i].put_error = error;
}

TEST(a_large_value_reaches_its_volume_and_the_answer_the_client) {
        static const size_t sizes[] = { WRITE_BUFFER_MAX + 1, RELAY_BUFFER_SIZE,
                                        RELAY_BUFFER_SIZE + 1, 2 * MIB };

        for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
                const char *answer = put("/k", make_value(sizes[i]));
                Checksum checksum = checksum_of(value, sizes[i]);
                char etag[ETAG_SIZE];
                uint32_t v;

                assert_status(answer, 201);
                etag_of_checksum(&checksum, etag);
                assert_string_equal(header_of(answer, "ETag"), etag);
                assert_string_equal(header_of(answer, "Dkv-Version"), "77");
                v = find_put(sizes[i]);
                assert_int_not_equal(v, 0);
                assert_memory_equal(world.fakes[v].put.data, value, sizes[i]);
                buffer_clear(&world.fakes[v].put);
        }
}

TEST(a_value_without_a_size_is_relayed_once_it_is_not_small) {
        static char request[2 * sizeof(value)];
        int half = WRITE_BUFFER_MAX - 1;

        (void) make_value((size_t) half);
        (void) snprintf(request, sizeof(request),
                        "PUT /k HTTP/1.1\r\n" CLOSE
                        "Transfer-Encoding: chunked\r\n\r\n%x\r\n%.*s\r\n%x\r\n%.*s\r\n0\r\n\r\n",
                        (unsigned) half, half, value, (unsigned) half, half, value);
        assert_status(exchange(&world.master, request), 201);
        assert_int_not_equal(find_put(2 * (size_t) half), 0);
}

TEST(the_ticket_names_the_other_volumes) {
        _cleanup_(signer_freep) Signer *signer = NULL;
        Ticket ticket;
        uint32_t v;

        assert_status(put("/k", make_value(LARGE)), 201);
        v = find_put(LARGE);
        assert_ok(signer_new(SECRET, strlen(SECRET), &signer));
        assert_ok(
                        ticket_parse(world.fakes[v].put_query, TICKET_PUT, "k",
                                     clock_realtime() / USEC_PER_SEC, signer, &ticket));
        assert_int_equal(ticket.wanted, N_VOLUMES);
        assert_int_equal(ticket.n_others, N_VOLUMES - 1);
        assert_int_equal(ticket.size_max, VALUE_MAX);
        for (size_t i = 0; i < ticket.n_others; i++) {
                uint32_t other = ticket.others[i].volume;

                assert_int_not_equal(other, v);
                assert_string_equal(
                                ticket.others[i].authority,
                                world.fakes[other].url + strlen("http://"));
        }
}

TEST(the_first_volume_may_say_no_and_another_one_yes) {
        assert_status(put("/k", make_value(LARGE)), 201);
        for (uint32_t i = 1; i <= N_VOLUMES; i++)
                if (world.fakes[i].put.size > 0) {
                        world.fakes[i].put_error = -EREMOTEIO;
                        world.fakes[i].not_stored = i == 1 ? "1" : i == 2 ? "2" : "3";
                }
        assert_status(put("/k", make_value(LARGE)), 201);
        assert_int_equal(count_puts(), 3);
}

/* Whose fault it was is not said, so it may have been committed. */
TEST(a_value_that_may_be_stored_is_not_sent_again) {
        fail_all(-EREMOTEIO);
        assert_status(put("/k", make_value(LARGE)), 503);
        assert_int_equal(count_puts(), 1);
}

TEST(what_does_not_fit_the_buffer_is_sent_once) {
        fail_all(-EREMOTEIO);
        for (uint32_t i = 1; i <= N_VOLUMES; i++)
                world.fakes[i].not_stored = "1,2,3";
        assert_status(put("/k", make_value(2 * MIB)), 503);
        assert_int_equal(count_puts(), 1);
}

TEST(the_reason_of_the_volume_is_passed_on) {
        static const struct {
                int error, status;
        } rows[] = { { -ECANCELED, 412 }, { -EEXIST, 409 }, { -EINVAL, 400 }, { -EBADMSG, 502 } };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                const char *answer;

                fail_all(rows[i].error);
                answer = put("/k", make_value(LARGE));
                assert_int_equal(atoi(answer + strlen("HTTP/1.1 ")), rows[i].status);
                assert_contains(answer, "The volume says why.");
        }
}

TEST(an_outcome_that_the_volume_does_not_know_stays_unknown) {
        const char *answer;

        fail_all(-ECOMM);
        answer = put("/k", make_value(LARGE));
        assert_status(answer, 503);
        assert_contains(answer, "outcome-unknown");
        assert_contains(answer, "The volume says why.");

        fail_all(-EREMOTEIO);
        assert_contains(put("/k", make_value(LARGE)), "about:blank");
}

TEST(without_an_answer_the_outcome_is_unknown) {
        const char *answer;

        for (uint32_t i = 1; i <= N_VOLUMES; i++)
                world.fakes[i].put_is_lost = true;
        answer = put("/k", make_value(LARGE));
        assert_status(answer, 503);
        assert_contains(answer, "outcome-unknown");
        assert_int_equal(count_puts(), 1);
}

TEST(an_answer_before_the_body_is_passed_on_as_well) {
        fail_all(-ECANCELED);
        for (uint32_t i = 1; i <= N_VOLUMES; i++)
                world.fakes[i].put_at_head = true;
        assert_status(put("/k", make_value(2 * MIB)), 412);
}

TEST(volumes_that_are_gone_are_told_as_such) {
        for (uint32_t i = 1; i <= N_VOLUMES; i++)
                fake_stop(world.fakes + i);
        assert_status(put("/k", make_value(LARGE)), 503);
        assert_int_equal(world.requests.relays.n, 0);
}

TEST(a_master_that_stops_redirects_instead) {
        RequestSettings settings = world_settings();

        assert_int_equal(relays_stop(&world.requests.relays), 0);
        assert_status(put("/k", make_value(LARGE)), 307);
        assert_status(put("/small", "value"), 201);

        settings.proxy = true;
        configure(settings);
        assert_status(put("/k", make_value(LARGE)), 201);
}

static void await_no_buffers(void) {
        while (world.requests.budget.used > 0)
                (void) usleep(100);
}

TEST(beyond_the_budget_clients_are_redirected_or_told_to_come_again) {
        RequestSettings settings = world_settings();
        const char *answer;

        world.requests.budget.max = LARGE - 1;
        assert_status(put("/k", make_value(LARGE)), 307);
        answer = put("/k?again=3", make_value(LARGE)); /* who is not redirected any more */
        assert_status(answer, 503);
        assert_non_null(header_of(answer, "Retry-After"));
        settings.proxy = true;
        configure(settings);
        assert_status(put("/k", make_value(LARGE)), 503);
        assert_status(put("/small", "value"), 201);

        world.requests.budget.max = LARGE; /* of which each takes no more than its size */
        for (unsigned i = 0; i < 3; i++) {
                assert_status(put("/k", make_value(LARGE)), 201);
                await_no_buffers();
        }
        assert_int_equal(world.requests.relays.n, 0);
}

/* Clients that send nothing more take all of the budget; the others go on. */
TEST(clients_that_stall_cannot_take_more_than_the_budget) {
        int fds[10];

        world.requests.budget.max = 4 * 1000000;
        for (size_t i = 0; i < ELEMENTSOF(fds); i++) {
                fds[i] = fixture_connect(&world.master);
                send_text(fds[i], "PUT /k HTTP/1.1\r\n" CLOSE "Content-Length: 1000000\r\n\r\nabc");
        }
        while (http_server_active(world.master.server) < ELEMENTSOF(fds))
                (void) usleep(100);
        while (world.requests.relays.n != 4) /* those that are refused are counted for a moment */
                (void) usleep(100);
        assert_true(world.requests.budget.used <= world.requests.budget.max);
        assert_status(put("/small", "value"), 201);
        assert_status(put("/k", make_value(LARGE)), 307);

        for (size_t i = 0; i < ELEMENTSOF(fds); i++)
                close(fds[i]);
        await_no_buffers();
        assert_status(put("/k", make_value(LARGE)), 201);
}

int main(void) {
#define RUN(test)     cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)
#define RUN_ONE(test) cmocka_unit_test_setup_teardown(test, world_setup_one_copy, world_teardown)
        const struct CMUnitTest tests[] = {
                RUN(a_large_value_reaches_its_volume_and_the_answer_the_client),
                RUN(a_value_without_a_size_is_relayed_once_it_is_not_small),
                RUN(the_ticket_names_the_other_volumes),
                RUN_ONE(the_first_volume_may_say_no_and_another_one_yes),
                RUN(a_value_that_may_be_stored_is_not_sent_again),
                RUN(what_does_not_fit_the_buffer_is_sent_once),
                RUN(the_reason_of_the_volume_is_passed_on),
                RUN(an_outcome_that_the_volume_does_not_know_stays_unknown),
                RUN(without_an_answer_the_outcome_is_unknown),
                RUN(an_answer_before_the_body_is_passed_on_as_well),
                RUN(volumes_that_are_gone_are_told_as_such),
                RUN(a_master_that_stops_redirects_instead),
                RUN(beyond_the_budget_clients_are_redirected_or_told_to_come_again),
                RUN(clients_that_stall_cannot_take_more_than_the_budget),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
