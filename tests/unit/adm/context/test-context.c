/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "adm/verb.h"

#include <errno.h>
#include <unistd.h>

#include "adm/context/context.h"
#include "frame/capture.h"

TEST(master_that_is_not_there_is_no_riddle) {
        static const char *const verbs[] = {
                "locate k",    "damage",          "config",
                "job list",    "job show 4",      "job pause 4",
                "volume list", "rebalance --yes", "volume set 1 --weight=2"
        };

        stand_in_leave();
        for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++) {
                char *out, *err;

                assert_int_equal(verb_run(verbs[i], NULL, &out, &err), 1);
                assert_string_equal(out, "");
                assert_matches(err,
                               "Failed to *: The master is not running.\nIf it belongs here: systemctl start "
                               "dkv-master.socket dkv-master. If it is on another machine: dkvadm -H HOST ...\n");
                free(out);
                free(err);
        }
}

TEST(bus_that_is_not_there_is_named) {
        char *out, *err;

        assert_int_equal(verb_run("damage", "unix:path=/nowhere/bus", &out, &err), 1);
        assert_matches(err,
                       "Failed to *: The bus at 'unix:path=/nowhere/bus' cannot be reached*.\n*");
        free(out);
        free(err);
        assert_int_equal(verb_run("damage --sandbox=/nowhere", NULL, &out, &err), 1);
        assert_string_equal(
                        err,
                        "Failed to connect: The bus of the sandbox '/nowhere' cannot be reached: No such "
                        "file or directory.\nIs it running? dkv-sandbox start /nowhere\n");
        free(out);
        free(err);
}

/* What is said on stderr meanwhile; a new string. */
static char *complain_about(const Context *context, int error, const char *name, int *ret) {
        const sd_bus_error bus_error = { .name = name, .message = "It is so." };
        Capture capture;

        capture_begin(&capture, STDERR_FILENO, stderr);
        *ret = context_complain(
                        context, error, name ? &bus_error : NULL, "Failed to %s %d", "do", 7);
        return capture_end(&capture, stderr);
}

TEST(complaint_has_a_reason_and_advice_if_there_is_some) {
        /* clang-format off */
        static const struct {
                int error;
                const char *name, *said;
        } rows[] = {
                { -EBUSY, "org.dkv.Error.Busy",     "Failed to do 7: It is so.\n" },
                { EBUSY,  "org.dkv.Error.Busy",     "Failed to do 7: It is so.\n" },
                { -EBUSY, NULL,                     "Failed to do 7: Device or resource busy\n" },
                { -EBUSY, "org.dkv.Error.Internal", "Failed to do 7: It is so.\nSee what it is doing: *\n" },
                { -EBUSY, SD_BUS_ERROR_NO_REPLY,    "Failed to do 7: The master does not respond.\nSee what it is doing: *\n" },
        };
        /* clang-format on */
        Context context = { .connection.bus_address = stand_in_address() };

        assert_ok(context_connect(&context));
        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                char *said;
                int r;

                said = complain_about(&context, rows[i].error, rows[i].name, &r);
                assert_matches(said, rows[i].said);
                assert_int_equal(r, -EBUSY);
                free(said);
        }
        context_done(&context);
}

TEST(bus_is_opened_once) {
        Context context = { .connection.bus_address = stand_in_address() };
        sd_bus *bus;

        assert_ok(context_connect(&context));
        bus = context.connection.bus;
        assert_ok(context_connect(&context));
        assert_ptr_equal(context.connection.bus, bus);
        context_done(&context);
        assert_null(context.connection.bus);
        context_done(&context); /* once more does nothing */
}

TEST(files_of_this_machine_are_changed_here_and_by_root) {
        /* clang-format off */
        static const struct {
                Context context;
                int result; /* as root */
                const char *said;
        } rows[] = {
                { {}, 0, "" },
                { { .options.root = "/image" }, 0, "" },
                { { .connection.bus_address = "unix:path=/x" }, 0, "" },
                { { .connection.host = "h" }, EXIT_USAGE, "'frob' works on files of this machine and does not go with --host.\n" },
                { { .connection.machine = "m" }, EXIT_USAGE, "'frob' works on files of this machine and does not go with --machine.\n" },
                { { .connection.sandbox = "s", .options.root = "/image" }, EXIT_USAGE,
                  "'frob' works on files of this machine and does not go with --sandbox.\n" },
        };
        /* clang-format on */

        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                bool denied = geteuid() != 0 && rows[i].result == 0 &&
                              !rows[i].context.options.root;
                Capture capture;
                char *said;
                int r;

                capture_begin(&capture, STDERR_FILENO, stderr);
                r = context_check_local(&rows[i].context, "frob");
                said = capture_end(&capture, stderr);
                assert_int_equal(r, denied ? -EPERM : rows[i].result);
                assert_string_equal(
                                said, denied ? "Only root can do that.\nTry: sudo dkvadm frob\n"
                                             : rows[i].said);
                free(said);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(master_that_is_not_there_is_no_riddle),
                cmocka_unit_test(bus_that_is_not_there_is_named),
                cmocka_unit_test(complaint_has_a_reason_and_advice_if_there_is_some),
                cmocka_unit_test(bus_is_opened_once),
                cmocka_unit_test(files_of_this_machine_are_changed_here_and_by_root),
        };

        return verb_run_tests(tests);
}
