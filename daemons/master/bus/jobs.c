/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "bus/bus.h"
#include "bus/property.h"
#include "core/key.h"
#include "master/bus/jobs.h"
#include "master/bus/names.h"

/* Between two signals about the same job. */
#define TELL_USEC (USEC_PER_SEC / 2)

/* clang-format off */
static const BusWatched watched[] = {
        BUS_WATCHED("State",          JobStatus, state),
        BUS_WATCHED("KeysDone",       JobStatus, keys_done),
        BUS_WATCHED("KeysTotal",      JobStatus, keys_total),
        BUS_WATCHED("BytesDone",      JobStatus, bytes_done),
        BUS_WATCHED("BytesTotal",     JobStatus, bytes_total),
        BUS_WATCHED("BytesPerSecond", JobStatus, bytes_per_second),
        BUS_WATCHED("StartedAt",      JobStatus, started_usec),
        BUS_WATCHED("EndedAt",        JobStatus, ended_usec),
        BUS_WATCHED_TEXT("Error",     JobStatus, error),
        BUS_WATCHED("Rate",           JobStatus, limits.rate),
        BUS_WATCHED("Parallel",       JobStatus, limits.parallel),
        BUS_WATCHED("LostKeys",       JobStatus, lost_keys),
        BUS_WATCHED("WaitsUntil",     JobStatus, waits_until_usec),
        {}
};
/* clang-format on */

/* Of a job that is forgotten what was known stays. */
static void look(uint32_t id, void *state, void *userdata) {
        const JobsBus *bus = userdata;

        (void) job_get(bus->jobs, id, state);
}

static int emit_removed(sd_bus *connection, const char *path, const JobStatus *status) {
        return sd_bus_emit_signal(
                        connection, MASTER_BUS_PATH, MASTER_BUS_INTERFACE, "JobRemoved", "uos",
                        status->id, path, job_state_to_string(status->state));
}

/* Also announces its end, if it has ended already since the daemon started. */
static int on_added(sd_bus *connection, const char *path, const void *state, void *userdata) {
        const JobsBus *bus = userdata;
        const JobStatus *status = state;
        int r;

        r = sd_bus_emit_signal(
                        connection, MASTER_BUS_PATH, MASTER_BUS_INTERFACE, "JobNew", "uo",
                        status->id, path);
        if (r < 0)
                return r;
        return job_state_is_final(status->state) && status->ended_usec >= bus->started_usec
                               ? emit_removed(connection, path, status)
                               : 0;
}

static int on_told(
                sd_bus *connection,
                const char *path,
                const void *before,
                const void *state,
                void *userdata) {
        const JobStatus *then = before, *now = state;

        return !job_state_is_final(then->state) && job_state_is_final(now->state)
                               ? emit_removed(connection, path, now)
                               : 0;
}

static void log_failure(int r) {
        if (r < 0)
                (void) log_debug_errno(r, "Failed to announce a job on the bus: %m");
}

/* Brings the object up to date; makes it if there is none. */
static int refresh(JobsBus *bus, uint32_t id) {
        JobStatus status;
        int r;

        r = job_get(bus->jobs, id, &status);
        if (r < 0)
                return r == -ENOENT ? 0 : r; /* already forgotten */
        return bus_family_set(bus->family, id, &status);
}

static void on_change(uint32_t id, JobChange change, void *userdata) {
        JobsBus *bus = userdata;

        log_failure(change == JOB_FORGOTTEN ? bus_family_remove(bus->family, id)
                                            : refresh(bus, id));
}

void jobs_bus_add(JobsBus *bus, uint32_t id) {
        if (!bus->calls->is_ending && !bus_family_find(bus->family, id))
                log_failure(refresh(bus, id));
}

/* All jobs, as they are now. */
static int load(JobsBus *bus) {
        _cleanup_free_ JobStatus *list = NULL;
        size_t n;
        int r;

        r = jobs_list(bus->jobs, &list, &n);
        for (size_t i = 0; r >= 0 && i < n; i++)
                r = bus_family_set(bus->family, list[i].id, list + i);
        return r;
}

