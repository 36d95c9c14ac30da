/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The settings of the master: what they are without a file, what may not be, and what changes while
 * it runs. */

#include "test.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/placement/cluster.h"
#include "master/conf.h"
#include "scratch.h"

static char *directory;
static char path[256];
static ProgramArguments arguments;

static void write_settings(const char *text) {
        FILE *file = fopen(path, "w");

        assert_non_null(file);
        assert_true(fputs(text, file) >= 0);
        assert_int_equal(fclose(file), 0);
}

static int setup(void **state) {
        directory = scratch_new();
        (void) snprintf(path, sizeof(path), "%s/master.conf", directory);
        arguments = (ProgramArguments){ .config = path, .bus_address = "none" };
        write_settings("");
        return 0;
}

static int teardown(void **state) {
        directory = scratch_free(directory);
        return 0;
}

/* Loads the file with one more setting. */
static int load(MasterConf *conf, const char *set) {
        *conf = (MasterConf){};
        arguments.set[0] = set;
        return master_conf_load(conf, &arguments);
}

static void done(MasterConf *conf) {
        conf_done(master_conf_items, conf);
}

static void assert_refused(const char *set) {
        MasterConf conf;

        if (load(&conf, set) >= 0)
                fail_msg("'%s' is accepted", set);
        done(&conf);
}

static void assert_accepted(const char *set) {
        MasterConf conf;

        if (load(&conf, set) < 0)
                fail_msg("'%s' is refused", set);
        done(&conf);
}

TEST(an_empty_file_has_the_defaults) {
        MasterConf conf;

        assert_ok(load(&conf, NULL));
        assert_string_equal(conf.directory, "/var/lib/dkv/master");
        assert_string_equal(conf.endpoint.listen, "127.0.0.1:3000");
        assert_int_equal(conf.copies, 1);
        assert_false(conf.auto_add_volumes);
        assert_false(conf.proxy);
        assert_int_equal(conf.value_size_max, TIB);
        assert_int_equal(conf.grace_usec, 10 * USEC_PER_MIN);
        assert_int_equal(conf.ticket_usec, USEC_PER_MIN);
        assert_int_equal(conf.volume_timeout_usec, 3 * USEC_PER_SEC);
        assert_int_equal(conf.reserve_size, 256 * MIB);
        done(&conf);
}

TEST(a_file_that_is_not_there_is_an_empty_one) {
        MasterConf conf;

        assert_int_equal(unlink(path), 0);
        assert_ok(load(&conf, NULL));
        assert_int_equal(conf.copies, 1);
        done(&conf);
}

TEST(a_file_is_read_and_the_command_line_comes_after_it) {
        MasterConf conf;

        write_settings("[Master]\nCopies=2\nProxy=yes\nGraceSec=2min\n");
        assert_ok(load(&conf, "Copies=3"));
        assert_int_equal(conf.copies, 3);
        assert_true(conf.proxy);
        assert_int_equal(conf.grace_usec, 2 * USEC_PER_MIN);
        done(&conf);
}

/* A redirect has to lead to something that is still there. */
TEST(a_ticket_lasts_no_longer_than_the_grace_time) {
        MasterConf conf;

        write_settings("[Master]\nTicketSec=2min\nGraceSec=1min\n");
        assert_int_equal(load(&conf, NULL), -EINVAL);
        done(&conf);
        write_settings("[Master]\nTicketSec=1min\nGraceSec=1min\n");
        assert_ok(load(&conf, NULL));
        done(&conf);
        assert_refused("GraceSec=59s");
}

/* Writes NUMBER as a value of the item's type. */
static void format_set(const ConfItem *item, uint64_t number, char *ret, size_t size) {
        (void) snprintf(ret, size, "%s=%" PRIu64 "%s", item->name, number,
                        item->type == CONF_TIME ? "us" : "");
}

