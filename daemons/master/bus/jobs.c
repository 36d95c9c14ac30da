/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "bus/bus.h"
#include "master/bus/jobs.h"
#include "master/job/job.h"
#include "master/master.h"

/* Between two signals about the same job. */
#define TELL_USEC (USEC_PER_SEC / 2)

typedef struct JobObject {
        MasterBus *bus;     /* not owned */
        JobStatus status;   /* as it was found last, which is what programs read */
        JobStatus told;     /* as signals have told it */
        uint64_t told_usec; /* monotonic */
} JobObject;

struct JobBus {
        MasterBus *bus;   /* not owned */
        JobObject **jobs; /* ordered by id */
        size_t n_jobs;
        sd_event_source *timer; /* tells what was held back */
};

/* What announces its changes. */
typedef struct Watched {
        const char *property;
        size_t offset, size;
        bool is_text;
} Watched;

#define STATUS(field) offsetof(JobObject, status.field)
#define SIZE(field)   offsetof(JobStatus, field), sizeof(((JobStatus *) NULL)->field)

/* clang-format off */
static const Watched watched[] = {
        { "State",          SIZE(state)            },
        { "KeysDone",       SIZE(keys_done)        },
        { "KeysTotal",      SIZE(keys_total)       },
        { "BytesDone",      SIZE(bytes_done)       },
        { "BytesTotal",     SIZE(bytes_total)      },
        { "BytesPerSecond", SIZE(bytes_per_second) },
        { "StartedAt",      SIZE(started_usec)     },
        { "EndedAt",        SIZE(ended_usec)       },
        { "Error",          SIZE(error), true      },
        { "Rate",           SIZE(limits.rate)      },
        { "Parallel",       SIZE(limits.parallel)  },
        { "LostKeys",       SIZE(lost_keys)        },
        { "WaitsUntil",     SIZE(waits_until_usec) },
};
/* clang-format on */

const char *job_bus_path(uint32_t id, char ret[static JOB_BUS_PATH_SIZE]) {
        if (id == 0)
                (void) snprintf(ret, JOB_BUS_PATH_SIZE, "/");
        else
                (void) snprintf(ret, JOB_BUS_PATH_SIZE, "%s/%" PRIu32, JOB_BUS_PATH, id);
        return ret;
}

/* Returns 0 for what is no path of a job: a number has one spelling. */
static uint32_t parse_path(const char *path) {
        size_t n = strlen(JOB_BUS_PATH "/");
        uint64_t id;

        if (strncmp(path, JOB_BUS_PATH "/", n) != 0 || path[n] == '0' ||
            parse_u64(path + n, UINT32_MAX, &id) < 0)
                return 0;
        return (uint32_t) id;
}

/* Where the job is, or where it would be. */
static size_t find_place(const JobBus *jobs, uint32_t id) {
        size_t from = 0, to = jobs->n_jobs;

        while (from < to) {
                size_t middle = from + (to - from) / 2;

                if (jobs->jobs[middle]->status.id < id)
                        from = middle + 1;
                else
                        to = middle;
        }
        return from;
}

static JobObject *find_object(const JobBus *jobs, uint32_t id) {
        size_t place = find_place(jobs, id);

        if (place == jobs->n_jobs || jobs->jobs[place]->status.id != id)
                return NULL;
        return jobs->jobs[place];
}

/* A job that is forgotten, or the end of all, leaves what was known. */
static void look_at(JobBus *jobs, JobObject *object) {
        const Master *master = jobs->bus->master;

        if (master->jobs)
                (void) job_get(master->jobs, object->status.id, &object->status);
}

int job_bus_find(
                sd_bus *bus,
                const char *path,
                const char *interface,
                void *userdata,
                void **ret_object,
                sd_bus_error *error) {
        const MasterBus *master_bus = userdata;
        uint32_t id = parse_path(path);
        JobObject *object;

        if (!master_bus->jobs || id == 0)
                return 0;
        object = find_object(master_bus->jobs, id);
        if (!object)
                return 0;

        look_at(master_bus->jobs, object);
        *ret_object = object;
        return 1;
}

