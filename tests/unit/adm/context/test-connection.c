/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "adm/verb.h"

#include <errno.h>
#include <stdio.h>

#include "adm/context/connection.h"
#include "adm/context/explanation.h"
#include "adm/context/polkit-agent.h"
#include "adm/scratch.h"

TEST(sandbox_names_its_bus_in_a_file) {
        char root[SCRATCH_SIZE], line[512];
        Connection connection = { .sandbox = root };

        scratch_new(root);
        assert_int_equal(connection_open(&connection), -ENOENT);
        (void) snprintf(line, sizeof(line), "%s\nmore\n", stand_in_address());
        scratch_write(root, "bus", line);
        assert_ok(connection_open(&connection));
        assert_non_null(connection.bus);
        connection_done(&connection);
        assert_null(connection.bus);
        scratch_free(root);
}

TEST(connection_is_local_if_it_is_not_said_where) {
        assert_true(connection_is_local(&(Connection){}));
        assert_true(connection_is_local(&(Connection){ .asks = true }));
        assert_false(connection_is_local(&(Connection){ .host = "h" }));
        assert_false(connection_is_local(&(Connection){ .machine = "m" }));
        assert_false(connection_is_local(&(Connection){ .sandbox = "s" }));
        assert_false(connection_is_local(&(Connection){ .bus_address = "unix:path=/x" }));
}

TEST(lost_bus_is_dropped) {
        Connection connection = { .bus_address = stand_in_address() };

        connection_drop_if_lost(&connection); /* there is none yet */
        assert_ok(connection_open(&connection));
        assert_ok(sd_bus_get_unique_name(connection.bus, &(const char *){ NULL }));
        connection_drop_if_lost(&connection);
        assert_non_null(connection.bus);

        sd_bus_close(connection.bus);
        connection_drop_if_lost(&connection);
        assert_null(connection.bus);
        assert_ok(connection_open(&connection));
        connection_done(&connection);
}

/* clang-format off */
static const struct {
        const char *sandbox, *error, *message;
        const char *reason, *advice; /* patterns */
} rows[] = {
        { NULL, SD_BUS_ERROR_SERVICE_UNKNOWN,   "x",  "The master is not running.", "If it belongs here: systemctl start *" },
        { NULL, SD_BUS_ERROR_NAME_HAS_NO_OWNER, "x",  "The master is not running.", "*dkvadm -H HOST ..." },
        { "/s", SD_BUS_ERROR_SERVICE_UNKNOWN,   "x",  "The master is not running.", "Start it: dkv-sandbox start /s" },
        { NULL, SD_BUS_ERROR_NO_REPLY,          "x",  "The master does not respond.", "See what it is doing: systemctl status dkv-master;*" },
        { "/s", SD_BUS_ERROR_TIMEOUT,           "x",  "The master does not respond.", "See what it is doing: dkv-sandbox status /s, *" },
        { NULL, SD_BUS_ERROR_ACCESS_DENIED,     "No.", "No.", "Try sudo; *" },
        { "/s", SD_BUS_ERROR_ACCESS_DENIED,     "No.", "No.", "Only the user who owns the sandbox may change it." },
        { NULL, SD_BUS_ERROR_UNKNOWN_METHOD,    "What?", "What?", "dkvadm and the master are different releases: *" },
        { NULL, "org.dkv.Error.Conflict",       "Epoch 5.", "Epoch 5.", "See what has changed (dkvadm volume list),*" },
        { "/s", "org.dkv.Error.Conflict",       "Epoch 5.", "Epoch 5.", "See what has changed (dkvadm volume list),*" },
        { NULL, "org.dkv.Error.Internal",       "Oh.", "Oh.", "See what it is doing: *" },
        { NULL, "org.dkv.Error.Other",          "It is so.", "It is so.", "" },
        { NULL, NULL,                           NULL, "Permission denied", "" },
};
/* clang-format on */

TEST(errors_are_explained_with_advice) {
        Connection connection = { .bus_address = stand_in_address() };

        assert_ok(connection_open(&connection));
        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                const sd_bus_error error = { .name = rows[i].error, .message = rows[i].message };
                Explanation explanation;

                connection.sandbox = rows[i].sandbox;
                assert_ok(explanation_init(
                                &explanation, &connection, -EACCES, rows[i].error ? &error : NULL));
                assert_matches(explanation.reason, rows[i].reason);
                assert_matches(explanation.advice, rows[i].advice);
                explanation_done(&explanation);
        }
        connection_done(&connection);
}

TEST(bus_that_cannot_be_reached_is_named) {
        /* clang-format off */
        static const struct {
                Connection connection;
                const char *reason, *advice;
        } places[] = {
                { { .host = "far" },          "The bus of 'far' cannot be reached over ssh: Host is down.", "Does this work? ssh far busctl *" },
                { { .machine = "box" },       "The bus of the container 'box' cannot be reached: *",        "Is it running? machinectl status box" },
                { { .sandbox = "/s" },        "The bus of the sandbox '/s' cannot be reached: *",           "Is it running? dkv-sandbox start /s" },
                { { .bus_address = "unix:" }, "The bus at 'unix:' cannot be reached: *",                    "" },
                { {},                         "The system bus cannot be reached: *",                        "Is it running? systemctl status dbus.socket.*" },
        };
        /* clang-format on */

        for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
                Explanation explanation;

                assert_ok(explanation_init(&explanation, &places[i].connection, -EHOSTDOWN, NULL));
                assert_matches(explanation.reason, places[i].reason);
                assert_matches(explanation.advice, places[i].advice);
                explanation_done(&explanation);
        }
}

/* Under a test there is no terminal that a password could be typed on. */
TEST(agent_is_not_started_without_a_terminal) {
        polkit_agent_open();
        polkit_agent_close();
        polkit_agent_close();
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(sandbox_names_its_bus_in_a_file),
                cmocka_unit_test(connection_is_local_if_it_is_not_said_where),
                cmocka_unit_test(lost_bus_is_dropped),
                cmocka_unit_test(errors_are_explained_with_advice),
                cmocka_unit_test(bus_that_cannot_be_reached_is_named),
                cmocka_unit_test(agent_is_not_started_without_a_terminal),
        };

        return verb_run_tests(tests);
}