int jobs_bus_start(JobsBus *bus, sd_event *event) {
        static const BusFamilyOptions options = {
                .path = JOBS_BUS_PATH,
                .interface = JOBS_BUS_INTERFACE,
                .state_size = sizeof(JobStatus),
                .watched = watched,
                .interval_usec = TELL_USEC,
                .on_added = on_added,
                .on_told = on_told,
                .look = look,
        };
        BusFamilyOptions own = options;
        int r;

        own.userdata = bus;
        r = bus_family_new(bus->calls->server, event, &own, &bus->family);
        if (r >= 0)
                r = load(bus);
        if (r < 0)
                return r;

        jobs_set_observer(bus->jobs, on_change, bus);
        return 0;
}

void jobs_bus_stop(JobsBus *bus) {
        jobs_set_observer(bus->jobs, NULL, NULL);
        log_failure(load(bus));
        log_failure(bus_family_flush(bus->family));
}

void jobs_bus_done(JobsBus *bus) {
        bus->family = bus_family_free(bus->family);
}

/* A job is named by the path: its object may have gone while the caller was asked for a password.
 */
static uint32_t id_of(sd_bus_message *message) {
        return bus_path_parse(JOBS_BUS_PATH, sd_bus_message_get_path(message));
}

static int control(
                sd_bus_message *message,
                JobsBus *bus,
                int (*function)(Jobs *jobs, uint32_t id),
                sd_bus_error *error) {
        uint32_t id = id_of(message);
        int r;

        r = function(bus->jobs, id);
        return r < 0 ? refuse(bus->reasons, ASKED_JOB, r, id, error)
                     : sd_bus_reply_method_return(message, "");
}

static int pause_job(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return control(message, userdata, job_pause, error);
}

static int resume_job(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return control(message, userdata, job_resume, error);
}

static int cancel_job(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return control(message, userdata, job_cancel, error);
}

static int set_job(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        JobsBus *bus = userdata;
        uint32_t id = id_of(message);
        JobStatus status;
        int r;

        r = job_get(bus->jobs, id, &status);
        if (r < 0)
                return refuse(bus->reasons, ASKED_JOB, r, id, error);
        r = bus_read_options(
                        message,
                        (BusOption[]){
                                        { "rate", 't', &status.limits.rate },
                                        { "parallel", 'u', &status.limits.parallel },
                                        {},
                        },
                        error);
        if (r < 0)
                return r;

        r = status.limits.parallel >= 1 && status.limits.parallel <= JOB_PARALLEL_MAX
                            ? job_set_limits(bus->jobs, id, &status.limits)
                            : -EINVAL;
        return r < 0 ? refuse(bus->reasons, ASKED_JOB, r, id, error)
                     : sd_bus_reply_method_return(message, "");
}

static int authorize(sd_bus_message *message, sd_bus_message_handler_t handler, void *userdata) {
        JobsBus *bus = ((BusMember *) userdata)->userdata;

        return bus_calls_authorize(bus->calls, message, handler, bus);
}

static int method_pause(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return authorize(message, pause_job, userdata);
}

static int method_resume(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return authorize(message, resume_job, userdata);
}

static int method_cancel(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return authorize(message, cancel_job, userdata);
}

static int method_set(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return authorize(message, set_job, userdata);
}

/* As in the path of a URL: a key may have any bytes. */
static int on_key(const char *key, void *userdata) {
        BusWriter *reply = userdata;
        char path[KEY_PATH_SIZE];

        (void) key_to_path(key, path);
        bus_writer_put(reply, "s", path + 1);
        return bus_writer_error(reply);
}

static int method_get_lost_keys(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        _cleanup_(bus_writer_done) BusWriter reply = bus_writer_reply(message);
        const BusMember *member = userdata;
        JobsBus *bus = member->userdata;
        int r;

        bus_writer_open(&reply, 'a', "s");
        r = job_lost_keys(bus->jobs, member->number, on_key, &reply);
        if (r < 0)
                return refuse(bus->reasons, ASKED_JOB, r, member->number, error);
        bus_writer_close(&reply);
        return bus_writer_send(&reply);
}

