/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Whether a master leads, by what volumes report, over restarts and accidents of the index. */

#include "test.h"

#include <errno.h>
#include <semaphore.h>
#include <signal.h>

#include "master/lead/lead.h"
#include "scratch.h"
#include "shift.h"
#include "store/index/identity.h"
#include "store/index/rollback.h"
#include "sweep.h"

static struct {
        char *directory;
        sd_event *event;
        Index *index;
        Troubles *troubles;
        Lead *lead;
} master;

static void open_master(bool accept_rollback) {
        IndexOptions options = { .directory = master.directory };

        assert_ok(sd_event_new(&master.event));
        assert_ok(troubles_new(&master.troubles));
        assert_ok(index_open(&options, &master.index));
        assert_ok(lead_new(
                        &(LeadOptions){
                                        .index = master.index,
                                        .troubles = master.troubles,
                                        .directory = master.directory,
                                        .accept_rollback = accept_rollback,
                        },
                        master.event, &master.lead));
}

static void close_master(void) {
        master.index = index_free(master.index);
        master.lead = lead_free(master.lead);
        master.troubles = troubles_free(master.troubles);
        master.event = sd_event_unref(master.event);
}

static void restart(void) {
        close_master();
        open_master(false);
}

static void start_all(void) {
        master.directory = scratch_new();
        open_master(false);
}

static void stop_all(void) {
        close_master();
        master.directory = scratch_free(master.directory);
}

static int setup(void **state) {
        start_all();
        return 0;
}

static int teardown(void **state) {
        stop_all();
        return 0;
}

/* Waits until what was submitted to the index is done. */
static void settle(void) {
        IndexSet barrier = { .request.done = scratch_answered, .name = "barrier" };

        index_set(master.index, &barrier);
        (void) scratch_wait();
}

static void commit(const char *key) {
        IndexCommit request = {
                .request.done = scratch_answered,
                .key = key,
                .record = { .version = index_next_version(master.index, VERSION_DIRECT),
                            .content_type = "",
                            .metadata = "",
                            .n_copies = 1,
                            .copies = { 1 } },
        };

        index_commit(master.index, &request);
        assert_ok(scratch_wait());
}

/* Of a volume that has followed this master and has seen nothing. */
static VolumeReport report_of(uint32_t number) {
        VolumeReport report = { .number = number, .run = 1, .lead = *index_identity(master.index) };

        report.lead.term = 0;
        report.lead.leader = 0;
        return report;
}

/* Of a store that has never belonged to any cluster. */
static VolumeReport fresh_report_of(uint32_t number) {
        return (VolumeReport){ .number = number, .run = 1 };
}

/* Of one that belongs to another cluster, and has OBJECTS values. */
static VolumeReport strange_report_of(uint32_t number, uint64_t objects) {
        VolumeReport report = report_of(number);

        report.lead.cluster[0] ^= 1;
        report.objects = report.objects_ever = objects;
        return report;
}

static int hear(const VolumeReport *report, LeadMember member) {
        int r = lead_hear(master.lead, report, member, 1);

        settle();
        return r;
}

/* A volume of this cluster that has seen revision REVISION. */
static int hear_revision(uint32_t number, uint64_t revision) {
        VolumeReport report = report_of(number);

        report.revision = revision;
        return hear(&report, LEAD_MEMBER);
}

static const char *reason(void) {
        static char text[LEAD_REASON_SIZE];

        lead_reason(master.lead, text);
        return text;
}

#define assert_says(words) assert_non_null(strstr(reason(), (words)))

static bool has_trouble(TroubleKind kind) {
        return troubles_has(master.troubles, kind, 0);
}

static void assert_leads(void) {
        assert_int_equal(lead_state(master.lead), LEAD_LEADS);
        assert_true(lead_is_leading(master.lead));
        assert_string_equal(reason(), "");
        assert_false(has_trouble(TROUBLE_BEHIND));
        assert_false(has_trouble(TROUBLE_FOREIGN));
}

static void assert_state(LeadState state) {
        assert_int_equal(lead_state(master.lead), state);
        assert_int_equal(lead_is_leading(master.lead), state == LEAD_LEADS);
        assert_int_equal(has_trouble(TROUBLE_BEHIND), state == LEAD_BEHIND);
        assert_int_equal(has_trouble(TROUBLE_FOREIGN), state == LEAD_FOREIGN);
        assert_int_equal(*reason() == '\0', state == LEAD_LEADS);
}

