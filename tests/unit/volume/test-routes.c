/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Who gets to which handler of a volume: by the path, and by the role of the one who signed. */

#include "volume/volume-world.h"

#include <errno.h>

static const char *const calls[] = { "hello", "fetch", "channel" };

static Parties by_neighbor(World *world) {
        Parties parties = world_order(world);

        parties.from = (StoreIdentity){ .number = 9, .uuid = "a neighbor", .run = 1 };
        return parties;
}

/* Nobody is let in, not even those who know the secret. */
static void assert_unknown(World *world, const char *target) {
        Parties master = world_order(world), neighbor = by_neighbor(world);

        assert_int_equal(world_call_at(world, target, &master), 404);
        assert_int_equal(world_call_at(world, target, &neighbor), 404);
        assert_int_equal(world_call_at(world, target, NULL), 404);
}

/* Whatever is in front of or behind the path of a call, or encoded in it, leads to no handler. */
TEST(only_the_very_path_of_a_call_leads_to_it) {
        World *world = *state;
        static const struct {
                const char *before, *after;
        } rows[] = {
                { "/-/", "X" },  { "/-/", "/" },   { "/-/", "/x" }, { "/-/", "%00" },
                { "/-/", ";x" }, { "/-/", "%2f" }, { "/-/", ".x" }, { "/-/", "%20" },
                { "/-/X", "" },  { "/-//", "" },   { "/-/x/", "" }, { "/-/", "/%2e%2e" },
        };

        for (size_t i = 0; i < ELEMENTSOF(calls); i++)
                for (size_t k = 0; k < ELEMENTSOF(rows); k++) {
                        char target[128];

                        (void) snprintf(target, sizeof(target), "%s%s%s", rows[k].before, calls[i],
                                        rows[k].after);
                        assert_unknown(world, target);
                }
}

TEST(the_path_of_a_call_cannot_be_spelled_otherwise) {
        World *world = *state;

        for (size_t i = 0; i < ELEMENTSOF(calls); i++) {
                char target[128];

                (void) snprintf(target, sizeof(target), "/%%2d/%s", calls[i]);
                assert_unknown(world, target);
                (void) snprintf(target, sizeof(target), "/-%%2F%s", calls[i]);
                assert_unknown(world, target);
                (void) snprintf(target, sizeof(target), "/%%2D%%2f%s", calls[i]);
                assert_unknown(world, target);
                (void) snprintf(target, sizeof(target), "/-/%%%02x%s", (unsigned) *calls[i],
                                calls[i] + 1);
                assert_unknown(world, target);
                (void) snprintf(target, sizeof(target), "/-/%c%s", *calls[i] - 'a' + 'A',
                                calls[i] + 1);
                assert_unknown(world, target);
        }
}

static unsigned call_by(World *world, CallKind kind, const Parties *parties) {
        return *call_types[kind].path ? world_call_at(world, call_types[kind].path, parties)
                                      : world_call(world, kind, parties, NULL, NULL);
}

TEST(each_call_is_made_by_one_role) {
        World *world = *state;

        for (CallKind kind = 0; kind < _CALL_MAX; kind++) {
                const CallType *type = call_types + kind;
                Parties master = world_order(world), neighbor = by_neighbor(world);
                unsigned by_master = call_by(world, kind, &master),
                         by_volume = call_by(world, kind, &neighbor);

                if (type->receiver != CALL_ROLE_VOLUME) {
                        assert_int_equal(by_master, 503); /* it does not know this call */
                        assert_int_equal(by_volume, 503);
                } else {
                        assert_int_equal(by_master == 421, type->caller != CALL_ROLE_MASTER);
                        assert_int_equal(by_volume == 421, type->caller != CALL_ROLE_VOLUME);
                }
        }
}

TEST(without_a_signature_nobody_makes_a_call) {
        World *world = *state;

        assert_int_equal(world_call_at(world, "/-/hello", NULL), 403);
        assert_int_equal(world_call_at(world, "/-/fetch", NULL), 403);
        assert_status(exchange_simple(&world->server, "GET", "/-/channel"), 403);
}

TEST(a_call_by_another_method_is_told_which_there_are) {
        World *world = *state;
        const char *answer = exchange_simple(&world->server, "GET", "/-/hello");

        assert_status(answer, 405);
        assert_contains(answer, "Allow: POST, OPTIONS\r\n");
        assert_int_equal(world_call_at(world, "/-/channel", NULL), 405);
}

/* The copies of other volumes have a prefix, and values do not. */
TEST(what_a_ticket_is_for_decides_where_it_leads) {
        World *world = *state;
        Ticket copy = world_ticket(world, TICKET_COPY, 2), put = world_ticket(world, TICKET_PUT, 4);
        char request[8 * KIB], target[4 * KIB];

        (void) snprintf(target, sizeof(target), "%s", world_target(world, &copy, "key"));
        (void) snprintf(request, sizeof(request),
                        "PUT %s HTTP/1.1\r\n" CLOSE "Content-Length: 1\r\n\r\nv",
                        target + strlen("/-/copy"));
        assert_status(exchange(&world->server, request), 403);

        (void) snprintf(request, sizeof(request),
                        "PUT /-/copy%s HTTP/1.1\r\n" CLOSE "Content-Length: 1\r\n\r\nv",
                        world_target(world, &put, "key"));
        assert_status(exchange(&world->server, request), 403);
        assert_int_equal(world_verify(world, 2), -ENOENT);
        assert_int_equal(world_verify(world, 4), -ENOENT);
}

TEST(everybody_may_ask_how_it_is) {
        World *world = *state;

        assert_status(exchange_simple(&world->server, "GET", "/-/health"), 200);
        assert_status(exchange_simple(&world->server, "HEAD", "/-/health"), 200);
        assert_status(exchange_simple(&world->server, "GET", "/-/health/"), 404);
        assert_status(exchange_simple(&world->server, "GET", "/-/healthy"), 404);
        assert_status(exchange_simple(&world->server, "GET", "/-/health%2f"), 404);
        assert_status(exchange_simple(&world->server, "DELETE", "/-/health"), 405);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)
        const struct CMUnitTest tests[] = {
                RUN(only_the_very_path_of_a_call_leads_to_it),
                RUN(the_path_of_a_call_cannot_be_spelled_otherwise),
                RUN(each_call_is_made_by_one_role),
                RUN(without_a_signature_nobody_makes_a_call),
                RUN(a_call_by_another_method_is_told_which_there_are),
                RUN(what_a_ticket_is_for_decides_where_it_leads),
                RUN(everybody_may_ask_how_it_is),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
