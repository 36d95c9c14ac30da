/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "adm/machine/units.h"
#include "base/macro.h"
#include "frame/complaint.h"

#define SYSTEMD_NAME      "org.freedesktop.systemd1"
#define SYSTEMD_PATH      "/org/freedesktop/systemd1"
#define SYSTEMD_INTERFACE "org.freedesktop.systemd1.Manager"
#define UNIT_INTERFACE    "org.freedesktop.systemd1.Unit"

/* systemd carries out each order as a job, and reports by a signal how the job ended. */
typedef struct Job {
        const char *unit;
        char *path; /* owned */
        bool ended;
        bool failed;
} Job;

typedef struct Jobs {
        sd_bus *bus;      /* not owned */
        const char *what; /* "start" or "stop" */
        Job jobs[UNITS_MAX];
        size_t n;
} Jobs;

static void jobs_done(Jobs *jobs) {
        for (size_t i = 0; i < jobs->n; i++)
                free(jobs->jobs[i].path);
}

static int complain_bus(
                int error, const sd_bus_error *bus_error, const char *what, const char *unit) {
        return complain(error, "Failed to %s %s: %s", what, unit,
                        bus_error->message ?: strerror(abs(error)));
}

static int on_job_removed(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Jobs *jobs = userdata;
        const char *path, *unit, *result;
        uint32_t id;

        if (sd_bus_message_read(message, "uoss", &id, &path, &unit, &result) < 0)
                return 0; /* not what systemd sends */

        for (size_t i = 0; i < jobs->n; i++) {
                Job *job = jobs->jobs + i;

                if (strcmp(job->path, path) != 0)
                        continue;
                job->ended = true;
                job->failed = strcmp(result, "done") != 0 && strcmp(result, "skipped") != 0;
        }
        return 0;
}

/* Without this, systemd sends no signals. */
static int subscribe(Jobs *jobs, sd_bus_error *reterr_error) {
        int r;

        r = sd_bus_call_method(
                        jobs->bus, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_INTERFACE, "Subscribe",
                        reterr_error, NULL, NULL);
        if (!sd_bus_error_has_name(reterr_error, "org.freedesktop.systemd1.AlreadySubscribed"))
                return r;

        sd_bus_error_free(reterr_error);
        return 0;
}

/* A unit that systemd cannot load is not running. */
static bool is_stopped_anyway(const Jobs *jobs, const sd_bus_error *error) {
        return strcmp(jobs->what, "stop") == 0 &&
               (sd_bus_error_has_name(error, "org.freedesktop.systemd1.NoSuchUnit") ||
                sd_bus_error_has_name(error, "org.freedesktop.systemd1.LoadFailed") ||
                sd_bus_error_has_name(error, "org.freedesktop.systemd1.BadUnitSetting"));
}

static int begin(Jobs *jobs, const char *method, char *const names[]) {
        for (; *names; names++) {
                _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
                const char *path;
                int r;

                r = sd_bus_call_method(
                                jobs->bus, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_INTERFACE, method,
                                &error, &reply, "ss", *names, "replace");
                if (r < 0 && is_stopped_anyway(jobs, &error))
                        continue;
                if (r >= 0)
                        r = sd_bus_message_read(reply, "o", &path);
                if (r < 0)
                        return complain_bus(r, &error, jobs->what, *names);

                assert(jobs->n < UNITS_MAX);
                jobs->jobs[jobs->n] = (Job){ .unit = *names, .path = strdup(path) };
                if (!jobs->jobs[jobs->n].path)
                        return complain(-ENOMEM, "Failed to %s %s: %m", jobs->what, *names);
                jobs->n++;
        }

        return 0;
}

static bool have_ended(const Jobs *jobs) {
        for (size_t i = 0; i < jobs->n; i++)
                if (!jobs->jobs[i].ended)
                        return false;

        return true;
}

/* There is no time limit here: systemd has one for each unit. */
static int wait_for(const Jobs *jobs) {
        while (!have_ended(jobs)) {
                int r;

                r = sd_bus_process(jobs->bus, NULL);
                if (r == 0)
                        r = sd_bus_wait(jobs->bus, UINT64_MAX);
                if (r < 0 && r != -EINTR)
                        return complain(r, "Lost the connection to systemd: %m");
        }

        return 0;
}