TEST(each_number_has_limits_and_its_default_is_within_them) {
        unsigned n = 0;

        for (const ConfItem *item = master_conf_items; item->name; item++) {
                char set[128];

                if (item->type != CONF_UINT && item->type != CONF_SIZE && item->type != CONF_TIME)
                        continue;
                assert_true(item->maximum > item->minimum);
                write_settings(strcmp(item->name, "TicketSec") == 0 ? "[Master]\nGraceSec=1000d\n"
                                                                    : "[Master]\nTicketSec=1s\n");
                format_set(item, item->maximum, set, sizeof(set));
                assert_accepted(set);
                format_set(item, item->maximum + 1, set, sizeof(set));
                assert_refused(set);
                format_set(item, item->minimum, set, sizeof(set));
                assert_accepted(set);
                if (item->minimum > 0) {
                        format_set(item, item->minimum - 1, set, sizeof(set));
                        assert_refused(set);
                }
                n++;
        }
        assert_true(n > 10);
}

TEST(no_more_copies_can_be_asked_for_than_a_record_names) {
        char set[32];

        (void) snprintf(set, sizeof(set), "Copies=%d", COPIES_MAX);
        assert_accepted(set);
        (void) snprintf(set, sizeof(set), "Copies=%d", COPIES_MAX + 1);
        assert_refused(set);
        assert_refused("Copies=0");
        assert_refused("Copies=-1");
        assert_refused("Copies=two");
}

TEST(an_address_that_cannot_be_served_is_refused) {
        static const char *const bad[] = { "Listen=here", "Listen=127.0.0.1", "Listen=127.0.0.1:x",
                                           "Listen=127.0.0.1:99999", "Listen=:::1" };
        static const char *const good[] = { "Listen=127.0.0.1:3000", "Listen=[::1]:3000",
                                            "Listen=3000" };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_refused(bad[i]);
        for (size_t i = 0; i < ELEMENTSOF(good); i++)
                assert_accepted(good[i]);
}

TEST(what_is_live_changes_and_the_rest_waits_for_a_restart) {
        MasterConf conf, fresh;

        assert_ok(load(&conf, NULL));
        write_settings("[Master]\nCopies=3\nProxy=yes\nValueSizeMax=1M\nGraceSec=1h\nTicketSec=2min\n"
                       "Directory=/elsewhere\nListen=127.0.0.1:4000\nAutoAddVolumes=yes\n"
                       "ReserveSize=1G\nThreads=7\n");
        assert_ok(load(&fresh, NULL));
        program_apply(master_conf_items, &conf, &fresh, "dkv-master");
        done(&fresh);

        assert_int_equal(conf.copies, 3);
        assert_true(conf.proxy);
        assert_int_equal(conf.value_size_max, MIB);
        assert_int_equal(conf.grace_usec, USEC_PER_HOUR);
        assert_int_equal(conf.ticket_usec, 2 * USEC_PER_MIN);
        assert_true(conf.auto_add_volumes);
        assert_string_equal(conf.directory, "/var/lib/dkv/master");
        assert_string_equal(conf.endpoint.listen, "127.0.0.1:3000");
        assert_int_equal(conf.reserve_size, 256 * MIB);
        assert_int_equal(conf.endpoint.threads, 0);
        done(&conf);
}

TEST(each_setting_says_in_a_sentence_what_it_is) {
        for (const ConfItem *item = master_conf_items; item->name; item++) {
                assert_string_equal(item->section, "Master");
                assert_int_equal(item->help[strlen(item->help) - 1], '.');
                assert_true(item->offset < sizeof(MasterConf));
        }
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
        static const struct CMUnitTest tests[] = {
                ROW(an_empty_file_has_the_defaults),
                ROW(a_file_that_is_not_there_is_an_empty_one),
                ROW(a_file_is_read_and_the_command_line_comes_after_it),
                ROW(a_ticket_lasts_no_longer_than_the_grace_time),
                ROW(each_number_has_limits_and_its_default_is_within_them),
                ROW(no_more_copies_can_be_asked_for_than_a_record_names),
                ROW(an_address_that_cannot_be_served_is_refused),
                ROW(what_is_live_changes_and_the_rest_waits_for_a_restart),
                ROW(each_setting_says_in_a_sentence_what_it_is),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
