/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "adm/verb.h"

#include <errno.h>

#include "adm/machine/units.h"
#include "bus/bus.h"
#include "frame/capture.h"

static char *const units[] = { (char *) "a.socket", (char *) "a.service", NULL };

/* clang-format off */
#define JOB(method, id, result) \
        { .member = method, .types = "o", .text = "/job/" id, .times = 1, .signal = "JobRemoved", \
          .signal_types = "uoss", .signal_text = "1 /job/" id " a.service " result }
#define NO_UNIT(method, name) { .member = method, .error = "org.freedesktop.systemd1." name, .text = "No." }
#define SUBSCRIBED { .member = "Subscribe" }

typedef struct Row {
        int (*call)(sd_bus *bus, char *const names[]);
        Answer answers[ANSWERS_MAX];
        int result;
        const char *calls;
} Row;

static const Row rows[] = {
        { units_start, { SUBSCRIBED, JOB("StartUnit", "1", "done"), JOB("StartUnit", "2", "done") }, 0,
          "Subscribe systemd1\nStartUnit systemd1 ss a.socket replace\nStartUnit systemd1 ss a.service replace\n" },
        { units_start, { SUBSCRIBED, JOB("StartUnit", "1", "done"), JOB("StartUnit", "2", "failed") }, -EIO, NULL },
        { units_start, { SUBSCRIBED, JOB("StartUnit", "1", "skipped"), JOB("StartUnit", "2", "done") }, 0, NULL },
        { units_start, { NO_UNIT("Subscribe", "AlreadySubscribed"), JOB("StartUnit", "1", "done"), JOB("StartUnit", "2", "done") }, 0, NULL },
        { units_start, { SUBSCRIBED, NO_UNIT("StartUnit", "NoSuchUnit") }, -1, "Subscribe*\nStartUnit*\n" },
        { units_start, { NO_UNIT("Subscribe", "Oops") }, -1, "Subscribe systemd1\n" },
        { units_start, { SUBSCRIBED, { .member = "StartUnit", .types = "s", .text = "x" } }, -1, NULL },
        { units_stop, { SUBSCRIBED, JOB("StopUnit", "1", "done"), JOB("StopUnit", "2", "done") }, 0,
          "Subscribe*\nStopUnit systemd1 ss a.socket replace\nStopUnit *\n" },
        /* What does not exist, or cannot be loaded, does not run. */
        { units_stop, { SUBSCRIBED, NO_UNIT("StopUnit", "NoSuchUnit") }, 0, NULL },
        { units_stop, { SUBSCRIBED, NO_UNIT("StopUnit", "LoadFailed") }, 0, NULL },
        { units_stop, { SUBSCRIBED, NO_UNIT("StopUnit", "BadUnitSetting") }, 0, NULL },
        { units_stop, { SUBSCRIBED, NO_UNIT("StopUnit", "Oops") }, -1, NULL },
        { units_enable, { { .member = "EnableUnitFiles" }, { .member = "Reload" } }, 0,
          "EnableUnitFiles systemd1 asbb 2 a.socket a.service 0 1\nReload systemd1\n" },
        { units_enable, { NO_UNIT("EnableUnitFiles", "Oops") }, -1, "EnableUnitFiles *\n" },
        { units_enable, { { .member = "EnableUnitFiles" }, NO_UNIT("Reload", "Oops") }, -1, NULL },
        { units_disable, { { .member = "DisableUnitFiles" }, { .member = "Reload" } }, 0,
          "DisableUnitFiles systemd1 asb 2 a.socket a.service 0\nReload systemd1\n" },
        { units_disable, { NO_UNIT("DisableUnitFiles", "Oops") }, -1, NULL },
        {}
};

typedef struct ComingRow {
        Answer answers[ANSWERS_MAX];
        bool coming;
} ComingRow;

#define UNIT { .member = "GetUnit", .types = "o", .text = "/org/freedesktop/systemd1/unit/a" }
#define STATE(state) { .member = "Get", .types = "v", .text = "s " state, .times = 1 }
#define QUEUED(id)   { .member = "Get", .types = "v", .text = "(uo) " id " /" }