static int run(sd_bus *bus, const char *method, const char *what, char *const names[]) {
        _cleanup_(sd_bus_slot_unrefp) sd_bus_slot *slot = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(jobs_done) Jobs jobs = { .bus = bus, .what = what };
        int r;

        r = sd_bus_match_signal(
                        bus, &slot, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_INTERFACE, "JobRemoved",
                        on_job_removed, &jobs);
        if (r >= 0)
                r = subscribe(&jobs, &error);
        if (r < 0)
                return complain_bus(r, &error, what, names[0]);

        r = begin(&jobs, method, names);
        if (r < 0)
                return r;
        r = wait_for(&jobs);
        if (r < 0)
                return r;

        for (size_t i = 0; i < jobs.n; i++)
                if (jobs.jobs[i].failed) {
                        (void) complain(-EIO, "Failed to %s %s.", what, jobs.jobs[i].unit);
                        advise("See why: systemctl status %s; journalctl -u %s -n 20",
                               jobs.jobs[i].unit, jobs.jobs[i].unit);
                        return -EIO;
                }
        return 0;
}

static int new_files_call(
                sd_bus *bus, const char *method, char *const names[], sd_bus_message **ret) {
        int r;

        r = sd_bus_message_new_method_call(
                        bus, ret, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_INTERFACE, method);
        if (r < 0)
                return r;
        return sd_bus_message_append_strv(*ret, (char **) names);
}

bool unit_is_coming(sd_bus *bus, const char *unit) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL, *job = NULL;
        _cleanup_free_ char *state = NULL;
        const char *path;
        uint32_t id = 0;

        if (sd_bus_call_method(
                            bus, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_INTERFACE, "GetUnit", NULL,
                            &reply, "s", unit) < 0 ||
            sd_bus_message_read(reply, "o", &path) < 0 ||
            sd_bus_get_property_string(
                            bus, SYSTEMD_NAME, path, UNIT_INTERFACE, "ActiveState", NULL, &state) <
                            0)
                return false;

        /* A unit that keeps failing is also "activating" between two attempts, but is not
         * coming. */
        if (strcmp(state, "active") == 0 || strcmp(state, "reloading") == 0)
                return true;
        return sd_bus_get_property(
                               bus, SYSTEMD_NAME, path, UNIT_INTERFACE, "Job", NULL, &job,
                               "(uo)") >= 0 &&
               sd_bus_message_read(job, "(uo)", &id, &path) >= 0 && id > 0;
}

int units_reload(sd_bus *bus) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        r = sd_bus_call_method(
                        bus, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_INTERFACE, "Reload", &error, NULL,
                        NULL);
        return r < 0 ? complain_bus(r, &error, "reload", "systemd") : 0;
}

/* Sends CALL, which has been built if R is not negative, and makes systemd reload the unit
 * files. */
static int finish_files_call(
                sd_bus *bus, sd_bus_message *call, int r, const char *what, const char *unit) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;

        if (r >= 0)
                r = sd_bus_call(bus, call, 0, &error, NULL);
        if (r < 0)
                return complain_bus(r, &error, what, unit);

        return units_reload(bus);
}

int units_enable(sd_bus *bus, char *const names[]) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        int r;

        r = new_files_call(bus, "EnableUnitFiles", names, &call);
        if (r >= 0) /* permanently, replacing conflicting links */
                r = sd_bus_message_append(call, "bb", false, true);
        return finish_files_call(bus, call, r, "enable", names[0]);
}

int units_disable(sd_bus *bus, char *const names[]) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        int r;

        r = new_files_call(bus, "DisableUnitFiles", names, &call);
        if (r >= 0) /* permanently */
                r = sd_bus_message_append(call, "b", false);
        return finish_files_call(bus, call, r, "disable", names[0]);
}

int units_start(sd_bus *bus, char *const names[]) {
        return run(bus, "StartUnit", "start", names);
}

int units_stop(sd_bus *bus, char *const names[]) {
        return run(bus, "StopUnit", "stop", names);
}