static char **free_paths(char **paths) {
        for (size_t i = 0; paths && paths[i]; i++)
                free(paths[i]);
        free(paths);
        return NULL;
}
DEFINE_CLEANUP(char **, free_paths);

int job_bus_enumerate(
                sd_bus *bus,
                const char *prefix,
                void *userdata,
                char ***ret_paths,
                sd_bus_error *error) {
        const MasterBus *master_bus = userdata;
        const JobBus *jobs = master_bus->jobs;
        size_t n = jobs ? jobs->n_jobs : 0;
        _cleanup_(free_pathsp) char **paths = calloc(n + 1, sizeof(*paths));

        if (!paths)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                char path[JOB_BUS_PATH_SIZE];

                paths[i] = strdup(job_bus_path(jobs->jobs[i]->status.id, path));
                if (!paths[i])
                        return -ENOMEM;
        }

        *ret_paths = TAKE_PTR(paths);
        return 0;
}

static bool differs(const Watched *what, const JobStatus *a, const JobStatus *b) {
        const char *in_a = (const char *) a + what->offset, *in_b = (const char *) b + what->offset;

        return what->is_text ? strcmp(in_a, in_b) != 0 : memcmp(in_a, in_b, what->size) != 0;
}

static int emit_new(sd_bus *connection, uint32_t id, const char *path) {
        int r;

        r = sd_bus_emit_object_added(connection, path);
        if (r < 0)
                return r;
        return sd_bus_emit_signal(
                        connection, MASTER_BUS_PATH, MASTER_BUS_INTERFACE, "JobNew", "uo", id,
                        path);
}

static int emit_removed(sd_bus *connection, const JobStatus *status, const char *path) {
        return sd_bus_emit_signal(
                        connection, MASTER_BUS_PATH, MASTER_BUS_INTERFACE, "JobRemoved", "uos",
                        status->id, path, job_state_to_string(status->state));
}

/* Tells in what the job differs from what was told last, and of its end. */
static int tell(JobBus *jobs, JobObject *object, uint64_t now) {
        sd_bus *connection = bus_server_bus(jobs->bus->server);
        JobStatus told = object->told;
        char *names[ELEMENTSOF(watched) + 1], path[JOB_BUS_PATH_SIZE];
        size_t n = 0;
        int r;

        for (size_t i = 0; i < ELEMENTSOF(watched); i++)
                if (differs(watched + i, &told, &object->status))
                        names[n++] = (char *) watched[i].property;
        names[n] = NULL;
        object->told = object->status;
        if (n == 0)
                return 0;
        object->told_usec = now;
        if (!connection)
                return 0;

        r = sd_bus_emit_properties_changed_strv(
                        connection, job_bus_path(told.id, path), JOB_BUS_INTERFACE, names);
        if (r < 0)
                return r;
        return !job_state_is_final(told.state) && job_state_is_final(object->told.state)
                               ? emit_removed(connection, &object->told, path)
                               : 0;
}

static void log_failure(int r) {
        if (r < 0)
                (void) log_debug_errno(r, "Failed to tell the bus of a job: %m");
}

