/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What everybody is told of the cluster. How bad something is, health/health decides. */

#include "test.h"

#include "base/json.h"
#include "master/world.h"

/* Asks, and reads the answer. */
static Json *ask_health(int status) {
        const char *answer = get("/-/health");
        Json *json;

        assert_int_equal(atoi(answer + strlen("HTTP/1.1 ")), status);
        assert_string_equal(header_of(answer, "Content-Type"), "application/json");
        assert_string_equal(header_of(answer, "Cache-Control"), "no-store");
        assert_ok(json_parse(body_of(answer), strlen(body_of(answer)), &json));
        return json;
}

static uint64_t figure(const Json *json, const char *name) {
        uint64_t value;

        assert_ok(json_get_uint(json, name, &value));
        return value;
}

static bool flag(const Json *json, const char *name) {
        bool value;

        assert_ok(json_get_bool(json, name, &value));
        return value;
}

TEST(a_cluster_that_is_well_says_so) {
        _cleanup_(json_freep) Json *json = ask_health(200);
        const Json *volumes = json_get(json, "volumes");

        assert_string_equal(json_get_string(json, "status"), "ok");
        assert_string_equal(json_get_string(json, "version"), DKV_VERSION);
        assert_int_equal(figure(json, "keys"), 0);
        assert_int_equal(figure(json, "copies"), N_VOLUMES);
        assert_int_equal(json_array_size(volumes), N_VOLUMES);
        assert_int_equal(json_array_size(json_get(json, "troubles")), 0);
}

TEST(values_and_what_waits_for_its_deletion_are_counted) {
        _cleanup_(json_freep) Json *json = NULL;

        assert_status(put("/a", "12345"), 201);
        assert_status(put("/b", "1"), 201);
        assert_status(put("/b", "22"), 204);
        json = ask_health(200);
        assert_int_equal(figure(json, "keys"), 2);
        assert_int_equal(figure(json, "bytes"), 7);
        assert_int_equal(figure(json, "garbage"), N_VOLUMES);
}

TEST(each_volume_is_told_with_what_it_reported) {
        _cleanup_(json_freep) Json *json = ask_health(200);

        for (uint32_t i = 1; i <= N_VOLUMES; i++) {
                const Json *volume = json_array_get(json_get(json, "volumes"), i - 1);

                assert_int_equal(figure(volume, "number"), i);
                assert_string_equal(json_get_string(volume, "state"), "active");
                assert_string_equal(json_get_string(volume, "url"), world.fakes[i].url);
                assert_true(flag(volume, "up"));
                assert_false(flag(volume, "maintenance"));
                assert_int_equal(figure(volume, "free"), 100 * GIB);
                assert_int_equal(figure(volume, "size"), 200 * GIB);
                assert_int_equal(figure(volume, "objects"), 0);
        }
}

TEST(what_is_wrong_is_told_with_a_sentence_and_an_advice) {
        _cleanup_(json_freep) Json *json = NULL;
        const Json *trouble;

        troubles_note(world.troubles, TROUBLE_STRANGER, 2, "%s", "http://10.0.0.9:1");
        json = ask_health(200);
        assert_string_equal(json_get_string(json, "status"), "degraded");
        assert_int_equal(json_array_size(json_get(json, "troubles")), 1);
        trouble = json_array_get(json_get(json, "troubles"), 0);
        assert_int_equal(figure(trouble, "volume"), 2);
        assert_non_null(strstr(json_get_string(trouble, "sentence"), "10.0.0.9"));
        assert_true(*json_get_string(trouble, "advice"));
        assert_string_equal(json_get_string(json, "reason"), json_get_string(trouble, "sentence"));
        assert_in_range(figure(trouble, "since"), clock_realtime() - USEC_PER_MIN,
                        clock_realtime());
}

/* A load balancer looks at the status alone. */
TEST(a_cluster_that_stores_nothing_answers_503) {
        _cleanup_(json_freep) Json *json = NULL;

        troubles_note(world.troubles, TROUBLE_INDEX_DISK_FULL, 0, "%s", "/srv/index");
        json = ask_health(503);
        assert_string_equal(json_get_string(json, "status"), "down");
        assert_non_null(strstr(json_get_string(json, "reason"), "/srv/index"));
        assert_int_equal(json_array_size(json_get(json, "volumes")), N_VOLUMES);
}

TEST(a_monitor_may_ask_for_the_status_alone) {
        const char *answer = exchange_simple(&world.master, "HEAD", "/-/health");

        assert_status(answer, 200);
        assert_string_equal(body_of(answer), "");
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)
        const struct CMUnitTest tests[] = {
                RUN(a_cluster_that_is_well_says_so),
                RUN(values_and_what_waits_for_its_deletion_are_counted),
                RUN(each_volume_is_told_with_what_it_reported),
                RUN(what_is_wrong_is_told_with_a_sentence_and_an_advice),
                RUN(a_cluster_that_stores_nothing_answers_503),
                RUN(a_monitor_may_ask_for_the_status_alone),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
