/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "adm/verb.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "adm/context/connection.h"
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

TEST(sandbox_without_a_bus_is_told) {
        /* clang-format off */
        static const struct {
                const char *text;
                int error; /* 0: any */
        } rows[] = {
                { "",                           0 },
                { "\n",                         0 },
                { "unix:path=/nowhere/bus\n",   -ENOENT },
                { "nonsense\n",                 0 },
                { "tcp:host=\n",                0 },
        };
        /* clang-format on */
        char root[SCRATCH_SIZE];

        scratch_new(root);
        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                Connection connection = { .sandbox = root };
                int r;

                scratch_write(root, "bus", rows[i].text);
                r = connection_open(&connection);
                assert_true(r < 0);
                if (rows[i].error != 0)
                        assert_int_equal(r, rows[i].error);
                assert_null(connection.bus);
                connection_done(&connection); /* does nothing */
        }
        scratch_free(root);
}

TEST(file_that_is_too_long_is_no_address) {
        char root[SCRATCH_SIZE], *text = calloc(1, 5001);
        Connection connection = { .sandbox = root };

        memset(text, 'x', 5000);
        scratch_new(root);
        scratch_write(root, "bus", text);
        assert_true(connection_open(&connection) < 0);
        scratch_free(root);
        free(text);
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

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(sandbox_names_its_bus_in_a_file),
                cmocka_unit_test(sandbox_without_a_bus_is_told),
                cmocka_unit_test(file_that_is_too_long_is_no_address),
                cmocka_unit_test(connection_is_local_if_it_is_not_said_where),
                cmocka_unit_test(lost_bus_is_dropped),
        };

        return verb_run_tests(tests);
}
