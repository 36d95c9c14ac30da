/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "adm/verb.h"

#include <string.h>
#include <sys/stat.h>

#include "adm/machine/volume-place.h"
#include "adm/own-etc.h"
#include "bus/bus.h"
#include "frame/capture.h"
#include "frame/complaint.h"

/* clang-format off */
static const struct {
        const char *master_listens; /* NULL: there is no master on this machine */
        const char *listen, *master; /* as given */
        uint32_t number;
        int result;
        const char *place_master, *place_listen; /* NULL: the default */
        bool is_here;
} rows[] = {
        { "127.0.0.1:3000", NULL, NULL,                    4, 0, NULL,                    NULL,            true  },
        { "127.0.0.1:3100", NULL, NULL,                    4, 0, "http://127.0.0.1:3100", NULL,            true  },
        { "10.0.0.1:3000",  NULL, NULL,                    4, 0, "http://10.0.0.1:3000",  "10.0.0.1:3004", true  },
        { "0.0.0.0:3000",   NULL, NULL,                    4, 0, NULL,                    NULL,            true  },
        { "[::]:3000",      NULL, NULL,                    4, 0, NULL,                    NULL,            true  },
        { "[fd00::1]:3000", NULL, NULL,                    4, 0, "http://[fd00::1]:3000", "[fd00::1]:3004", true },
        { "odd",            NULL, NULL,                    4, 0, NULL,                    NULL,            true  },
        { "10.0.0.1:3000",  "10.0.0.9:77", NULL,           4, 0, "http://10.0.0.1:3000",  "10.0.0.9:77",   true  },
        { NULL,             NULL, NULL,                    4, 0, NULL,                    NULL,            false },
        { NULL,             "10.0.0.9:77", "http://10.0.0.1:3000", 4, 0, "http://10.0.0.1:3000", "10.0.0.9:77", false },
        { NULL,             NULL, "http://127.0.0.1:3000", 4, 0, "http://127.0.0.1:3000", NULL,            false },
        { NULL,             NULL, "http://127.0.0.1:3000/", 4, 0, "http://127.0.0.1:3000", NULL,           false },
        /* Who is named is not asked. */
        { "10.0.0.1:3000",  "10.0.0.9:77", "http://10.0.0.2:3000", 4, 0, "http://10.0.0.2:3000", "10.0.0.9:77", false },
        { NULL,             "foo", NULL,                   4, EXIT_USAGE, NULL, NULL, false },
        { NULL,             "host:1", NULL,                4, EXIT_USAGE, NULL, NULL, false },
        { NULL,             NULL, "10.0.0.1",              4, EXIT_USAGE, NULL, NULL, false },
        { NULL,             NULL, "http://",               4, EXIT_USAGE, NULL, NULL, false },
        { NULL,             NULL, NULL,                62536, EXIT_USAGE, NULL, NULL, false },
        { NULL,             "127.0.0.1:9", NULL,       62536, 0, NULL, "127.0.0.1:9", false },
};
/* clang-format on */

static void assert_text(const char *found, const char *expected) {
        if (expected)
                assert_string_equal(found ?: "(none)", expected);
        else
                assert_null(found);
}

TEST(place_follows_from_what_is_there) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;

        assert_ok(bus_open(stand_in_address(), &bus));
        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                Answer answers[ANSWERS_MAX] = { { .member = "Get", .types = "v" } };
                VolumePlace place = {};
                char text[64];

                (void) snprintf(text, sizeof(text), "s %s", rows[i].master_listens ?: "");
                answers[0].text = text;
                if (!rows[i].master_listens)
                        answers[0] = (Answer){};
                stand_in_set(answers);
                assert_int_equal(
                                volume_place_find(
                                                bus, rows[i].number, rows[i].listen, rows[i].master,
                                                &place),
                                rows[i].result);
                assert_text(place.master, rows[i].place_master);
                assert_text(place.listen, rows[i].place_listen);
                assert_int_equal(place.is_here, rows[i].is_here);
                volume_place_done(&place);
        }
}

/* As with --root. */
TEST(nobody_is_asked_without_a_bus) {
        VolumePlace place = {};

        assert_int_equal(volume_place_find(NULL, 4, NULL, NULL, &place), 0);
        assert_true(!place.master && !place.listen && !place.is_here);
        assert_int_equal(volume_place_find(NULL, 4, NULL, "http://10.0.0.1:3000", &place), 0);
        assert_string_equal(place.master, "http://10.0.0.1:3000");
        assert_null(place.listen);
        volume_place_done(&place);
}

static bool has_etc; /* of its own */

/* What volume 4 gets on a machine with these files and a master that does not run. */
static void check_sibling(const char *const files[][2], const char *master, const char *listen) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        VolumePlace place = {};

        stand_in_set((const Answer[ANSWERS_MAX]){});
        assert_ok(bus_open(stand_in_address(), &bus));
        assert_true(mkdir("/etc/dkv", 0755) == 0 || access("/etc/dkv", F_OK) == 0);
        for (size_t i = 0; files[i][0]; i++)
                assert_true(own_etc_write(files[i][0], files[i][1]));
        assert_int_equal(volume_place_find(bus, 4, NULL, NULL, &place), 0);
        assert_text(place.master, master);
        assert_text(place.listen, listen);
        assert_false(place.is_here);
        volume_place_done(&place);
        for (size_t i = 0; files[i][0]; i++)
                assert_ok(unlink(files[i][0]));
}