/* Lets the timer of the lead run twice. */
static void let_look(void) {
        for (int i = 0; i < 2; i++)
                assert_ok(sd_event_run(master.event, UINT64_MAX));
}

TEST(a_master_leads_unless_it_has_reason_not_to) {
        VolumeReport fresh = fresh_report_of(2);

        assert_leads();
        assert_int_equal(hear_revision(1, 0), 0);
        assert_int_equal(hear(&fresh, LEAD_UNKNOWN), 0);
        assert_leads();
        assert_true(lead_is_leading(NULL)); /* as in tests */
}

TEST(a_volume_that_has_seen_more_shows_that_the_index_is_older) {
        uint64_t known;

        commit("k");
        known = index_revision(master.index);
        assert_int_equal(hear_revision(3, known), 0);
        assert_leads();

        assert_int_equal(hear_revision(3, known + 7), -EOWNERDEAD);
        assert_state(LEAD_BEHIND);
        assert_says("volume 3 has seen 7 changes");
}

TEST(every_kind_of_number_shows_it) {
        for (int kind = 0; kind < 3; kind++) {
                VolumeReport report = report_of(1);

                report.lead.term = kind == 0 ? index_identity(master.index)->term + 1 : 0;
                report.version_max = kind == 1 ? UINT64_C(1) << 60 : 0;
                report.deletion = kind == 2 ? UINT64_C(1) << 60 : 0;
                assert_int_equal(hear(&report, LEAD_MEMBER), -EOWNERDEAD);
                assert_state(LEAD_BEHIND);
                stop_all();
                start_all();
        }
}

TEST(a_removed_volume_may_be_the_one_that_knows) {
        VolumeReport report = report_of(1);

        report.revision = 1000;
        assert_int_equal(hear(&report, LEAD_REMOVED), -EOWNERDEAD);
        assert_state(LEAD_BEHIND);
}

/* Once it is known nothing but an acceptance or the newer index is a way out. */
TEST(an_index_that_is_older_stays_so_whatever_is_reported_next) {
        VolumeReport fresh = fresh_report_of(9), strange = strange_report_of(8, 5);

        assert_int_equal(hear_revision(1, 100), -EOWNERDEAD);
        assert_int_equal(hear_revision(1, 0), -EOWNERDEAD);
        assert_int_equal(hear_revision(2, 0), -EOWNERDEAD);
        assert_int_equal(hear(&fresh, LEAD_UNKNOWN), -EOWNERDEAD);
        assert_int_equal(hear(&strange, LEAD_UNKNOWN), -EOWNERDEAD);
        shift_clock(3600);
        let_look();
        assert_state(LEAD_BEHIND);
        assert_says("volume 1 has seen"); /* the first to show it */
}

TEST(how_far_behind_it_is_grows_with_what_others_have_seen) {
        assert_int_equal(hear_revision(1, 100), -EOWNERDEAD);
        assert_says("seen 100 changes");
        assert_int_equal(hear_revision(2, 250), -EOWNERDEAD);
        assert_says("volume 1 has seen 250 changes");
        assert_int_equal(hear_revision(1, 100), -EOWNERDEAD);
        assert_says("seen 250 changes");
}

TEST(an_index_that_is_older_is_so_after_a_restart) {
        assert_int_equal(hear_revision(4, 100), -EOWNERDEAD);
        for (int i = 0; i < 2; i++) {
                restart();
                assert_state(LEAD_BEHIND);
                assert_says("volume 4 has seen 100 changes");
                assert_int_equal(hear_revision(1, 0), -EOWNERDEAD);
        }
}

TEST(a_record_of_another_release_is_not_ignored) {
        static const struct {
                const char *data;
                size_t size;
                int error;
        } cases[] = {
                { "\x09", 1, -EPROTONOSUPPORT },
                { "\x01", 1, -EBADMSG },
                { "\x01 and more than there should be, which is no record of any release", 64,
                  -EBADMSG },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                LeadOptions options = { .index = master.index, .troubles = master.troubles };
                IndexSet set = { .request.done = scratch_answered,
                                 .name = ROLLBACK_BEHIND_STATE,
                                 .data = cases[i].data,
                                 .size = cases[i].size };
                Lead *other;

                index_set(master.index, &set);
                assert_ok(scratch_wait());
                assert_int_equal(lead_new(&options, master.event, &other), cases[i].error);
        }
        index_set(master.index,
                  &(IndexSet){ .request.done = scratch_answered, .name = ROLLBACK_BEHIND_STATE });
        assert_ok(scratch_wait());
}

