/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Who gets to which handler of a master: by the path, and by the role of the one who calls. */

#include "test.h"

#include "master/call/peer.h"

static const char *const calls[] = { "channel" };

static Parties by_master(void) {
        Parties parties = parties_of(1);

        parties.from = (StoreIdentity){};
        return parties;
}

/* Nobody is let in, not even those who know the secret. */
static void assert_unknown(const char *target) {
        Parties volume = parties_of(1), master = by_master();
        Buffer body = {};

        assert_int_equal(call_at(target, &volume, &body), 404);
        assert_int_equal(call_at(target, &master, &body), 404);
        assert_int_equal(call_at(target, NULL, &body), 404);
}

/* Whatever is in front of or behind the path of a call, or encoded in it, leads to no handler. */
TEST(only_the_very_path_of_a_call_leads_to_it) {
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
                        assert_unknown(target);
                }
}

TEST(the_path_of_a_call_cannot_be_spelled_otherwise) {
        for (size_t i = 0; i < ELEMENTSOF(calls); i++) {
                char target[128];

                (void) snprintf(target, sizeof(target), "/%%2d/%s", calls[i]);
                assert_unknown(target);
                (void) snprintf(target, sizeof(target), "/-%%2F%s", calls[i]);
                assert_unknown(target);
                (void) snprintf(target, sizeof(target), "/%%2D%%2f%s", calls[i]);
                assert_unknown(target);
                (void) snprintf(target, sizeof(target), "/-/%%%02x%s", (unsigned) *calls[i],
                                calls[i] + 1);
                assert_unknown(target);
                (void) snprintf(target, sizeof(target), "/-/%c%s", *calls[i] - 'a' + 'A',
                                calls[i] + 1);
                assert_unknown(target);
        }
}

TEST(each_call_is_made_by_volumes) {
        for (CallKind kind = 0; kind < _CALL_MAX; kind++) {
                Parties volume = parties_of(1), master = by_master();
                Buffer body = {};
                unsigned by_volume = call_as(&volume, kind, &body);

                assert_int_equal(call_as(&master, kind, &body), 421);
                if (call_types[kind].caller == CALL_ROLE_VOLUME &&
                    call_types[kind].receiver == CALL_ROLE_MASTER)
                        assert_in_set(by_volume, ((uintmax_t[]){ 200, 400 }), 2);
                else
                        assert_int_equal(by_volume, 503); /* it does not know this call */
        }
}

TEST(a_channel_is_opened_by_get) {
        Buffer body = {};

        assert_int_equal(call_at("/-/channel", NULL, &body), 405);
        assert_status(get("/-/channel"), 403);
}

TEST(everybody_may_ask_how_it_is_and_where_a_value_is) {
        assert_status(put("/k", "value"), 201);
        assert_status(get("/-/health"), 200);
        assert_status(get("/-/where/k"), 200);
        assert_status(get("/-/where"), 404);
        assert_status(get("/-/whereabouts/k"), 404);
        assert_status(get("/-/health/"), 404);
        assert_status(get("/-/healthy"), 404);
        assert_status(exchange_simple(&world.master, "DELETE", "/-/where/k"), 405);
}

/* Such a key could be read by nobody. */
TEST(nobody_makes_a_key_that_looks_like_one_of_our_paths) {
        static const char *const targets[] = { "/-/x",      "/%2d/x",    "/-%2fx", "/%2D%2Fx",
                                               "/-/health", "/-/copy/x", "/-/",    "/-/store" };

        for (size_t i = 0; i < ELEMENTSOF(targets); i++) {
                const char *response = put(targets[i], "value");
                int status = atoi(response + strlen("HTTP/1.1 "));

                assert_true(status == 404 || status == 405);
        }
        assert_status(put("/-", "value"), 201);
        assert_status(put("/-x/y", "value"), 201);
        assert_status(put("/x/-/y", "value"), 201);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, peer_setup, peer_teardown)
        const struct CMUnitTest tests[] = {
                RUN(only_the_very_path_of_a_call_leads_to_it),
                RUN(the_path_of_a_call_cannot_be_spelled_otherwise),
                RUN(each_call_is_made_by_volumes),
                RUN(a_channel_is_opened_by_get),
                RUN(everybody_may_ask_how_it_is_and_where_a_value_is),
                RUN(nobody_makes_a_key_that_looks_like_one_of_our_paths),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
