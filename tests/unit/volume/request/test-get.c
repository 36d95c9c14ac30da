/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/etag.h"
#include "volume/volume-world.h"

#include <errno.h>

#include "core/call/wire.h"

#define LARGE (2 * INLINE_MAX)

static const char *get_target(World *world, const char *target) {
        char request[8 * KIB];

        assert_true(strlen(target) < 6 * KIB);
        (void) snprintf(request, sizeof(request), "GET %.6000s HTTP/1.1\r\n" CLOSE "\r\n", target);
        return exchange(&world->server, request);
}

static const char *get(World *world, uint64_t version, const char *key, const char *more) {
        Ticket ticket = world_ticket(world, TICKET_READ, version);
        char target[6 * KIB];

        (void) snprintf(target, sizeof(target), "%.5000s%s", world_target(world, &ticket, key),
                        more);
        return get_target(world, target);
}

TEST(a_value_comes_with_its_type_and_etag) {
        World *world = *state;
        Checksum checksum = checksum_of("hello", 5);
        char etag[ETAG_SIZE];
        const char *answer;

        world_put(world, 2, "a key/of mine", "hello", 5);
        etag_of_checksum(&checksum, etag);
        answer = get(world, 2, "a key/of mine", "");
        assert_status(answer, 200);
        assert_contains(answer, "Content-Type: text/plain");
        assert_contains(answer, etag);
        assert_string_equal(body_of(answer), "hello");
        assert_string_equal(body_of(get(world, 2, "a key/of mine", "&verify=1")), "hello");
}

TEST(a_ticket_is_for_one_key) {
        World *world = *state;
        Ticket ticket = world_ticket(world, TICKET_READ, 2);
        char target[6 * KIB];

        world_put(world, 2, "key", "hello", 5);
        (void) snprintf(target, sizeof(target), "/other%.5000s",
                        strchr(world_target(world, &ticket, "key"), '?'));
        assert_status(get_target(world, target), 403);
}

TEST(a_ticket_that_has_expired_is_refused) {
        World *world = *state;
        Ticket ticket = world_ticket(world, TICKET_READ, 2);

        ticket.expiry_sec = 1;
        world_put(world, 2, "key", "hello", 5);
        assert_status(get_target(world, world_target(world, &ticket, "key")), 403);
}

TEST(a_ticket_for_another_store_leads_back_to_the_master) {
        World *world = *state;
        Ticket ticket = world_ticket(world, TICKET_READ, 2);
        const char *answer;

        ticket.store++;
        assert_status(get_target(world, world_target(world, &ticket, "key")), 421);

        (void) snprintf(ticket.back, sizeof(ticket.back), "master.example:3000");
        ticket.again = 1;
        answer = get_target(world, world_target(world, &ticket, "key"));
        assert_status(answer, 307);
        assert_contains(answer, "Location: http://master.example:3000/key?again=2\r\n");
        assert_contains(answer, "Cache-Control: no-store");
}

TEST(a_part_of_a_large_value_is_sent_from_its_file) {
        _cleanup_free_ char *value = calloc(1, LARGE);
        World *world = *state;
        Ticket ticket = world_ticket(world, TICKET_READ, 2);
        char request[8 * KIB];
        const char *answer;

        memset(value, '.', LARGE);
        memcpy(value + INLINE_MAX, "part", 4);
        world_put(world, 2, "key", value, LARGE);
        (void) snprintf(request, sizeof(request),
                        "GET %s HTTP/1.1\r\n" CLOSE "Range: bytes=1048576-1048579\r\n\r\n",
                        world_target(world, &ticket, "key"));
        answer = exchange(&world->server, request);
        assert_status(answer, 206);
        assert_string_equal(body_of(answer), "part");
}

/* With another copy somewhere, the client would be sent back to the master. */
TEST(a_damaged_copy_is_told_to_the_master_before_the_client_gets_an_answer) {
        static const char value[WORLD_INLINE_MAX + 1] = "DAMAGED";
        World *world = *state;
        Ticket ticket = world_ticket(world, TICKET_READ, 2);
        _cleanup_(buffer_done) Buffer reply = {};
        char request[8 * KIB], answer[8 * KIB];
        WireDamage damage;
        Reader body;
        int fd;

        stand_in_listen(&world->master);
        world_put(world, 2, "key", value, sizeof(value));
        world_damage(world, "DAMAGED");
        (void) snprintf(ticket.back, sizeof(ticket.back), "master.example:3000");
        (void) snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\n" CLOSE "\r\n",
                        world_target(world, &ticket, "key"));
        fd = fixture_connect(&world->server);
        send_text(fd, request);

        body = stand_in_receive(&world->master, CALL_DAMAGED);
        assert_int_equal(reader_get_u32(&body), WORLD_NUMBER);
        assert_ok(wire_get_damage(&body, &damage));
        assert_int_equal(damage.version, 2);
        assert_string_equal(damage.key, "key");
        wire_put_error(&reply, 0);
        stand_in_answer(&world->master, &reply);

        (void) receive_all(fd, answer, sizeof(answer));
        assert_status(answer, 307);
        assert_contains(answer, "Location: http://master.example:3000/key?again=1");
}

TEST(without_another_copy_the_client_hears_that_it_is_damaged) {
        static const char value[WORLD_INLINE_MAX + 1] = "DAMAGED";
        World *world = *state;
        _cleanup_(buffer_done) Buffer reply = {};
        const char *answer;

        world_put(world, 2, "key", value, sizeof(value));
        world_damage(world, "DAMAGED");
        answer = get(world, 2, "key", ""); /* the master does not answer in time */
        assert_true(strncmp(answer, "HTTP/1.1 5", 10) == 0);
        assert_contains(answer, "This volume's copy of the value");
}

/* Else it would be a way to read what one has no ticket for. */
TEST(an_object_of_another_key_is_damage) {
        World *world = *state;
        const char *answer;

        world_put(world, 2, "mine", "secret", 6);
        answer = get(world, 2, "yours", "");
        assert_true(strncmp(answer, "HTTP/1.1 5", 10) == 0);
        assert_lacks(answer, "\r\n\r\nsecret");
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)
        const struct CMUnitTest tests[] = {
                RUN(a_value_comes_with_its_type_and_etag),
                RUN(a_ticket_is_for_one_key),
                RUN(a_ticket_that_has_expired_is_refused),
                RUN(a_ticket_for_another_store_leads_back_to_the_master),
                RUN(a_part_of_a_large_value_is_sent_from_its_file),
                RUN(a_damaged_copy_is_told_to_the_master_before_the_client_gets_an_answer),
                RUN(without_another_copy_the_client_hears_that_it_is_damaged),
                RUN(an_object_of_another_key_is_damage),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