static const ComingRow coming_rows[] = {
        { { UNIT, STATE("active") },                    true  },
        { { UNIT, STATE("reloading") },                 true  },
        { { UNIT, STATE("activating"), QUEUED("7") },   true  },
        { { UNIT, STATE("inactive"), QUEUED("7") },     true  },
        { { UNIT, STATE("activating"), QUEUED("0") },   false },
        { { UNIT, STATE("failed"), QUEUED("0") },       false },
        { { UNIT, STATE("inactive") },                  false },
        { { UNIT },                                     false },
        { { NO_UNIT("GetUnit", "NoSuchUnit") },         false },
};
/* clang-format on */

static sd_bus *connect_to_stand_in(void) {
        sd_bus *bus;

        assert_ok(bus_open(stand_in_address(), &bus));
        return bus;
}

TEST(orders_are_carried_out_or_told) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = connect_to_stand_in();

        for (const Row *row = rows; row->call; row++) {
                int r;

                stand_in_set(row->answers);
                r = row->call(bus, units);
                if (row->result == -1) /* whatever the bus says */
                        assert_true(r < 0);
                else
                        assert_int_equal(r, row->result);
                assert_matches(stand_in_calls(), row->calls ?: "*");
        }
}

TEST(unit_is_coming_if_it_runs_or_has_a_job) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = connect_to_stand_in();

        for (size_t i = 0; i < sizeof(coming_rows) / sizeof(*coming_rows); i++) {
                stand_in_set(coming_rows[i].answers);
                assert_int_equal(unit_is_coming(bus, "a.service"), coming_rows[i].coming);
        }
}

TEST(nothing_comes_without_systemd) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = connect_to_stand_in();

        stand_in_leave();
        assert_false(unit_is_coming(bus, "a.service"));
        assert_true(units_reload(bus) < 0);
        assert_true(units_start(bus, units) < 0);
}

/* What is said on stderr by an order that fails; a new string. */
static char *complaint_of(const Row *row) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = connect_to_stand_in();
        Capture capture;

        stand_in_set(row->answers);
        capture_begin(&capture, STDERR_FILENO, stderr);
        assert_true(row->call(bus, units) < 0);
        return capture_end(&capture, stderr);
}

TEST(failure_names_the_unit_and_what_was_ordered) {
        /* clang-format off */
        static const struct {
                Row row;
                const char *said;
        } table[] = {
                { { units_start, { SUBSCRIBED, JOB("StartUnit", "1", "done"), JOB("StartUnit", "2", "failed") } },
                  "Failed to start a.service.\nSee why: systemctl status a.service; journalctl -u a.service -n 20\n" },
                { { units_start, { SUBSCRIBED, JOB("StartUnit", "1", "timeout"), JOB("StartUnit", "2", "done") } },
                  "Failed to start a.socket.\nSee why: systemctl status a.socket; journalctl -u a.socket -n 20\n" },
                { { units_start, { SUBSCRIBED, JOB("StartUnit", "1", "dependency"), JOB("StartUnit", "2", "dependency") } },
                  "Failed to start a.socket.\nSee why: *\n" },
                { { units_start, { SUBSCRIBED, NO_UNIT("StartUnit", "NoSuchUnit") } }, "Failed to start a.socket: No.\n" },
                { { units_start, { NO_UNIT("Subscribe", "Oops") } }, "Failed to start a.socket: No.\n" },
                { { units_stop, { SUBSCRIBED, JOB("StopUnit", "1", "done"), JOB("StopUnit", "2", "canceled") } },
                  "Failed to stop a.service.\nSee why: *\n" },
                { { units_stop, { SUBSCRIBED, NO_UNIT("StopUnit", "Oops") } }, "Failed to stop a.socket: No.\n" },
                { { units_enable, { NO_UNIT("EnableUnitFiles", "Oops") } }, "Failed to enable a.socket: No.\n" },
                { { units_enable, { { .member = "EnableUnitFiles" }, NO_UNIT("Reload", "Oops") } }, "Failed to reload systemd: No.\n" },
                { { units_disable, { NO_UNIT("DisableUnitFiles", "Oops") } }, "Failed to disable a.socket: No.\n" },
        };
        /* clang-format on */

        for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
                char *said = complaint_of(&table[i].row);

                assert_matches(said, table[i].said);
                free(said);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(orders_are_carried_out_or_told),
                cmocka_unit_test(unit_is_coming_if_it_runs_or_has_a_job),
                cmocka_unit_test(nothing_comes_without_systemd),
                cmocka_unit_test(failure_names_the_unit_and_what_was_ordered),
        };

        return verb_run_tests(tests);
}
