/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What volumes report, and what they are answered. */

#include "test.h"

#include "base/json.h"
#include "master/call/peer.h"

/* What volume NUMBER says of itself, without the member of this NAME. */
static void put_report(Buffer *body, uint32_t number, const char *without) {
        static const char *const figures[] = { "free",     "size",     "objects",
                                               "bytes",    "pending",  "version_max",
                                               "revision", "deletion", "objects_ever",
                                               "delay" };
        _cleanup_(json_freep) Json *json = json_new_object();
        _cleanup_free_ char *text = NULL;

        for (size_t i = 0; i < ELEMENTSOF(figures); i++)
                if (strcmp(figures[i], without) != 0)
                        json_add_uint(json, figures[i], i < 2 ? GIB : 0);
        if (strcmp("clock", without) != 0)
                json_add_uint(json, "clock", clock_realtime());
        if (strcmp("wire", without) != 0)
                json_add_uint(json, "wire", WIRE_VERSION);
        if (strcmp("url", without) != 0)
                json_add_string(json, "url", world.fakes[MIN(number, 3U)].url);
        if (strcmp("zone", without) != 0)
                json_add_string(json, "zone", "here");
        text = json_format(json, false);
        buffer_put(body, text, strlen(text));
}

TEST(a_report_is_answered_with_what_the_volume_has_to_know) {
        _cleanup_(json_freep) Json *json = NULL;
        uint64_t figure;
        Buffer body = {};

        put_report(&body, 1, "");
        assert_int_equal(call(CALL_REPORT, &body), 200);
        assert_ok(json_parse((const char *) answer.body.data, answer.body.size, &json));
        assert_ok(json_get_uint(json, "grace_usec", &figure));
        assert_int_equal(figure, GRACE_USEC);
        assert_ok(json_get_uint(json, "revision", &figure));
        assert_ok(json_get_uint(json, "clock", &figure));
        assert_in_range(figure, clock_realtime() - USEC_PER_MIN, clock_realtime());
}

TEST(a_report_that_lacks_something_is_refused) {
        static const char *const members[] = { "free",         "objects", "pending", "version_max",
                                               "objects_ever", "clock",   "url",     "zone" };
        Buffer body = {};

        for (size_t i = 0; i < ELEMENTSOF(members); i++) {
                put_report(&body, 1, members[i]);
                assert_int_equal(call(CALL_REPORT, &body), 400);
        }
        put_report(&body, 1, "wire");
        assert_int_equal(call(CALL_REPORT, &body), 405);
        buffer_put(&body, "nonsense", 8);
        assert_int_equal(call(CALL_REPORT, &body), 400);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, peer_setup, peer_teardown)
        const struct CMUnitTest tests[] = {
                RUN(a_report_is_answered_with_what_the_volume_has_to_know),
                RUN(a_report_that_lacks_something_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