TEST(volumes_of_a_machine_are_alike) {
        if (!has_etc)
                skip();

        check_sibling((const char *const[][2]){ { NULL } }, NULL, NULL);
        check_sibling(
                        (const char *const[][2]){
                                        { "/etc/dkv/volume@2.conf",
                                          "[Volume]\nMaster=http://10.0.0.1:3000\nListen=10.0.0.2:3002\n" },
                                        { NULL } },
                        "http://10.0.0.1:3000", "10.0.0.2:3004");
        /* One on loopback says nothing about where it is reached. */
        check_sibling(
                        (const char *const[][2]){
                                        { "/etc/dkv/volume@2.conf",
                                          "[Volume]\nMaster=http://127.0.0.1:4000\nListen=127.0.0.1:3002\n" },
                                        { NULL } },
                        "http://127.0.0.1:4000", NULL);
        check_sibling(
                        (const char *const[][2]){
                                        { "/etc/dkv/volume@2.conf",
                                          "[Volume]\nMaster=http://127.0.0.1:4000\nListen=0.0.0.0:3002\n" },
                                        { NULL } },
                        "http://127.0.0.1:4000", NULL);
        check_sibling((const char *const[][2]){ { "/etc/dkv/volume@2.conf", "[Volume]\n" },
                                                { NULL } },
                      NULL, NULL);
}

TEST(volume_of_the_least_number_is_followed) {
        if (!has_etc)
                skip();

        check_sibling((const char *const[][2]){ { "/etc/dkv/volume@10.conf",
                                                  "[Volume]\nMaster=http://127.0.0.1:10\n" },
                                                { "/etc/dkv/volume@3.conf",
                                                  "[Volume]\nMaster=http://127.0.0.1:3\n" },
                                                { "/etc/dkv/volume@20.conf",
                                                  "[Volume]\nMaster=http://127.0.0.1:20\n" },
                                                { NULL } },
                      "http://127.0.0.1:3", NULL);
}

TEST(what_is_no_volume_is_not_followed) {
        static const char text[] = "[Volume]\nMaster=http://127.0.0.1:9\n";

        if (!has_etc)
                skip();

        check_sibling((const char *const[][2]){ { "/etc/dkv/volume@x.conf", text },
                                                { "/etc/dkv/volume@.conf", text },
                                                { "/etc/dkv/volume@2.conf.bak", text },
                                                { "/etc/dkv/volume@4.conf", text }, /* itself */
                                                { "/etc/dkv/master.conf", text },
                                                { NULL } },
                      NULL, NULL);
}

TEST(complaint_says_what_is_wrong_with_an_address) {
        /* clang-format off */
        static const struct {
                const char *listen, *master, *said;
        } table[] = {
                { "3003",        NULL,           "--listen takes ADDRESS:PORT, where ADDRESS is an IP address *, not '3003'.\n" },
                { ":3003",       NULL,           "--listen takes ADDRESS:PORT*':3003'*\n" },
                { "10.0.0.1",    NULL,           "--listen takes ADDRESS:PORT, but '10.0.0.1' *.\n" },
                { "10.0.0.1:0",  NULL,           "--listen takes ADDRESS:PORT*'10.0.0.1:0'*\n" },
                { "name:3003",   NULL,           "--listen takes ADDRESS:PORT, where ADDRESS is an IP address of this machine that clients can reach, not 'name:3003'.\n" },
                { NULL,          "https://h:1",  "--master takes http://ADDRESS:PORT, but 'https://h:1' *.\n" },
                { NULL,          "http://h:1/x", "--master takes http://ADDRESS:PORT, but 'http://h:1/x' *.\n" },
                { NULL,          "",             "--master takes http://ADDRESS:PORT, but '' *.\n" },
        };
        /* clang-format on */

        for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
                VolumePlace place = {};
                Capture capture;
                char *said;
                int r;

                capture_begin(&capture, STDERR_FILENO, stderr);
                r = volume_place_find(NULL, 4, table[i].listen, table[i].master, &place);
                said = capture_end(&capture, stderr);
                assert_int_equal(r, EXIT_USAGE);
                assert_matches(said, table[i].said);
                free(said);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(place_follows_from_what_is_there),
                cmocka_unit_test(nobody_is_asked_without_a_bus),
                cmocka_unit_test(volumes_of_a_machine_are_alike),
                cmocka_unit_test(volume_of_the_least_number_is_followed),
                cmocka_unit_test(what_is_no_volume_is_not_followed),
                cmocka_unit_test(complaint_says_what_is_wrong_with_an_address),
        };

        has_etc = own_etc_enter();
        return verb_run_tests(tests);
}
