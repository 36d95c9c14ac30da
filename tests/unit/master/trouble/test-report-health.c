/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the reports of volumes tell of their health, and what becomes of that. */

#include "test.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "master/trouble/report-health.h"

static Troubles *troubles;

static int set_up(void **state) {
        return troubles_new(&troubles);
}

static int tear_down(void **state) {
        troubles = troubles_free(troubles);
        return 0;
}

/* Reads TEXT, in which $ stands for the time now. */
static int read_text(const char *text, Json **ret_json, VolumeReport *ret) {
        char full[1024];
        const char *dollar = strchr(text, '$');

        if (dollar)
                (void) snprintf(full, sizeof(full), "%.*s%" PRIu64 "%s", (int) (dollar - text),
                                text, clock_realtime(), dollar + 1);
        else
                (void) snprintf(full, sizeof(full), "%s", text);
        assert_ok(json_parse(full, strlen(full), ret_json));
        return peer_read_health(*ret_json, ret);
}

static const char *detail_of(TroubleKind kind, uint32_t volume) {
        static char detail[TROUBLE_DETAIL_SIZE];
        _cleanup_free_ Trouble *list = NULL;
        size_t n;

        assert_ok(troubles_list(troubles, &list, &n));
        for (size_t i = 0; i < n; i++)
                if (list[i].kind == kind && list[i].volume == volume) {
                        memcpy(detail, list[i].detail, sizeof(detail));
                        return detail;
                }
        return NULL;
}

static size_t count_troubles(void) {
        _cleanup_free_ Trouble *list = NULL;
        size_t n;

        assert_ok(troubles_list(troubles, &list, &n));
        return n;
}

TEST(a_report_without_complaints_is_healthy) {
        _cleanup_(json_freep) Json *json = NULL;
        VolumeReport report = { .number = 1 };

        assert_ok(read_text("{\"clock\":$,\"delay\":0}", &json, &report));
        assert_int_equal(report.fault, STORE_FAULT_NONE);
        assert_int_equal(report.n_peers, 0);
        assert_int_equal(report.damaged_pages, 0);
        assert_true(report.skew_usec > -(int64_t) USEC_PER_SEC && report.skew_usec <= 0);
        peer_note_health(troubles, &report, NULL);
        assert_int_equal(count_troubles(), 0);
}

TEST(a_report_that_does_not_say_what_time_it_is_is_refused) {
        static const char *const texts[] = {
                "{}",
                "[]",
                "{\"clock\":1}",
                "{\"delay\":1}",
                "{\"clock\":-1,\"delay\":0}",
                "{\"clock\":\"1\",\"delay\":0}",
                "{\"clock\":1,\"delay\":-1}",
                "{\"clock\":1,\"delay\":60000001}",
                "{\"clock\":9223372036854775808,\"delay\":0}",
                "{\"clock\":9223372036854775806,\"delay\":60000000}",
                "{\"clock\":18446744073709551615,\"delay\":0}",
        };

        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                _cleanup_(json_freep) Json *json = NULL;
                VolumeReport report = {};

                assert_int_equal(read_text(texts[i], &json, &report), -EINVAL);
        }
}

/* How far a clock can be off is not limited: a machine without a battery starts in 1970. */
TEST(any_time_of_day_is_a_skew) {
        _cleanup_(json_freep) Json *early = NULL, *late = NULL;
        VolumeReport report = {};

        assert_ok(read_text("{\"clock\":0,\"delay\":0}", &early, &report));
        assert_true(report.skew_usec < -(int64_t) (USEC_PER_DAY * 365));
        assert_ok(read_text("{\"clock\":9000000000000000000,\"delay\":0}", &late, &report));
        assert_true(report.skew_usec > (int64_t) (USEC_PER_DAY * 365));
}

TEST(the_way_of_the_report_is_no_skew) {
        _cleanup_(json_freep) Json *json = NULL;
        VolumeReport report = {};
        char text[128];

        (void) snprintf(text, sizeof(text), "{\"clock\":%" PRIu64 ",\"delay\":%" PRIu64 "}",
                        clock_realtime() - 5 * USEC_PER_SEC, 5 * USEC_PER_SEC);
        assert_ok(read_text(text, &json, &report));
        assert_true(report.skew_usec > -(int64_t) USEC_PER_SEC && report.skew_usec <= 0);
}