static int accepted;
static uint64_t accepted_term;
static sem_t done;

static void on_accepted(int result, uint64_t term, void *userdata) {
        accepted = result;
        accepted_term = term;
        assert_ok(sem_post(&done));
}

static int accept_rollback(void) {
        int r;

        assert_ok(sem_init(&done, 0, 0));
        r = lead_accept_rollback(master.lead, on_accepted, NULL);
        if (r < 0)
                return r;
        assert_ok(sem_wait(&done));
        return accepted;
}

TEST(an_index_that_is_not_older_needs_no_acceptance) {
        assert_int_equal(accept_rollback(), -EALREADY);
        assert_leads();
}

TEST(an_accepted_index_leads_above_all_that_was_seen) {
        VolumeReport report = report_of(1);

        commit("k");
        report.lead.term = 50;
        report.revision = 1000;
        report.version_max = UINT64_C(1) << 40;
        assert_int_equal(hear(&report, LEAD_MEMBER), -EOWNERDEAD);
        assert_int_equal(accept_rollback(), 0);
        assert_true(accepted_term > 50);
        assert_leads();
        assert_true(has_trouble(TROUBLE_ROLLED_BACK)); /* which is told for good */
        assert_true(index_next_version(master.index, VERSION_DIRECT) > UINT64_C(1) << 40);
        commit("l");
        assert_true(index_revision(master.index) > 1000);

        assert_int_equal(hear(&report, LEAD_MEMBER), 0);
        restart();
        assert_leads();
        assert_true(has_trouble(TROUBLE_ROLLED_BACK));
        assert_int_equal(accept_rollback(), -EALREADY);
}

TEST(a_volume_that_comes_back_later_and_is_ahead_of_even_that_ends_it_once_more) {
        VolumeReport report = report_of(2);

        assert_int_equal(hear_revision(1, 1000), -EOWNERDEAD);
        assert_int_equal(accept_rollback(), 0);
        assert_leads();
        report.revision = 1000 + 2 * ROLLBACK_REVISIONS;
        assert_int_equal(hear(&report, LEAD_MEMBER), -EOWNERDEAD);
        assert_state(LEAD_BEHIND);
        assert_int_equal(accept_rollback(), 0);
        assert_leads();
}

TEST(what_is_accepted_in_advance_needs_nobody_to_ask) {
        close_master();
        open_master(true);
        (void) hear_revision(1, 1000);
        settle();
        assert_leads();
        assert_true(index_identity(master.index)->term > 0);
        assert_int_equal(hear_revision(1, 1000), 0);
}

TEST(what_was_found_out_before_may_be_accepted_by_a_start) {
        assert_int_equal(hear_revision(1, 1000), -EOWNERDEAD);
        close_master();
        open_master(true);
        settle();
        assert_leads();
}

TEST(a_stranger_is_refused_and_the_index_leads_on) {
        VolumeReport strange = strange_report_of(7, 42);
        char why[LEAD_REASON_SIZE];

        commit("k"); /* this index has a value, and volumes that are yet to report */
        assert_int_equal(hear_revision(1, 0), 0);
        assert_int_equal(hear(&strange, LEAD_UNKNOWN), -EEXIST);
        assert_leads();

        lead_explain_stranger(master.lead, 7, why);
        assert_non_null(
                        strstr(why, "Volume 7 belongs to another index, of another cluster, and "
                                    "holds 42 values"));
        lead_explain_stranger(master.lead, 8, why);
        assert_string_equal(why, "");
        lead_explain_stranger(NULL, 7, why);
        assert_string_equal(why, "");
}

/* Such as one whose disk was not mounted: it must not give out the numbers of the other once more.
 */
TEST(an_empty_index_that_only_strangers_report_to_does_not_lead) {
        VolumeReport first = strange_report_of(2, 500), second = strange_report_of(1, 2);

        assert_int_equal(lead_hear(master.lead, &first, LEAD_UNKNOWN, 0), -EOWNERDEAD);
        assert_state(LEAD_FOREIGN);
        assert_says("Volume 2 holds 500 values");
        assert_int_equal(lead_hear(master.lead, &second, LEAD_UNKNOWN, 0), -EOWNERDEAD);
        assert_says("Volumes 1 and 2 hold 502 values");
}

