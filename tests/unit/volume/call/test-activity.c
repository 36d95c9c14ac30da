/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include "http/http.h"
#include "volume/call/activity.h"

static int finish(HttpRequest *request) {
        return http_request_reply(request, 204);
}

static const HttpRoute routes[] = { { "GET", "/", HTTP_PUBLIC, .finish = finish }, {} };

/* It ends by itself, within the time that counts as lately. */
static void await_silence(const Activity *activity) {
        while (activity_has_clients(activity))
                (void) usleep(1000);
}

TEST(without_anybody_there_is_no_activity) {
        Activity activity = {};
        Fixture fixture;

        assert_false(activity_has_clients(&activity)); /* before there is a server */
        fixture_start(&fixture, routes, NULL);
        activity_set_server(&activity, fixture.server);
        assert_false(activity_has_clients(&activity));
        fixture_stop(&fixture);
}

TEST(values_that_the_master_sends_are_activity_for_a_while) {
        Activity activity = {};

        activity_note(&activity);
        assert_true(activity_has_clients(&activity));
        await_silence(&activity);
        activity_note(&activity);
        assert_true(activity_has_clients(&activity));
}

TEST(requests_of_clients_are_activity_for_a_while) {
        Activity activity = {};
        Fixture fixture;

        fixture_start(&fixture, routes, NULL);
        activity_set_server(&activity, fixture.server);
        assert_status(exchange_simple(&fixture, "GET", "/x"), 204);
        assert_true(activity_has_clients(&activity));
        await_silence(&activity);
        fixture_stop(&fixture);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(without_anybody_there_is_no_activity),
                cmocka_unit_test(values_that_the_master_sends_are_activity_for_a_while),
                cmocka_unit_test(requests_of_clients_are_activity_for_a_while),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