#define STATUS(object) ((const JobStatus *) (object)->state)

BUS_DEFINE_GETTER(get_type, "s", BusMember, job_type_to_string(STATUS(object)->type))
BUS_DEFINE_GETTER(get_state, "s", BusMember, job_state_to_string(STATUS(object)->state))

static int append_volumes(const BusMember *object, sd_bus_message *reply) {
        const JobStatus *status = STATUS(object);

        return sd_bus_message_append_array(
                        reply, 'u', status->numbers, status->n_numbers * sizeof(*status->numbers));
}
BUS_DEFINE_LONG_GETTER(get_volumes, BusMember, append_volumes)

#define AT(field) BUS_STATE(JobStatus, field)

/* clang-format off */
const sd_bus_vtable jobs_bus_vtable[] = {
        SD_BUS_VTABLE_START(0),

        SD_BUS_PROPERTY("Id",             "u",  NULL,         AT(id),               BUS_CONST),
        SD_BUS_PROPERTY("Type",           "s",  get_type,     0,                    BUS_CONST),
        SD_BUS_PROPERTY("State",          "s",  get_state,    0,                    BUS_TELLS),
        SD_BUS_PROPERTY("Volumes",        "au", get_volumes,  0,                    BUS_CONST),
        SD_BUS_PROPERTY("KeysDone",       "t",  NULL,         AT(keys_done),        BUS_TELLS),
        SD_BUS_PROPERTY("KeysTotal",      "t",  NULL,         AT(keys_total),       BUS_TELLS),
        SD_BUS_PROPERTY("BytesDone",      "t",  NULL,         AT(bytes_done),       BUS_TELLS),
        SD_BUS_PROPERTY("BytesTotal",     "t",  NULL,         AT(bytes_total),      BUS_TELLS),
        SD_BUS_PROPERTY("BytesPerSecond", "t",  NULL,         AT(bytes_per_second), BUS_TELLS),
        SD_BUS_PROPERTY("StartedAt",      "t",  NULL,         AT(started_usec),     BUS_TELLS),
        SD_BUS_PROPERTY("EndedAt",        "t",  NULL,         AT(ended_usec),       BUS_TELLS),
        SD_BUS_PROPERTY("StartedBy",      "u",  NULL,         AT(started_by),       BUS_CONST),
        SD_BUS_PROPERTY("Error",          "s",  bus_get_text, AT(error),            BUS_TELLS),
        SD_BUS_PROPERTY("Rate",           "t",  NULL,         AT(limits.rate),      BUS_TELLS),
        SD_BUS_PROPERTY("Parallel",       "u",  NULL,         AT(limits.parallel),  BUS_TELLS),
        SD_BUS_PROPERTY("LostKeys",       "t",  NULL,         AT(lost_keys),        BUS_TELLS),
        SD_BUS_PROPERTY("WaitsUntil",     "t",  NULL,         AT(waits_until_usec), BUS_TELLS),

        SD_BUS_METHOD("Pause",  NULL, NULL, method_pause,  BUS_FOR_ALL),
        SD_BUS_METHOD("Resume", NULL, NULL, method_resume, BUS_FOR_ALL),
        SD_BUS_METHOD("Cancel", NULL, NULL, method_cancel, BUS_FOR_ALL),
        SD_BUS_METHOD_WITH_ARGS("Set",
                                SD_BUS_ARGS("a{sv}", limits), SD_BUS_NO_RESULT,
                                method_set, BUS_FOR_ALL),
        SD_BUS_METHOD_WITH_ARGS("GetLostKeys",
                                SD_BUS_NO_ARGS, SD_BUS_RESULT("as", keys),
                                method_get_lost_keys, BUS_FOR_ALL),

        SD_BUS_VTABLE_END,
};
/* clang-format on */