TEST(an_index_with_values_waits_for_its_own_volumes_before_it_doubts) {
        VolumeReport strange = strange_report_of(2, 500);

        commit("k");
        assert_int_equal(hear(&strange, LEAD_UNKNOWN), -EEXIST);
        assert_leads();
        shift_clock(6);
        assert_int_equal(hear(&strange, LEAD_UNKNOWN), -EOWNERDEAD);
        assert_state(LEAD_FOREIGN);
}

TEST(one_volume_of_its_own_is_enough_for_an_index_to_belong_here) {
        VolumeReport strange = strange_report_of(2, 500);

        commit("k");
        assert_int_equal(hear_revision(1, 0), 0);
        shift_clock(3600);
        assert_int_equal(hear(&strange, LEAD_UNKNOWN), -EEXIST);
        assert_leads();
}

TEST(a_foreign_index_leads_once_the_strangers_are_gone) {
        VolumeReport strange = strange_report_of(2, 500);

        assert_int_equal(lead_hear(master.lead, &strange, LEAD_UNKNOWN, 0), -EOWNERDEAD);
        let_look();
        assert_state(LEAD_FOREIGN);
        shift_clock(11);
        let_look();
        assert_leads();
        restart(); /* and nothing of it is remembered */
        assert_leads();
}

TEST(many_strangers_are_named_by_number_and_counted) {
        for (uint32_t i = 100; i > 0; i--) {
                VolumeReport strange = strange_report_of(i, 1);

                (void) lead_hear(master.lead, &strange, LEAD_UNKNOWN, 0);
        }
        assert_state(LEAD_FOREIGN);
        assert_says(" others hold ");
}

TEST(numbers_that_cannot_be_are_refused_and_show_nothing) {
        VolumeReport report = report_of(1);

        report.revision = UINT64_MAX;
        assert_int_equal(hear(&report, LEAD_MEMBER), -EINVAL);
        report = strange_report_of(1, 1);
        report.version_max = UINT64_MAX - 1;
        assert_int_equal(hear(&report, LEAD_UNKNOWN), -EINVAL);
        assert_leads();
}

TEST(a_master_that_was_deposed_stays_so) {
        lead_depose(master.lead, "Another one leads, at %s.", "http://there");
        assert_int_equal(lead_state(master.lead), LEAD_DEPOSED);
        assert_false(lead_is_leading(master.lead));
        assert_string_equal(reason(), "Another one leads, at http://there.");

        lead_depose(master.lead, "And another one.");
        assert_string_equal(reason(), "Another one leads, at http://there.");
        assert_int_equal(hear_revision(1, 100), -EOWNERDEAD); /* that is another matter */
        assert_int_equal(lead_state(master.lead), LEAD_DEPOSED);
        assert_int_equal(accept_rollback(), -EALREADY);
        restart(); /* but for what it has seen since, another start may lead */
        assert_leads();
}

/* It is known to be older in any case, and after a restart once it could be stored. */
static void find_out(Sweep *sweep, void *userdata) {
        start_all();
        sweep_begin(sweep, master.index);
        assert_int_equal(
                        lead_hear(master.lead,
                                  &(VolumeReport){ .number = 1,
                                                   .lead = report_of(1).lead,
                                                   .revision = 100 },
                                  LEAD_MEMBER, 1),
                        -EOWNERDEAD);
        sweep_end(sweep, master.index);
        settle();
        assert_state(LEAD_BEHIND);

        assert_int_equal(hear_revision(1, 100), -EOWNERDEAD); /* a second later */
        restart();
        assert_state(LEAD_BEHIND);
        assert_says("seen 100 changes");
        stop_all();
}

TEST(that_the_index_is_older_is_stored_until_it_is) {
        assert_int_equal(sweep_index(find_out, NULL), 1);
}

/* Whoever accepts is told the truth: either it leads now, or it does not and may be asked again. */
static void accept_with_an_accident(Sweep *sweep, void *userdata) {
        int r;

        start_all();
        assert_int_equal(hear_revision(1, 100), -EOWNERDEAD);
        sweep_begin(sweep, master.index);
        r = accept_rollback();
        sweep_end(sweep, master.index);
        if (sweep_met(sweep) == REQUEST_ACCEPT) {
                assert_true(r < 0);
                assert_state(LEAD_BEHIND);
                assert_int_equal(accept_rollback(), 0);
        } else
                assert_int_equal(r, 0);
        assert_leads();
        assert_true(accepted_term > 1);
        restart();
        assert_leads();
        assert_int_equal(hear_revision(1, 100), 0);
        stop_all();
}