TEST(a_fault_that_nobody_knows_still_is_one) {
        static const char *const names[] = { "x", "", "Full", "a fault of the next release" };

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                _cleanup_(json_freep) Json *json = NULL;
                VolumeReport report = {};
                char text[128];

                (void) snprintf(text, sizeof(text), "{\"clock\":$,\"delay\":0,\"fault\":\"%s\"}",
                                names[i]);
                assert_ok(read_text(text, &json, &report));
                assert_int_equal(report.fault, store_fault_from_string(names[i]));
        }
}

TEST(no_more_peers_are_kept_than_there_is_room_for) {
        _cleanup_(json_freep) Json *json = NULL;
        VolumeReport report = {};
        char text[1024] = "{\"clock\":$,\"delay\":0,\"peers\":[7,null,{}";

        for (int i = 0; i < 3 * REPORT_PEERS_MAX; i++)
                (void) snprintf(text + strlen(text), sizeof(text) - strlen(text), ",\"h:%i\"", i);
        (void) snprintf(text + strlen(text), sizeof(text) - strlen(text), "]}");
        assert_ok(read_text(text, &json, &report));
        assert_int_equal(report.n_peers, REPORT_PEERS_MAX); /* and what is no text is passed over */
        assert_string_equal(report.peers[0], "h:0");
        assert_string_equal(report.peers[REPORT_PEERS_MAX - 1], "h:15");
}

TEST(each_fault_has_its_trouble_which_ends_with_it) {
        static const struct {
                StoreFault fault;
                TroubleKind kind;
        } cases[] = {
                { STORE_FAULT_FAILED, TROUBLE_DISK_FAILED },
                { STORE_FAULT_READ_ONLY, TROUBLE_DISK_READ_ONLY },
                { STORE_FAULT_DENIED, TROUBLE_DISK_DENIED },
                { STORE_FAULT_MISSING, TROUBLE_DISK_MISSING },
                { STORE_FAULT_OVERLOADED, TROUBLE_OVERLOADED },
        };
        VolumeReport report = { .number = 3 };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                report.fault = cases[i].fault;
                peer_note_health(troubles, &report, "write '/srv/dkv/3/values'");
                assert_int_equal(count_troubles(), 1); /* the one before is over */
                assert_string_equal(detail_of(cases[i].kind, 3), "write '/srv/dkv/3/values'");
        }
        report.fault = STORE_FAULT_NONE;
        peer_note_health(troubles, &report, "stale");
        assert_int_equal(count_troubles(), 0);
}

/* That it is full is seen from its figures, and told with them. */
TEST(a_full_volume_is_no_trouble_of_its_own) {
        VolumeReport report = { .number = 3, .fault = STORE_FAULT_FULL };

        peer_note_health(troubles, &report, "full");
        assert_int_equal(count_troubles(), 0);
}

TEST(a_fault_without_details_is_told_all_the_same) {
        VolumeReport report = { .number = 3, .fault = STORE_FAULT_FAILED };

        peer_note_health(troubles, &report, NULL);
        assert_string_equal(detail_of(TROUBLE_DISK_FAILED, 3), "");
}

TEST(one_volume_s_health_is_not_another_s) {
        VolumeReport sick = { .number = 1, .fault = STORE_FAULT_FAILED, .damaged_pages = 2 },
                     well = { .number = 2 };

        peer_note_health(troubles, &sick, "x");
        peer_note_health(troubles, &well, "x");
        assert_non_null(detail_of(TROUBLE_DISK_FAILED, 1));
        assert_string_equal(detail_of(TROUBLE_PAGES_DAMAGED, 1), "2");
        assert_null(detail_of(TROUBLE_DISK_FAILED, 2));
}

TEST(damaged_pages_are_counted_until_there_are_none) {
        VolumeReport report = { .number = 1, .damaged_pages = 1 };

        peer_note_health(troubles, &report, NULL);
        assert_string_equal(detail_of(TROUBLE_PAGES_DAMAGED, 1), "1");
        report.damaged_pages = UINT64_MAX;
        peer_note_health(troubles, &report, NULL);
        assert_string_equal(detail_of(TROUBLE_PAGES_DAMAGED, 1), "18446744073709551615");
        report.damaged_pages = 0;
        peer_note_health(troubles, &report, NULL);
        assert_null(detail_of(TROUBLE_PAGES_DAMAGED, 1));
}

