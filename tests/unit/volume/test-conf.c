/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The settings of a volume: what follows from its number, and what is refused. */

#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/placement/cluster.h"
#include "scratch.h"
#include "volume/conf.h"

typedef struct Fixture {
        char *directory;
        VolumeConf conf;
} Fixture;

static int setup(void **state) {
        Fixture *fixture = calloc(1, sizeof(*fixture));

        fixture->directory = scratch_new();
        *state = fixture;
        return 0;
}

static int teardown(void **state) {
        Fixture *fixture = *state;

        conf_done(volume_conf_items, &fixture->conf);
        scratch_free(fixture->directory);
        free(fixture);
        return 0;
}

/* Loads TEXT as the file of volume NUMBER; 0 if the number is not given. */
static int load(Fixture *fixture, uint64_t number, const char *text) {
        const char *path = scratch_path(fixture->directory, "volume.conf");
        FILE *file = fopen(path, "we");

        assert_non_null(file);
        assert_true(fputs(text, file) >= 0);
        assert_int_equal(fclose(file), 0);
        conf_done(volume_conf_items, &fixture->conf);
        fixture->conf = (VolumeConf){};
        return volume_conf_load(
                        &fixture->conf, &(ProgramArguments){ .config = path, .number = number });
}

TEST(what_is_left_open_follows_from_the_number) {
        Fixture *fixture = *state;
        const VolumeConf *conf = &fixture->conf;

        assert_ok(load(fixture, 7, ""));
        assert_int_equal(conf->number, 7);
        assert_string_equal(conf->directory, "/var/lib/dkv/volume-7");
        assert_string_equal(conf->endpoint.listen, "127.0.0.1:3007");
        assert_string_equal(conf->url, "http://127.0.0.1:3007");
        assert_string_equal(conf->master, "http://127.0.0.1:3000");
        assert_true(conf->endpoint.is_redirected_to);
}

TEST(the_number_of_the_unit_beats_the_one_in_the_file) {
        Fixture *fixture = *state;

        assert_ok(load(fixture, 0, "[Volume]\nNumber=5\n"));
        assert_int_equal(fixture->conf.number, 5);
        assert_string_equal(fixture->conf.endpoint.listen, "127.0.0.1:3005");
        assert_ok(load(fixture, 7, "[Volume]\nNumber=5\n"));
        assert_int_equal(fixture->conf.number, 7);
        assert_string_equal(fixture->conf.directory, "/var/lib/dkv/volume-7");
}

TEST(what_is_said_stays_as_it_is) {
        Fixture *fixture = *state;
        const VolumeConf *conf = &fixture->conf;

        assert_ok(load(fixture, 7,
                       "[Volume]\nDirectory=/srv/x\nListen=10.0.0.1:80\nUrl=http://values.example/\n"
                       "Master=http://master.example:3000/\nZone=rack 1\nInlineMax=8K\nReportSec=500ms\n"));
        assert_string_equal(conf->directory, "/srv/x");
        assert_string_equal(conf->endpoint.listen, "10.0.0.1:80");
        assert_string_equal(conf->url, "http://values.example");
        assert_string_equal(conf->master, "http://master.example:3000");
        assert_string_equal(conf->zone, "rack 1");
        assert_int_equal(conf->inline_max, 8 * KIB);
        assert_int_equal(conf->report_usec, USEC_PER_SEC / 2);
}

TEST(the_url_is_where_the_volume_listens) {
        static const struct {
                const char *listen, *url;
        } rows[] = {
                { "10.0.0.1:80", "http://10.0.0.1:80" },
                { "[::1]:4000", "http://[::1]:4000" },
                { "0.0.0.0:4000", "" }, /* which nobody can call; see volume_conf_find_url() */
                { "[::]:4000", "" },
        };
        Fixture *fixture = *state;

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                char text[128];

                (void) snprintf(text, sizeof(text), "[Volume]\nListen=%s\n", rows[i].listen);
                assert_ok(load(fixture, 1, text));
                assert_string_equal(fixture->conf.url, rows[i].url);
        }
}