TEST(an_acceptance_without_an_answer_is_not_taken_for_one) {
        assert_int_equal(sweep_index(accept_with_an_accident, NULL), 1);
}

/* What was carried out without an answer is in force at the next start at the latest. */
static void accept_and_die(Sweep *sweep, void *userdata) {
        int r;

        start_all();
        assert_int_equal(hear_revision(1, 100), -EOWNERDEAD);
        sweep_begin(sweep, master.index);
        r = accept_rollback();
        sweep_end(sweep, master.index);
        restart();
        if (r == 0 || sweep_way(sweep) == INTERCEPT_LOSE_ANSWER) {
                assert_leads();
                assert_int_equal(hear_revision(1, 100), 0);
        } else
                assert_state(LEAD_BEHIND);
        stop_all();
}

TEST(a_restart_shows_what_an_acceptance_came_to) {
        assert_int_equal(sweep_index(accept_and_die, NULL), 1);
}

/* Random reports, and a model that knows how far the index has come and who was heard. */
TEST(no_order_of_reports_makes_an_older_index_lead) {
        unsigned seed = 7;
        bool is_behind = false;

        commit("k");
        for (int i = 0; i < 400; i++) {
                VolumeReport report = report_of((uint32_t) rand_r(&seed) % 3 + 1);
                uint64_t revision = index_revision(master.index);
                bool is_ahead = rand_r(&seed) % 100 == 0;

                report.revision = is_ahead ? revision + 1 + (uint64_t) rand_r(&seed) % 5
                                           : (uint64_t) rand_r(&seed) % (revision + 1);
                is_behind |= is_ahead;
                assert_int_equal(
                                lead_hear(master.lead, &report, LEAD_MEMBER, 3),
                                is_behind ? -EOWNERDEAD : 0);
                if (rand_r(&seed) % 50 == 0)
                        restart();
                assert_int_equal(lead_is_leading(master.lead), !is_behind);
                if (is_behind && rand_r(&seed) % 20 == 0) {
                        assert_int_equal(accept_rollback(), 0);
                        is_behind = false;
                } else if (!is_behind)
                        commit("k");
        }
}

static int ignore_the_end(void **state) {
        return signal(SIGTERM, SIG_IGN) ==
               SIG_ERR; /* which a master sends itself that is deposed */
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                RUN(a_master_leads_unless_it_has_reason_not_to),
                RUN(a_volume_that_has_seen_more_shows_that_the_index_is_older),
                RUN(every_kind_of_number_shows_it),
                RUN(a_removed_volume_may_be_the_one_that_knows),
                RUN(an_index_that_is_older_stays_so_whatever_is_reported_next),
                RUN(how_far_behind_it_is_grows_with_what_others_have_seen),
                RUN(an_index_that_is_older_is_so_after_a_restart),
                RUN(a_record_of_another_release_is_not_ignored),
                RUN(an_index_that_is_not_older_needs_no_acceptance),
                RUN(an_accepted_index_leads_above_all_that_was_seen),
                RUN(a_volume_that_comes_back_later_and_is_ahead_of_even_that_ends_it_once_more),
                RUN(what_is_accepted_in_advance_needs_nobody_to_ask),
                RUN(what_was_found_out_before_may_be_accepted_by_a_start),
                RUN(a_stranger_is_refused_and_the_index_leads_on),
                RUN(an_empty_index_that_only_strangers_report_to_does_not_lead),
                RUN(an_index_with_values_waits_for_its_own_volumes_before_it_doubts),
                RUN(one_volume_of_its_own_is_enough_for_an_index_to_belong_here),
                RUN(a_foreign_index_leads_once_the_strangers_are_gone),
                RUN(many_strangers_are_named_by_number_and_counted),
                RUN(numbers_that_cannot_be_are_refused_and_show_nothing),
                RUN(a_master_that_was_deposed_stays_so),
                cmocka_unit_test(that_the_index_is_older_is_stored_until_it_is),
                cmocka_unit_test(an_acceptance_without_an_answer_is_not_taken_for_one),
                cmocka_unit_test(a_restart_shows_what_an_acceptance_came_to),
                RUN(no_order_of_reports_makes_an_older_index_lead),
        };

        return cmocka_run_group_tests(tests, ignore_the_end, NULL);
}
