/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Where a value is: redirects, what is known of a value without it, and its copies. */

#include "test.h"

#include "base/json.h"
#include "master/upkeep/damage.h"
#include "master/world.h"
#include "rpc/way-back.h"

static int status_of(const char *answer) {
        return atoi(answer + strlen("HTTP/1.1 "));
}

TEST(a_reader_is_redirected_to_a_copy_with_a_ticket) {
        const char *answer;
        uint32_t volume;

        assert_status(put("/a/b%20c", "value"), 201);
        answer = get("/a/b%20c");
        assert_status(answer, 307);
        volume = volume_of(answer);
        assert_int_not_equal(volume, 0);
        assert_non_null(strstr(header_of(answer, "Location"), "/a/b%20c?v="));
        assert_string_equal(header_of(answer, "Cache-Control"), "no-store");
        assert_contains(body_of(answer), "The value is at");
}

TEST(the_ticket_opens_the_volume) {
        char target[2 * TICKET_QUERY_SIZE];
        const char *answer;
        Fixture fake = {};
        uint32_t volume;

        assert_status(put("/k", "value"), 201);
        answer = get("/k");
        volume = volume_of(answer);
        (void) snprintf(target, sizeof(target), "%s",
                        header_of(answer, "Location") + strlen(world.fakes[volume].url));
        fake.port = atoi(strrchr(world.fakes[volume].url, ':') + 1);
        answer = exchange_simple(&fake, "GET", target);
        assert_status(answer, 200);
        assert_string_equal(body_of(answer), "value");
}

TEST(verification_is_asked_of_the_volume) {
        assert_status(put("/k", "value"), 201);
        assert_non_null(strstr(header_of(get("/k?verify=1"), "Location"), "&verify=1"));
        assert_null(strstr(header_of(get("/k?verify=0"), "Location"), "&verify"));
        assert_null(strstr(header_of(get("/k?verify=yes"), "Location"), "&verify"));
}

TEST(a_client_that_was_sent_back_is_sent_to_each_copy_in_turn) {
        bool seen[N_VOLUMES + 1] = {};
        char target[32];

        assert_status(put("/k", "value"), 201);
        for (unsigned again = 1; again < WAY_BACK_MAX; again++) {
                (void) snprintf(target, sizeof(target), "/k?again=%u", again);
                seen[volume_of(get(target))] = true;
        }
        assert_false(seen[0]);
        assert_int_equal(seen[1] + seen[2] + seen[3], WAY_BACK_MAX - 1);
        assert_status(get("/k?again=3"), 503);
        assert_status(get("/k?again=nonsense"), 307);
}

TEST(what_is_known_of_a_value_is_told_without_it) {
        const char *answer;

        assert_status(put("/k", "value"), 201);
        answer = exchange_simple(&world.master, "HEAD", "/k");
        assert_status(answer, 200);
        assert_string_equal(header_of(answer, "Content-Length"), "5");
        assert_non_null(header_of(answer, "ETag"));
        assert_non_null(header_of(answer, "Last-Modified"));
        assert_non_null(header_of(answer, "Dkv-Version"));
        assert_string_equal(body_of(answer), "");
}

TEST(keys_that_are_not_there_or_cannot_be_are_refused) {
        static const struct {
                const char *method, *target;
                int status;
        } rows[] = {
                { "GET", "/none", 404 },         { "HEAD", "/none", 404 },
                { "GET", "/-/where/none", 404 }, { "GET", "/%zz", 400 },
                { "HEAD", "/a%00b", 400 },       { "GET", "/-/where/", 400 },
                { "GET", "/-/nothing", 404 },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                assert_int_equal(
                                status_of(exchange_simple(
                                                &world.master, rows[i].method, rows[i].target)),
                                rows[i].status);
}

TEST(conditions_are_answered_by_the_master) {
        _cleanup_free_ char *etag = NULL;
        char header[256];

        assert_status(put("/k", "value"), 201);
        etag = strdup(header_of(exchange_simple(&world.master, "HEAD", "/k"), "ETag"));

        (void) snprintf(header, sizeof(header), "If-None-Match: %s\r\n", etag);
        assert_status(ask("GET", "/k", header, ""), 304);
        assert_status(ask("HEAD", "/k", header, ""), 304);
        assert_status(ask("GET", "/-/where/k", header, ""), 304);
        (void) snprintf(header, sizeof(header), "If-Match: %s\r\n", etag);
        assert_status(ask("GET", "/k", header, ""), 307);
        assert_status(ask("GET", "/k", "If-Match: \"x\"\r\n", ""), 412);
        assert_status(ask("GET", "/none", "If-Match: *\r\n", ""), 412);
        assert_status(ask("GET", "/k", "If-Match: nonsense\r\n", ""), 400);
}

/* Marks the copy of KEY on VOLUME as damaged. */
static void damage(const char *key, uint32_t volume) {
        damage_mark(world.index, key, record_of(key).version, volume, DAMAGE_CORRUPT);
        world_settle();
}

TEST(a_damaged_copy_is_the_last_choice) {
        Record record;

        assert_status(put("/k", "value"), 201);
        record = record_of("k");
        damage("k", record.copies[0]);
        damage("k", record.copies[1]);
        for (unsigned i = 0; i < 20; i++)
                assert_int_equal(volume_of(get("/k")), record.copies[2]);
        assert_int_equal(volume_of(get("/k?again=1")), record.copies[2]);

        damage("k", record.copies[2]);
        assert_status(get("/k"), 307); /* the volume says what it is like */
}

static const Json *copy_on(const Json *answer, uint32_t volume) {
        const Json *copies = json_get(answer, "copies");

        for (size_t i = 0; i < json_array_size(copies); i++) {
                uint64_t number;

                assert_ok(json_get_uint(json_array_get(copies, i), "volume", &number));
                if (number == volume)
                        return json_array_get(copies, i);
        }
        return NULL;
}

TEST(where_tells_of_each_copy) {
        _cleanup_(json_freep) Json *answer = NULL;
        const char *body;
        uint64_t size;

        assert_status(put("/a%20b", "value"), 201);
        damage("a b", 2);
        body = body_of(get("/-/where/a%20b"));
        assert_ok(json_parse(body, strlen(body), &answer));
        assert_string_equal(json_get_string(answer, "key"), "a%20b");
        assert_ok(json_get_uint(answer, "size", &size));
        assert_int_equal(size, 5);
        assert_int_equal(json_array_size(json_get(answer, "copies")), N_VOLUMES);
        assert_string_equal(json_get_string(copy_on(answer, 1), "url"), world.fakes[1].url);
        assert_null(json_get_string(copy_on(answer, 1), "damage"));
        assert_non_null(json_get_string(copy_on(answer, 2), "damage"));
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)
        const struct CMUnitTest tests[] = {
                RUN(a_reader_is_redirected_to_a_copy_with_a_ticket),
                RUN(the_ticket_opens_the_volume),
                RUN(verification_is_asked_of_the_volume),
                RUN(a_client_that_was_sent_back_is_sent_to_each_copy_in_turn),
                RUN(what_is_known_of_a_value_is_told_without_it),
                RUN(keys_that_are_not_there_or_cannot_be_are_refused),
                RUN(conditions_are_answered_by_the_master),
                RUN(a_damaged_copy_is_the_last_choice),
                RUN(where_tells_of_each_copy),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