/* The way to the master shows by which address this machine is seen. */
TEST(a_volume_that_listens_everywhere_finds_out_what_it_is_called) {
        Fixture *fixture = *state;

        assert_ok(load(fixture, 1,
                       "[Volume]\nListen=0.0.0.0:4000\nMaster=http://127.0.0.1:3000\n"));
        assert_ok(volume_conf_find_url(&fixture->conf));
        assert_string_equal(fixture->conf.url, "http://127.0.0.1:4000");
        assert_ok(volume_conf_find_url(&fixture->conf)); /* it is known by now */

        assert_ok(load(fixture, 1,
                       "[Volume]\nListen=0.0.0.0:4000\nUrl=http://values.example:1\nMaster=http://no.invalid:1\n"));
        assert_ok(volume_conf_find_url(&fixture->conf));
        assert_string_equal(fixture->conf.url, "http://values.example:1");

        assert_ok(load(fixture, 1, "[Volume]\nListen=0.0.0.0:4000\nMaster=http://no.invalid:1\n"));
        assert_int_equal(volume_conf_find_url(&fixture->conf), -EHOSTUNREACH);
}

TEST(a_number_beyond_the_ports_needs_a_port) {
        Fixture *fixture = *state;

        assert_ok(load(fixture, UINT16_MAX - 3000, ""));
        assert_string_equal(fixture->conf.endpoint.listen, "127.0.0.1:65535");
        if (VOLUME_MAX > UINT16_MAX - 3000) {
                assert_int_equal(load(fixture, UINT16_MAX - 2999, ""), -EINVAL);
                assert_ok(load(fixture, UINT16_MAX - 2999, "[Volume]\nListen=10.0.0.1:80\n"));
        }
}

TEST(what_makes_no_sense_is_refused) {
        static const char *const lines[] = {
                "Number=0",         "Number=x",          "Number=99999999999", "Listen=somewhere",
                "Listen=10.0.0.1",  "Listen=10.0.0.1:0", "Url=ftp://x",        "Url=values.example",
                "Master=nonsense",  "InlineMax=1G",      "InlineMax=-1",       "CacheSize=1K",
                "CheckpointSize=0", "ReportSec=1us",     "ReportSec=1h",       "Threads=257",
                "ConnectionsMax=7", "HeaderSizeMax=1M",  "TimeoutSec=0",       "StopSec=2h",
        };
        Fixture *fixture = *state;

        for (size_t i = 0; i < ELEMENTSOF(lines); i++) {
                char text[128];

                (void) snprintf(text, sizeof(text), "[Volume]\n%s\n", lines[i]);
                assert_true(load(fixture, 1, text) < 0);
        }
}

TEST(limits_are_allowed_themselves) {
        static const char *const lines[] = {
                "InlineMax=0",       "InlineMax=1M",   "CacheSize=1M",     "CacheSize=64G",
                "ReserveSize=0",     "ReserveSize=1T", "ReportSec=100ms",  "ReportSec=1min",
                "Threads=0",         "Threads=256",    "ConnectionsMax=8", "HeaderSizeMax=1K",
                "HeaderSizeMax=64K", "StopSec=0",      "StopSec=1h",
        };
        Fixture *fixture = *state;

        for (size_t i = 0; i < ELEMENTSOF(lines); i++) {
                char text[128];

                (void) snprintf(text, sizeof(text), "[Volume]\n%s\n", lines[i]);
                assert_ok(load(fixture, 1, text));
        }
}

TEST(without_a_file_the_defaults_count) {
        Fixture *fixture = *state;

        assert_ok(volume_conf_load(
                        &fixture->conf,
                        &(ProgramArguments){ .config = scratch_path(fixture->directory, "none"),
                                             .number = 4 }));
        assert_string_equal(fixture->conf.endpoint.listen, "127.0.0.1:3004");
}

TEST(settings_of_the_command_line_come_last) {
        Fixture *fixture = *state;
        const char *path;

        assert_ok(load(fixture, 1, "[Volume]\nZone=file\n"));
        path = scratch_path(fixture->directory, "volume.conf");
        conf_done(volume_conf_items, &fixture->conf);
        fixture->conf = (VolumeConf){};
        assert_ok(volume_conf_load(
                        &fixture->conf, &(ProgramArguments){ .config = path,
                                                             .set = { "Zone=first", "Zone=second" },
                                                             .number = 1 }));
        assert_string_equal(fixture->conf.zone, "second");
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                RUN(what_is_left_open_follows_from_the_number),
                RUN(the_number_of_the_unit_beats_the_one_in_the_file),
                RUN(what_is_said_stays_as_it_is),
                RUN(the_url_is_where_the_volume_listens),
                RUN(a_volume_that_listens_everywhere_finds_out_what_it_is_called),
                RUN(a_number_beyond_the_ports_needs_a_port),
                RUN(what_makes_no_sense_is_refused),
                RUN(limits_are_allowed_themselves),
                RUN(without_a_file_the_defaults_count),
                RUN(settings_of_the_command_line_come_last),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