/* Tells what is due, and has the timer come back for the rest. */
static void tell_all(JobBus *jobs) {
        uint64_t now = clock_monotonic(), next = UINT64_MAX;

        for (size_t i = 0; i < jobs->n_jobs; i++) {
                JobObject *object = jobs->jobs[i];
                uint64_t due = object->told_usec + TELL_USEC;

                if (memcmp(&object->told, &object->status, sizeof(object->told)) == 0)
                        continue;
                if (due <= now)
                        log_failure(tell(jobs, object, now));
                else
                        next = MIN(next, due);
        }

        (void) sd_event_source_set_time(jobs->timer, next);
        (void) sd_event_source_set_enabled(
                        jobs->timer, next < UINT64_MAX ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        tell_all(userdata);
        return 0;
}

/* That it is there, and, if it has ended already since the daemon's start, that as well. */
static int tell_new(JobBus *jobs, const JobStatus *status) {
        sd_bus *connection = bus_server_bus(jobs->bus->server);
        char path[JOB_BUS_PATH_SIZE];
        int r;

        if (!connection)
                return 0;

        r = emit_new(connection, status->id, job_bus_path(status->id, path));
        if (r < 0)
                return r;
        return job_state_is_final(status->state) && status->ended_usec >= jobs->bus->started_usec
                               ? emit_removed(connection, status, path)
                               : 0;
}

static int add_object(JobBus *jobs, uint32_t id) {
        size_t place = find_place(jobs, id);
        JobObject *object, **list;
        int r;

        list = reallocarray(jobs->jobs, jobs->n_jobs + 1, sizeof(*list));
        if (!list)
                return -ENOMEM;
        jobs->jobs = list;
        object = calloc(1, sizeof(*object));
        if (!object)
                return -ENOMEM;
        r = job_get(jobs->bus->master->jobs, id, &object->status);
        if (r < 0) {
                free(object);
                return r == -ENOENT ? 0 : r; /* forgotten, before it was seen */
        }

        object->bus = jobs->bus;
        object->told = object->status;
        object->told_usec = clock_monotonic();
        memmove(list + place + 1, list + place, (jobs->n_jobs - place) * sizeof(*list));
        list[place] = object;
        jobs->n_jobs++;
        return tell_new(jobs, &object->told);
}

static int remove_object(JobBus *jobs, uint32_t id) {
        sd_bus *connection = bus_server_bus(jobs->bus->server);
        size_t place = find_place(jobs, id);
        JobObject *object = find_object(jobs, id);
        char path[JOB_BUS_PATH_SIZE];
        int r = 0;

        if (!object)
                return 0;

        if (connection) /* which looks at the object once more */
                r = sd_bus_emit_object_removed(connection, job_bus_path(id, path));
        jobs->n_jobs--;
        memmove(jobs->jobs + place, jobs->jobs + place + 1,
                (jobs->n_jobs - place) * sizeof(*jobs->jobs));
        free(object);
        return r;
}

static void on_change(uint32_t id, JobChange change, void *userdata) {
        JobBus *jobs = userdata;
        JobObject *object = find_object(jobs, id);

        if (change == JOB_FORGOTTEN) {
                log_failure(remove_object(jobs, id));
                return;
        }
        if (!object) {
                log_failure(add_object(jobs, id));
                return;
        }

        look_at(jobs, object);
        tell_all(jobs);
}

void job_bus_add(JobBus *jobs, uint32_t id) {
        if (!find_object(jobs, id))
                log_failure(add_object(jobs, id));
}

/* The jobs of the last run are there before anybody can ask for them. */
static int load(JobBus *jobs, Jobs *source) {
        _cleanup_free_ JobStatus *list = NULL;
        size_t n;
        int r;

        r = jobs_list(source, &list, &n);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++) {
                r = add_object(jobs, list[i].id);
                if (r < 0)
                        return r;
        }

        jobs_set_observer(source, on_change, jobs);
        return 0;
}

int job_bus_new(MasterBus *bus, JobBus **ret) {
        _cleanup_(job_bus_freep) JobBus *jobs = NULL;
        Master *master = bus->master;
        int r;

        jobs = malloc(sizeof(*jobs));
        if (!jobs)
                return -ENOMEM;

        *jobs = (JobBus){ .bus = bus };
        r = sd_event_add_time(
                        master->event, &jobs->timer, CLOCK_MONOTONIC, UINT64_MAX,
                        USEC_PER_SEC / 100, on_timer, jobs);
        if (r < 0)
                return r;
        if (master->jobs) {
                r = load(jobs, master->jobs);
                if (r < 0)
                        return r;
        }

        *ret = TAKE_PTR(jobs);
        return 0;
}

