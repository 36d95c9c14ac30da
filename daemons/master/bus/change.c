/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "master/bus/change.h"
#include "master/bus/jobs.h"
#include "master/bus/lead.h"
#include "master/bus/reply.h"
#include "master/job/job.h"
#include "master/master.h"

/* What a method returns. */
typedef enum Returns {
        RETURNS_JOB,
        RETURNS_JOB_AND_EPOCH,
        RETURNS_EPOCH_AND_JOB,
} Returns;

/* One call, until it is answered. */
typedef struct Start {
        BusDeferred deferred;
        VolumesChange change;
        MasterBus *bus; /* not owned */
        sd_bus_message *message;
        Returns returns;
        JobRequest request;
        bool wants_job;

        int result;
        uint64_t epoch;
        uint32_t id;      /* 0 for none */
        uint32_t refused; /* the volume that a refusal is about, or 0 */

        size_t n_numbers;
        uint32_t numbers[];
} Start;

static Start *start_free(Start *start) {
        if (!start)
                return NULL;

        (void) sd_bus_message_unref(start->message);
        free(start);
        return NULL;
}
DEFINE_CLEANUP(Start *, start_free);

static int start_new(
                MasterBus *bus,
                sd_bus_message *message,
                Returns returns,
                const uint32_t numbers[],
                size_t n,
                Start **ret) {
        Start *start = calloc(1, sizeof(*start) + n * sizeof(*numbers));

        if (!start)
                return -ENOMEM;

        start->bus = bus;
        start->message = sd_bus_message_ref(message);
        start->returns = returns;
        start->wants_job = true;
        start->n_numbers = n;
        if (n > 0)
                memcpy(start->numbers, numbers, n * sizeof(*numbers));
        start->request = (JobRequest){
                .numbers = start->numbers,
                .n_numbers = MIN(n, (size_t) JOB_VOLUMES_MAX),
                .epoch = EPOCH_ANY,
                .started_by = bus->authority.uid,
        };
        *ret = start;
        return 0;
}

static bool has_number(const JobStatus *job, uint32_t number) {
        for (size_t i = 0; i < job->n_numbers; i++)
                if (job->numbers[i] == number)
                        return true;
        return false;
}

/* The job by which a volume is being drained: the last that is about it, unless it has let go of
 * it. 0 if there is none. */
static uint32_t find_drain_of(const JobStatus jobs[], size_t n, uint32_t number) {
        for (size_t i = n; i-- > 0;)
                if (jobs[i].type == JOB_DRAIN && has_number(jobs + i, number))
                        return jobs[i].state == JOB_DONE || jobs[i].state == JOB_CANCELLED
                                               ? 0
                                               : jobs[i].id;
        return 0;
}

/* If one of the volumes is being drained, says so and by which job. Returns an error that is told,
 * or 0. */
static int refuse_drained(
                MasterBus *bus, const uint32_t numbers[], size_t n, int r, sd_bus_error *error) {
        _cleanup_free_ JobStatus *jobs = NULL;
        size_t n_jobs = 0;

        if (!bus->master->jobs || jobs_list(bus->master->jobs, &jobs, &n_jobs) < 0)
                return 0;
        for (size_t i = 0; i < n; i++) {
                uint32_t id = find_drain_of(jobs, n_jobs, numbers[i]);

                if (id > 0)
                        return bus_fail(error, r,
                                        "Volume %" PRIu32 " is being drained by job %" PRIu32
                                        "; cancel that job first, or wait for its end.",
                                        numbers[i], id);
        }
        return 0;
}

/* Too few are active because some are being drained, perhaps. */
static int refuse_copies(MasterBus *bus, int r, sd_bus_error *error) {
        static const char sentence[] = "There are fewer active volumes than that many copies";
        _cleanup_free_ JobStatus *jobs = NULL;
        size_t n = 0;

        if (bus->master->jobs)
                (void) jobs_list(bus->master->jobs, &jobs, &n); /* without memory: just that */
        for (size_t i = n; i-- > 0;)
                if (jobs[i].type == JOB_DRAIN &&
                    find_drain_of(jobs, n, jobs[i].numbers[0]) == jobs[i].id)
                        return bus_fail(error, r,
                                        "%s; volume %" PRIu32 " is being drained by job %" PRIu32
                                        ".",
                                        sentence, jobs[i].numbers[0], jobs[i].id);
        return bus_fail(error, r, "%s.", sentence);
}

int elastic_bus_refuse(MasterBus *bus, int r, sd_bus_error *error) {
        switch (r) {
        case -EDQUOT:
                return refuse_copies(bus, r, error);
        case -ENOSPC:
                return bus_fail(error, r, "The master's disk is full.");
        default:
                return bus_fail(error, r, NULL);
        }
}

