/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A master of a group: from following to the end of its lead. */

#include "test.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "master/lead/lead.h"
#include "scratch.h"
#include "store/index/identity.h"
#include "store/index/rollback.h"

static struct {
        char *directory;
        sd_event *event;
        Index *index;
        Troubles *troubles;
        Lead *lead;
} master;

static int setup(void **state) {
        LeadOptions options = { .follows = true };

        options.directory = master.directory = scratch_new();
        assert_ok(sd_event_new(&master.event));
        assert_ok(troubles_new(&master.troubles));
        assert_ok(index_open(&(IndexOptions){ .directory = master.directory }, &master.index));
        options.index = master.index;
        options.troubles = master.troubles;
        assert_ok(lead_new(&options, master.event, &master.lead));
        return 0;
}

static int teardown(void **state) {
        master.index = index_free(master.index);
        master.lead = lead_free(master.lead);
        master.troubles = troubles_free(master.troubles);
        master.event = sd_event_unref(master.event);
        master.directory = scratch_free(master.directory);
        return 0;
}

static const char *reason(void) {
        static char text[LEAD_REASON_SIZE];

        lead_reason(master.lead, text);
        return text;
}

TEST(a_master_of_a_group_follows_until_it_is_elected) {
        char leader[LEAD_URL_SIZE];

        assert_true(lead_is_shared(master.lead));
        assert_true(lead_is_following(master.lead));
        assert_false(lead_is_leading(master.lead));
        assert_non_null(strstr(reason(), "No master leads"));
        lead_follow(master.lead, "http://there:1");
        assert_string_equal(reason(), "This master follows the one at http://there:1.");
        lead_leader(master.lead, leader);
        assert_string_equal(leader, "http://there:1");
        assert_int_equal(lead_accept_rollback(master.lead, NULL, NULL), -EALREADY);

        assert_ok(lead_begin(master.lead));
        assert_true(lead_is_leading(master.lead));
        assert_false(lead_is_following(master.lead));
        assert_int_equal(lead_begin(master.lead), -EALREADY);
}

TEST(a_master_that_has_lost_the_lead_leads_no_more) {
        assert_ok(lead_begin(master.lead));
        lead_lose(master.lead, "It was term %i.", 7);
        assert_int_equal(lead_state(master.lead), LEAD_LOST);
        assert_true(lead_is_following(master.lead));
        assert_string_equal(reason(), "It was term 7.");
        lead_depose(master.lead, "Another one.");
        assert_int_equal(lead_state(master.lead), LEAD_LOST);
        assert_int_equal(lead_begin(master.lead), -EALREADY);
        assert_int_equal(lead_state(master.lead), LEAD_LOST);
}

/* What an earlier leader has found out counts for the next one. */
TEST(an_index_that_is_older_is_so_for_every_leader) {
        static const uint8_t behind[] = { 1,
                                          /* since */ 1,
                                          0,
                                          0,
                                          0,
                                          0,
                                          0,
                                          0,
                                          0,
                                          /* volume */ 1,
                                          0,
                                          0,
                                          0,
                                          /* term, version, revision */ 9,
                                          0,
                                          0,
                                          0,
                                          0,
                                          0,
                                          0,
                                          0,
                                          9,
                                          0,
                                          0,
                                          0,
                                          0,
                                          0,
                                          0,
                                          0,
                                          99,
                                          0,
                                          0,
                                          0,
                                          0,
                                          0,
                                          0,
                                          0 };
        IndexSet set = { .request.done = scratch_answered,
                         .name = ROLLBACK_BEHIND_STATE,
                         .data = behind,
                         .size = sizeof(behind) };

        index_set(master.index, &set);
        assert_ok(scratch_wait());
        assert_int_equal(lead_state(master.lead), LEAD_FOLLOWS);
        assert_ok(lead_begin(master.lead));
        assert_int_equal(lead_state(master.lead), LEAD_BEHIND);
        assert_false(lead_is_following(master.lead));
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                RUN(a_master_of_a_group_follows_until_it_is_elected),
                RUN(a_master_that_has_lost_the_lead_leads_no_more),
                RUN(an_index_that_is_older_is_so_for_every_leader),
        };

        (void) signal(SIGTERM, SIG_IGN);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