JobBus *job_bus_free(JobBus *jobs) {
        if (!jobs)
                return NULL;

        (void) sd_event_source_disable_unref(jobs->timer);
        for (size_t i = 0; i < jobs->n_jobs; i++)
                free(jobs->jobs[i]);
        free(jobs->jobs);
        free(jobs);
        return NULL;
}

static int get_text(
                sd_bus *bus,
                const char *path,
                const char *interface,
                const char *property,
                sd_bus_message *reply,
                void *userdata,
                sd_bus_error *error) {
        const JobStatus *status = &((const JobObject *) userdata)->status;
        const struct {
                const char *property, *text;
        } table[] = {
                { "Type", job_type_to_string(status->type) },
                { "State", job_state_to_string(status->state) },
                { "Error", status->error },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                if (strcmp(table[i].property, property) == 0)
                        return sd_bus_message_append(reply, "s", table[i].text);
        return -ENOENT;
}

static int get_volumes(
                sd_bus *bus,
                const char *path,
                const char *interface,
                const char *property,
                sd_bus_message *reply,
                void *userdata,
                sd_bus_error *error) {
        const JobStatus *status = &((const JobObject *) userdata)->status;

        return sd_bus_message_append_array(
                        reply, 'u', status->numbers, status->n_numbers * sizeof(*status->numbers));
}

static int refuse(sd_bus_error *error, int r, uint32_t id) {
        switch (r) {
        case -ENOENT:
                return bus_fail(error, r, "There is no job %" PRIu32 " any more.", id);
        case -EBUSY:
                return bus_fail(error, r, "Job %" PRIu32 " has ended already.", id);
        case -EINVAL:
                return bus_fail(error, r, "A job makes from 1 to %d calls at a time.",
                                JOB_PARALLEL_MAX);
        default:
                return bus_fail(error, r, NULL);
        }
}

/* By the path: the object may have gone while the caller was asked for a password. */
static int act(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        /* clang-format off */
        static const struct {
                const char *member;
                int (*run)(Jobs *jobs, uint32_t id);
        } actions[] = {
                { "Pause",  job_pause  },
                { "Resume", job_resume },
                { "Cancel", job_cancel },
                {}
        };
        /* clang-format on */
        const Master *master = ((const MasterBus *) userdata)->master;
        uint32_t id = parse_path(sd_bus_message_get_path(message));
        size_t i = 0;
        int r;

        while (strcmp(actions[i].member, sd_bus_message_get_member(message)) != 0)
                i++;
        r = master->jobs ? actions[i].run(master->jobs, id) : -ESHUTDOWN;
        return r < 0 ? refuse(error, r, id) : sd_bus_reply_method_return(message, "");
}

static int set_limits(Master *master, uint32_t id, BusOption options[static 3]) {
        JobStatus status;
        JobLimits limits;
        int r;

        if (!master->jobs)
                return -ESHUTDOWN;
        r = job_get(master->jobs, id, &status);
        if (r < 0)
                return r;

        limits = status.limits;
        if (options[0].is_set)
                limits.rate = *(const uint64_t *) options[0].value;
        if (options[1].is_set)
                limits.parallel = *(const uint32_t *) options[1].value;
        if (limits.parallel == 0 || limits.parallel > JOB_PARALLEL_MAX)
                return -EINVAL;
        return job_set_limits(master->jobs, id, &limits);
}

static int set(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const MasterBus *bus = userdata;
        uint32_t id = parse_path(sd_bus_message_get_path(message)), parallel = 0;
        uint64_t rate = 0;
        BusOption options[] = { { "rate", 't', &rate }, { "parallel", 'u', &parallel }, {} };
        int r;

        r = bus_read_options(message, options, error);
        if (r < 0)
                return r;
        r = set_limits(bus->master, id, options);
        return r < 0 ? refuse(error, r, id) : sd_bus_reply_method_return(message, "");
}

static int authorize(sd_bus_message *message, sd_bus_message_handler_t handler, void *userdata) {
        MasterBus *bus = ((JobObject *) userdata)->bus;

        return bus_authorize(&bus->authority, message, MASTER_BUS_ACTION, handler, bus);
}

static int method_act(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return authorize(message, act, userdata);
}

static int method_set(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return authorize(message, set, userdata);
}

/* As in the path of a URL: a key may have any bytes. */
static int on_key(const char *key, void *userdata) {
        char path[KEY_PATH_SIZE];

        (void) key_to_path(key, path);
        return MIN(sd_bus_message_append(userdata, "s", path + 1), 0);
}

static int method_get_lost_keys(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const JobObject *object = userdata;
        const Master *master = object->bus->master;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = sd_bus_message_new_method_return(message, &reply);
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(reply, 'a', "s");
        if (r < 0)
                return r;
        r = master->jobs ? job_lost_keys(master->jobs, object->status.id, on_key, reply)
                         : -ESHUTDOWN;
        if (r < 0)
                return refuse(error, r, object->status.id);
        r = sd_bus_message_close_container(reply);
        if (r < 0)
                return r;
        return sd_bus_message_send(reply);
}

#define CONST SD_BUS_VTABLE_PROPERTY_CONST
#define TELLS SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE
#define FREE  SD_BUS_VTABLE_UNPRIVILEGED /* for everybody to call */

/* clang-format off */
const sd_bus_vtable job_bus_vtable[] = {
        SD_BUS_VTABLE_START(0),

        SD_BUS_PROPERTY("Id",             "u",  NULL,        STATUS(id),               CONST),
        SD_BUS_PROPERTY("Type",           "s",  get_text,    0,                        CONST),
        SD_BUS_PROPERTY("State",          "s",  get_text,    0,                        TELLS),
        SD_BUS_PROPERTY("Volumes",        "au", get_volumes, 0,                        CONST),
        SD_BUS_PROPERTY("KeysDone",       "t",  NULL,        STATUS(keys_done),        TELLS),
        SD_BUS_PROPERTY("KeysTotal",      "t",  NULL,        STATUS(keys_total),       TELLS),
        SD_BUS_PROPERTY("BytesDone",      "t",  NULL,        STATUS(bytes_done),       TELLS),
        SD_BUS_PROPERTY("BytesTotal",     "t",  NULL,        STATUS(bytes_total),      TELLS),
        SD_BUS_PROPERTY("BytesPerSecond", "t",  NULL,        STATUS(bytes_per_second), TELLS),
        SD_BUS_PROPERTY("StartedAt",      "t",  NULL,        STATUS(started_usec),     TELLS),
        SD_BUS_PROPERTY("EndedAt",        "t",  NULL,        STATUS(ended_usec),       TELLS),
        SD_BUS_PROPERTY("StartedBy",      "u",  NULL,        STATUS(started_by),       CONST),
        SD_BUS_PROPERTY("Error",          "s",  get_text,    0,                        TELLS),
        SD_BUS_PROPERTY("Rate",           "t",  NULL,        STATUS(limits.rate),      TELLS),
        SD_BUS_PROPERTY("Parallel",       "u",  NULL,        STATUS(limits.parallel),  TELLS),
        SD_BUS_PROPERTY("LostKeys",       "t",  NULL,        STATUS(lost_keys),        TELLS),
        SD_BUS_PROPERTY("WaitsUntil",     "t",  NULL,        STATUS(waits_until_usec), TELLS),

        SD_BUS_METHOD("Pause",  NULL, NULL, method_act, FREE),
        SD_BUS_METHOD("Resume", NULL, NULL, method_act, FREE),
        SD_BUS_METHOD("Cancel", NULL, NULL, method_act, FREE),
        SD_BUS_METHOD_WITH_ARGS("Set",
                                SD_BUS_ARGS("a{sv}", limits), SD_BUS_NO_RESULT,
                                method_set, FREE),
        SD_BUS_METHOD_WITH_ARGS("GetLostKeys",
                                SD_BUS_NO_ARGS, SD_BUS_RESULT("as", keys),
                                method_get_lost_keys, FREE),

        SD_BUS_VTABLE_END,
};
/* clang-format on */
