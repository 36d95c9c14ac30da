/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "adm/verb.h"

#include <errno.h>

#include "adm/context/explanation.h"
#include "bus/bus.h"

static void check(
                const Connection *connection,
                int error,
                const char *name,
                const char *message,
                const char *reason,
                const char *advice) {
        const sd_bus_error bus_error = { .name = name, .message = message };
        Explanation explanation;

        assert_ok(explanation_init(&explanation, connection, error, name ? &bus_error : NULL));
        assert_string_equal(explanation.reason, reason);
        assert_matches(explanation.advice, advice);
        explanation_done(&explanation);
        assert_null(explanation.reason);
        assert_null(explanation.advice);
}

TEST(error_of_the_bus_is_a_sentence_with_advice) {
        /* clang-format off */
        static const struct {
                const char *name, *message, *reason, *advice, *in_sandbox;
        } rows[] = {
                { SD_BUS_ERROR_SERVICE_UNKNOWN,   "The name is not activatable", "The master is not running.",
                  "If it belongs here: systemctl start dkv-master.socket dkv-master. *", "Start it: dkv-sandbox start /s" },
                { SD_BUS_ERROR_NAME_HAS_NO_OWNER, "Name has no owner", "The master is not running.",
                  "If it belongs here: *", "Start it: dkv-sandbox start /s" },
                { SD_BUS_ERROR_NO_REPLY,          "Did not receive a reply.", "The master does not respond.",
                  "See what it is doing: systemctl status dkv-master; *", "See what it is doing: dkv-sandbox status /s, and its logs" },
                { SD_BUS_ERROR_TIMEOUT,           "Connection timed out", "The master does not respond.",
                  "See what it is doing: *", "See what it is doing: dkv-sandbox status /s, and its logs" },
                { SD_BUS_ERROR_ACCESS_DENIED,     "You may not.", "You may not.",
                  "Try sudo; or allow the polkit action org.dkv.manage-volumes, see dkvadm(8).", "Only the user who owns the sandbox may change it." },
                { SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED, "Who are you?", "Who are you?",
                  "Try sudo; *", "Only the user *" },
                { SD_BUS_ERROR_UNKNOWN_METHOD,    "Unknown method", "Unknown method", "dkvadm and the master are different releases: *",
                  "dkvadm and the master are different releases: *" },
                { SD_BUS_ERROR_UNKNOWN_INTERFACE, "Unknown interface", "Unknown interface", "dkvadm and the master are different *", "dkvadm and *" },
                { SD_BUS_ERROR_UNKNOWN_PROPERTY,  "Unknown property", "Unknown property", "dkvadm and the master are different *", "dkvadm and *" },
                { "org.dkv.Error.Conflict",       "It is epoch 9.", "It is epoch 9.", "See what has changed (dkvadm volume list), *", "See what has changed *" },
                { "org.dkv.Error.OutcomeUnknown", "Who knows.", "Who knows.", "See whether it was done *", "See whether it was done *" },
                { "org.dkv.Error.NoLeader",       "Nobody leads.", "Nobody leads.", "Try again in a moment; *", "Try again *" },
                { "org.dkv.Error.Internal",       "Internal error.", "Internal error.", "See what it is doing: systemctl *", "See what it is doing: dkv-sandbox *" },
                /* The sentences of others say it all. */
                { "org.dkv.Error.Invalid",        "The zone is odd.", "The zone is odd.", "", "" },
                { "org.dkv.Error.Busy",           "Job 3 runs.", "Job 3 runs.", "", "" },
                { "org.example.Novelty",          "New.", "New.", "", "" },
        };
        /* clang-format on */
        Connection here = {}, sandbox = { .sandbox = "/s" };

        assert_ok(bus_open(stand_in_address(), &here.bus));
        sandbox.bus = here.bus;
        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                check(&here, -EIO, rows[i].name, rows[i].message, rows[i].reason, rows[i].advice);
                check(&sandbox, -EIO, rows[i].name, rows[i].message, rows[i].reason,
                      rows[i].in_sandbox);
        }
        (void) sd_bus_flush_close_unref(here.bus);
}

TEST(error_without_words_is_told_by_its_number) {
        Connection here = {};

        assert_ok(bus_open(stand_in_address(), &here.bus));
        check(&here, -ENOSPC, NULL, NULL, "No space left on device", "");
        check(&here, ENOSPC, NULL, NULL, "No space left on device", "");
        check(&here, -ENOSPC, "org.example.Mute", NULL, "No space left on device", "");
        (void) sd_bus_flush_close_unref(here.bus);
}

TEST(bus_that_cannot_be_reached_is_named) {
        /* clang-format off */
        static const struct {
                Connection connection;
                const char *reason, *advice;
        } rows[] = {
                { {}, "The system bus cannot be reached: Connection refused.", "Is it running? systemctl status dbus.socket. *" },
                { { .host = "me@h" }, "The bus of 'me@h' cannot be reached over ssh: Connection refused.",
                  "Does this work? ssh me@h busctl status org.dkv.Master1" },
                { { .machine = "box" }, "The bus of the container 'box' cannot be reached: Connection refused.", "Is it running? machinectl status box" },
                { { .sandbox = "/tmp/s" }, "The bus of the sandbox '/tmp/s' cannot be reached: Connection refused.", "Is it running? dkv-sandbox start /tmp/s" },
                { { .bus_address = "unix:path=/b" }, "The bus at 'unix:path=/b' cannot be reached: Connection refused.", "" },
        };
        /* clang-format on */

        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
                check(&rows[i].connection, -ECONNREFUSED, NULL, NULL, rows[i].reason,
                      rows[i].advice);
}

TEST(connection_that_broke_hides_the_state_of_the_daemons) {
        /* Whatever the error says: nobody knows whether the master runs. */
        Connection lost = { .sandbox = "/s" };

        assert_ok(bus_open(stand_in_address(), &lost.bus));
        sd_bus_close(lost.bus);
        check(&lost, -ECONNRESET, SD_BUS_ERROR_NO_REPLY, "Gone.",
              "The bus of the sandbox '/s' cannot be reached.",
              "Is it running? dkv-sandbox start /s");
        (void) sd_bus_unref(lost.bus);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(error_of_the_bus_is_a_sentence_with_advice),
                cmocka_unit_test(error_without_words_is_told_by_its_number),
                cmocka_unit_test(bus_that_cannot_be_reached_is_named),
                cmocka_unit_test(connection_that_broke_hides_the_state_of_the_daemons),
        };

        return verb_run_tests(tests);
}