int elastic_bus_refuse_add(MasterBus *bus, int r, uint32_t number, sd_bus_error *error) {
        char why[LEAD_REASON_SIZE] = "";

        if (number > 0 && r == -ENOENT)
                lead_explain_stranger(bus->master->lead, number, why);
        if (*why)
                return bus_fail(error, -EEXIST, "%s", why);

        if (r == -EBUSY && refuse_drained(bus, &number, 1, r, error) < 0)
                return r;
        return bus_change_refuse(error, r, number);
}

int elastic_bus_refuse_delete(
                MasterBus *bus, int r, uint32_t number, size_t n, sd_bus_error *error) {
        char name[sizeof("Volume 4294967295")];
        const char *who = "One of the volumes";

        if (number > 0) {
                (void) snprintf(name, sizeof(name), "Volume %" PRIu32, number);
                who = name;
        }

        switch (r) {
        case -ENOENT:
                return bus_fail(error, r, "%s is not known to the master.", who);
        case -EBUSY:
                if (refuse_drained(bus, &number, 1, r, error) < 0)
                        return r;
                return bus_fail(error, r, "%s was removed already.", who);
        case -EDQUOT:
                return bus_fail(error, r,
                                "Without %s, fewer active volumes would be left than each value "
                                "has copies.",
                                n == 1 ? "it" : "them");
        case -ENOSPC:
                return bus_fail(error, r,
                                "The other volumes have less free space than what is to be moved.");
        default:
                return elastic_bus_refuse(bus, r, error);
        }
}

static int send_reply(const Start *start) {
        char path[JOB_BUS_PATH_SIZE];

        (void) job_bus_path(start->id, path);
        switch (start->returns) {
        case RETURNS_EPOCH_AND_JOB:
                return sd_bus_reply_method_return(start->message, "to", start->epoch, path);
        case RETURNS_JOB_AND_EPOCH:
                return sd_bus_reply_method_return(start->message, "ot", path, start->epoch);
        default:
                return sd_bus_reply_method_return(start->message, "o", path);
        }
}

static int send_error(const Start *start) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;

        if (start->request.type == JOB_DRAIN)
                (void) elastic_bus_refuse_delete(
                                start->bus, start->result, start->refused, start->n_numbers,
                                &error);
        else
                (void) elastic_bus_refuse(start->bus, start->result, &error);
        return sd_bus_reply_method_error(start->message, &error);
}

/* Whoever gets the reply and looks sees what it has changed. */
static void answer(Start *start) {
        int r;

        if (start->result >= 0) {
                master_bus_refresh(start->bus);
                if (start->id > 0 && start->bus->master->jobs)
                        job_bus_add(start->bus->jobs, start->id);
        }

        r = start->result >= 0 ? send_reply(start) : send_error(start);
        if (r < 0)
                (void) log_debug_errno(r, "Failed to reply to a change of the cluster: %m");
        (void) start_free(start);
}

/* On the loop. */
static void on_started(BusDeferred *deferred) {
        answer(CONTAINER_OF(deferred, Start, deferred));
}

/* On the committer. */
static void on_job(int result, uint32_t id, uint64_t epoch, void *userdata) {
        Start *start = userdata;

        start->result = result;
        if (result >= 0) {
                start->id = id;
                start->epoch = epoch;
        } else
                start->refused = id;
        start->deferred.run = on_started;
        bus_defer(start->bus->server, &start->deferred);
}

static int start_job(Start *start) {
        Jobs *jobs = start->bus->master->jobs;

        return jobs ? job_start(jobs, &start->request, on_job, start, &start->refused) : -ESHUTDOWN;
}

/* On the loop. The map's change stands, whatever becomes of the job; a master that ends knows only
 * the change. */
static void on_changed(BusDeferred *deferred) {
        Start *start = CONTAINER_OF(deferred, Start, deferred);
        int r;

        if (start->result < 0 || !start->wants_job || !start->bus->master->jobs) {
                answer(start);
                return;
        }

        r = start_job(start);
        if (r < 0) {
                start->result = r;
                answer(start);
        }
}

/* On the committer. */
static void on_map_changed(VolumesChange *change, int result) {
        Start *start = CONTAINER_OF(change, Start, change);

        start->result = result;
        start->epoch = change->epoch;
        start->refused = change->refused;
        start->deferred.run = on_changed;
        bus_defer(start->bus->server, &start->deferred);
}

/* Reads the a{sv}: what all of them take, and what OWN says. */
static int read_options(Start *start, const BusOption *own, sd_bus_error *error) {
        BusOption options[] = {
                { "epoch", 't', &start->request.epoch },
                { "rate", 't', &start->request.limits.rate },
                { "parallel", 'u', &start->request.limits.parallel },
                own ? *own : (BusOption){},
                {},
        };
        int r;

        r = bus_read_options(start->message, options, error);
        if (r < 0)
                return r;
        if (start->request.limits.parallel > JOB_PARALLEL_MAX ||
            (options[2].is_set && start->request.limits.parallel == 0))
                return bus_fail(error, -EINVAL, "A job makes from 1 to %d calls at a time.",
                                JOB_PARALLEL_MAX);
        return 0;
}