TEST(whom_it_cannot_reach_is_listed) {
        VolumeReport report = { .number = 1, .peers = { "a:1", "b:2" }, .n_peers = 2 };

        peer_note_health(troubles, &report, NULL);
        assert_string_equal(detail_of(TROUBLE_PEER_UNREACHABLE, 1), "a:1, b:2");
        report.n_peers = 1;
        peer_note_health(troubles, &report, NULL);
        assert_string_equal(detail_of(TROUBLE_PEER_UNREACHABLE, 1), "a:1");
        report.n_peers = 0;
        peer_note_health(troubles, &report, NULL);
        assert_null(detail_of(TROUBLE_PEER_UNREACHABLE, 1));
}

TEST(a_list_that_is_too_long_is_cut) {
        char address[200];
        VolumeReport report = { .number = 1, .n_peers = REPORT_PEERS_MAX };

        memset(address, 'a', sizeof(address));
        for (size_t n = 1; n < sizeof(address); n += 7) {
                address[n] = '\0';
                for (size_t i = 0; i < REPORT_PEERS_MAX; i++)
                        report.peers[i] = address;
                peer_note_health(troubles, &report, NULL);
                assert_in_range(strlen(detail_of(TROUBLE_PEER_UNREACHABLE, 1)), 1,
                                TROUBLE_DETAIL_SIZE - 1);
                address[n] = 'a';
        }
}

TEST(a_report_that_was_refused_is_told_by_its_reason) {
        static const struct {
                int error;
                TroubleKind kind;
        } cases[] = {
                { -EPROTO, TROUBLE_OTHER_RELEASE },
                { -EEXIST, TROUBLE_OTHER_STORE },
                { -EBUSY, TROUBLE_REMOVED_REPORTS },
        };
        const VolumeReport report = { .number = 5, .url = "http://there:3005" };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                peer_note_refusal(troubles, &report, cases[i].error);
                assert_int_equal(count_troubles(), i + 1);
                assert_string_equal(detail_of(cases[i].kind, 5), "http://there:3005");
        }
}

/* It is told elsewhere, or is over by the next report. */
TEST(other_refusals_are_no_trouble) {
        static const int errors[] = { -EINVAL, -EALREADY, -EINPROGRESS, -ENOTUNIQ, -EOWNERDEAD };
        const VolumeReport report = { .number = 5, .url = "http://there:3005" };

        for (size_t i = 0; i < ELEMENTSOF(errors); i++)
                peer_note_refusal(troubles, &report, errors[i]);
        assert_int_equal(count_troubles(), 0);
}

TEST(a_refused_volume_may_not_even_have_said_where_it_is) {
        const VolumeReport report = { .number = 5 };

        peer_note_refusal(troubles, &report, -EPROTO);
        assert_string_equal(detail_of(TROUBLE_OTHER_RELEASE, 5), "an unknown address");
}

TEST(a_report_that_is_taken_shows_that_its_release_is_right) {
        VolumeReport report = { .number = 5, .url = "http://there:3005" };

        peer_note_refusal(troubles, &report, -EPROTO);
        peer_note_health(troubles, &report, NULL);
        assert_null(detail_of(TROUBLE_OTHER_RELEASE, 5));
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
        static const struct CMUnitTest tests[] = {
                RUN(a_report_without_complaints_is_healthy),
                RUN(a_report_that_does_not_say_what_time_it_is_is_refused),
                RUN(any_time_of_day_is_a_skew),
                RUN(the_way_of_the_report_is_no_skew),
                RUN(a_fault_that_nobody_knows_still_is_one),
                RUN(no_more_peers_are_kept_than_there_is_room_for),
                RUN(each_fault_has_its_trouble_which_ends_with_it),
                RUN(a_full_volume_is_no_trouble_of_its_own),
                RUN(a_fault_without_details_is_told_all_the_same),
                RUN(one_volume_s_health_is_not_another_s),
                RUN(damaged_pages_are_counted_until_there_are_none),
                RUN(whom_it_cannot_reach_is_listed),
                RUN(a_list_that_is_too_long_is_cut),
                RUN(a_report_that_was_refused_is_told_by_its_reason),
                RUN(other_refusals_are_no_trouble),
                RUN(a_refused_volume_may_not_even_have_said_where_it_is),
                RUN(a_report_that_is_taken_shows_that_its_release_is_right),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