/* For the change of the map; the job comes after it. */
static VolumesChange *take_epoch(Start *start) {
        start->change = (VolumesChange){ .epoch = start->request.epoch, .done = on_map_changed };
        start->request.epoch = EPOCH_ANY;
        return &start->change;
}

static int read_numbers(
                sd_bus_message *message,
                const char *what,
                size_t max,
                sd_bus_error *error,
                const uint32_t **ret,
                size_t *ret_n) {
        const void *numbers;
        size_t size;
        int r;

        r = sd_bus_message_read_array(message, 'u', &numbers, &size);
        if (r < 0)
                return r;
        if (size == 0 || size / sizeof(uint32_t) > max)
                return bus_fail(error, -EINVAL, "Between 1 and %zu volumes can be %s.", max, what);

        *ret = numbers;
        *ret_n = size / sizeof(uint32_t);
        return 0;
}

static bool has_keys(const Master *master) {
        IndexCounters counters;

        index_counters(master->index, &counters);
        return counters.keys > 0;
}

static int add_volumes(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        MasterBus *bus = userdata;
        _cleanup_(start_freep) Start *start = NULL;
        const uint32_t *numbers = NULL;
        int rebalance = true, r;
        const BusOption own = { "rebalance", 'b', &rebalance };
        size_t n = 0;

        r = read_numbers(message, "added", VOLUME_MAX, error, &numbers, &n);
        if (r < 0)
                return r;
        r = start_new(bus, message, RETURNS_EPOCH_AND_JOB, numbers, n, &start);
        if (r < 0)
                return r;
        r = read_options(start, &own, error);
        if (r < 0)
                return r;

        start->wants_job = rebalance && has_keys(bus->master);
        r = volumes_add(bus->master->volumes, start->numbers, n, take_epoch(start));
        if (r < 0)
                return elastic_bus_refuse_add(bus, r, start->change.refused, error);

        TAKE_PTR(start);
        return 1;
}

static int delete_volumes(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        MasterBus *bus = userdata;
        _cleanup_(start_freep) Start *start = NULL;
        const uint32_t *numbers = NULL;
        int accept_loss = false, r;
        const BusOption own = { "accept-loss", 'b', &accept_loss };
        size_t n = 0;

        r = read_numbers(message, "deleted", JOB_VOLUMES_MAX, error, &numbers, &n);
        if (r < 0)
                return r;
        r = start_new(bus, message, RETURNS_JOB_AND_EPOCH, numbers, n, &start);
        if (r < 0)
                return r;
        r = read_options(start, &own, error);
        if (r < 0)
                return r;

        start->request.type = JOB_DRAIN;
        start->request.accept_loss = accept_loss;
        r = start_job(start);
        if (r < 0)
                return elastic_bus_refuse_delete(bus, r, start->refused, n, error);

        TAKE_PTR(start);
        return 1;
}

static int rebalance_all(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        MasterBus *bus = userdata;
        _cleanup_(start_freep) Start *start = NULL;
        int r;

        r = start_new(bus, message, RETURNS_JOB, NULL, 0, &start);
        if (r < 0)
                return r;
        r = read_options(start, NULL, error);
        if (r < 0)
                return r;
        if (start->request.epoch != EPOCH_ANY && start->request.epoch != bus->summary.epoch)
                return bus_fail(error, -EREMCHG, NULL);
        r = start_job(start);
        if (r < 0)
                return elastic_bus_refuse(bus, r, error);

        TAKE_PTR(start);
        return 1;
}

static int set_copies(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        MasterBus *bus = userdata;
        _cleanup_(start_freep) Start *start = NULL;
        uint32_t copies;
        int r;

        r = sd_bus_message_read(message, "u", &copies);
        if (r < 0)
                return r;
        if (copies > COPIES_MAX)
                return bus_fail(error, -EINVAL, "A value has from 1 to %d copies.", COPIES_MAX);
        r = start_new(bus, message, RETURNS_JOB, NULL, 0, &start);
        if (r < 0)
                return r;
        r = read_options(start, NULL, error);
        if (r < 0)
                return r;
        r = volumes_set_copies(bus->master->volumes, copies, take_epoch(start));
        if (r < 0)
                return elastic_bus_refuse(bus, r, error);

        TAKE_PTR(start);
        return 1;
}

static int authorize(
                sd_bus_message *message,
                MasterBus *bus,
                sd_bus_message_handler_t handler,
                sd_bus_error *error) {
        int r;

        r = lead_bus_check(bus, error);
        if (r < 0)
                return r;
        return bus_authorize(&bus->authority, message, MASTER_BUS_ACTION, handler, bus);
}

int elastic_bus_add_volumes(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return authorize(message, userdata, add_volumes, error);
}

int elastic_bus_delete_volumes(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return authorize(message, userdata, delete_volumes, error);
}

int elastic_bus_rebalance(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return authorize(message, userdata, rebalance_all, error);
}

int elastic_bus_set_copies(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return authorize(message, userdata, set_copies, error);
}
