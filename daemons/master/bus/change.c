/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "bus/bus.h"
#include "master/bus/change.h"
#include "master/bus/lead.h"
#include "master/bus/names.h"
#include "master/cluster/membership.h"
#include "master/cluster/volume-settings.h"

/* One call, until it is answered. */
typedef struct ChangeCall {
        BusCall call;
        ChangeBus *bus; /* not owned */
        Asked asked;
        VolumesChange change; /* of the map */
        JobRequest request;
        bool wants_job;

        int result;
        uint64_t epoch;
        uint32_t id;      /* of the job; 0 for none */
        uint32_t refused; /* the volume that a refusal is about, or 0 */

        size_t n_numbers;
        uint32_t numbers[];
} ChangeCall;

static ChangeCall *change_free(ChangeCall *change) {
        if (change)
                (void) bus_call_free(&change->call);
        return NULL;
}
DEFINE_CLEANUP(ChangeCall *, change_free);

static ChangeCall *change_of(BusCall *call) {
        return CONTAINER_OF(call, ChangeCall, call);
}

static int change_new(
                ChangeBus *bus,
                sd_bus_message *message,
                Asked asked,
                const uint32_t numbers[],
                size_t n,
                ChangeCall **ret) {
        ChangeCall *change = calloc(1, sizeof(*change) + n * sizeof(*numbers));

        if (!change)
                return -ENOMEM;

        bus_call_init(&change->call, bus->calls, message);
        change->bus = bus;
        change->asked = asked;
        change->wants_job = asked != ASKED_SETTINGS;
        change->n_numbers = n;
        if (n > 0)
                memcpy(change->numbers, numbers, n * sizeof(*numbers));
        change->request = (JobRequest){
                .type = asked == ASKED_DELETE ? JOB_DRAIN : JOB_REBALANCE,
                .numbers = change->numbers,
                .n_numbers = MIN(n, (size_t) JOB_VOLUMES_MAX),
                .epoch = EPOCH_ANY,
                .started_by = bus->calls->authority.uid,
        };
        *ret = change;
        return 0;
}

/* A caller who looks after the answer sees what has changed. */
static void succeed(ChangeCall *change) {
        _cleanup_(bus_writer_done) BusWriter reply = bus_writer_reply(change->call.message);
        char path[BUS_PATH_SIZE];

        change->call.calls->refresh(change->call.calls->userdata);
        if (change->id > 0)
                jobs_bus_add(change->bus->job_objects, change->id);
        bus_writer_put(&reply, "ot", bus_path_format(JOBS_BUS_PATH, change->id, path),
                       change->epoch);
        bus_call_reply(&change->call, &reply);
}

static void answer(ChangeCall *change) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;

        if (change->result >= 0) {
                succeed(change);
                return;
        }

        (void) refuse(change->bus->reasons, change->asked, change->result, change->refused, &error);
        bus_call_fail(&change->call, &error);
}

static void on_started(BusCall *call) {
        answer(change_of(call));
}

/* On the committer. */
static void on_job(int result, uint32_t number, uint64_t epoch, void *userdata) {
        ChangeCall *change = userdata;

        change->result = result;
        change->epoch = epoch;
        if (result >= 0)
                change->id = number;
        else
                change->refused = number;
        change->call.on_deferred = on_started;
        bus_call_defer(&change->call);
}

static int start_job(ChangeCall *change) {
        return job_start(change->bus->jobs, &change->request, on_job, change, &change->refused);
}

/* The change of the map stands, whatever becomes of the job. A master that ends starts no job. */
static void on_changed(BusCall *call) {
        ChangeCall *change = change_of(call);
        int r;

        if (change->result >= 0 && change->wants_job && !call->calls->is_ending) {
                r = start_job(change);
                if (r >= 0)
                        return; /* the committer may have written its result already */
                change->result = r;
        }
        answer(change);
}

/* On the committer. */
static void on_map_changed(VolumesChange *map_change, int result) {
        ChangeCall *change = CONTAINER_OF(map_change, ChangeCall, change);

        change->result = result;
        change->epoch = map_change->epoch;
        change->refused = map_change->refused;
        change->call.on_deferred = on_changed;
        bus_call_defer(&change->call);
}

/* The change of the map checks whether the epoch is the expected one; the job comes after it. */
static VolumesChange *map_change_of(ChangeCall *change) {
        change->change = (VolumesChange){ .epoch = change->request.epoch, .done = on_map_changed };
        change->request.epoch = EPOCH_ANY;
        return &change->change;
}

/* What a handler returns after it has begun with R. Takes the change over. */
static int begun(ChangeCall *change, int r, sd_bus_error *error) {
        _cleanup_(change_freep) ChangeCall *owned = change;

        if (r < 0)
                return refuse(change->bus->reasons, change->asked, r,
                              change->refused ?: change->change.refused, error);

        TAKE_PTR(owned);
        return 1;
}

/* From here on the committer may have it. */
static void start(ChangeCall *change) {
        change->call.on_deferred = on_started;
        bus_call_start(&change->call);
}

/* Reads the a{sv}: what all of them take, and what OWN says. */
static int read_options(ChangeCall *change, const BusOption *own, sd_bus_error *error) {
        JobLimits *limits = &change->request.limits;
        BusOption options[] = {
                { "epoch", 't', &change->request.epoch },
                { "rate", 't', &limits->rate },
                { "parallel", 'u', &limits->parallel },
                own ? *own : (BusOption){},
                {},
        };
        int r;

        r = bus_read_options(change->call.message, options, error);
        if (r < 0)
                return r;
        if (limits->parallel > JOB_PARALLEL_MAX || (options[2].is_set && limits->parallel == 0))
                return refuse(change->bus->reasons, ASKED_JOB, -EINVAL, 0, error);
        return 0;
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

static bool has_keys(const ChangeBus *bus) {
        IndexCounters counters;

        index_counters(bus->index, &counters);
        return counters.keys > 0;
}

static int add_volumes(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        ChangeBus *bus = userdata;
        _cleanup_(change_freep) ChangeCall *change = NULL;
        const uint32_t *numbers = NULL;
        int rebalance = true, r;
        const BusOption own = { "rebalance", 'b', &rebalance };
        size_t n = 0;

        r = read_numbers(message, "added", VOLUME_MAX, error, &numbers, &n);
        if (r < 0)
                return r;
        r = change_new(bus, message, ASKED_ADD, numbers, n, &change);
        if (r < 0)
                return r;
        r = read_options(change, &own, error);
        if (r < 0)
                return r;

        change->wants_job = rebalance && has_keys(bus);
        start(change);
        r = volumes_add(bus->volumes, change->numbers, n, map_change_of(change));
        return begun(TAKE_PTR(change), r, error);
}

static int delete_volumes(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        ChangeBus *bus = userdata;
        _cleanup_(change_freep) ChangeCall *change = NULL;
        const uint32_t *numbers = NULL;
        int accept_loss = false, r;
        const BusOption own = { "accept-loss", 'b', &accept_loss };
        size_t n = 0;

        r = read_numbers(message, "deleted", JOB_VOLUMES_MAX, error, &numbers, &n);
        if (r < 0)
                return r;
        r = change_new(bus, message, ASKED_DELETE, numbers, n, &change);
        if (r < 0)
                return r;
        r = read_options(change, &own, error);
        if (r < 0)
                return r;

        change->request.accept_loss = accept_loss;
        start(change);
        r = start_job(change);
        return begun(TAKE_PTR(change), r, error);
}

static int rebalance_all(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        ChangeBus *bus = userdata;
        _cleanup_(change_freep) ChangeCall *change = NULL;
        int r;

        r = change_new(bus, message, ASKED_REBALANCE, NULL, 0, &change);
        if (r < 0)
                return r;
        r = read_options(change, NULL, error);
        if (r < 0)
                return r;
        if (change->request.epoch != EPOCH_ANY && change->request.epoch != *bus->epoch)
                return refuse(bus->reasons, ASKED_REBALANCE, -EREMCHG, 0, error);

        start(change);
        r = start_job(change);
        return begun(TAKE_PTR(change), r, error);
}

static int set_copies(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        ChangeBus *bus = userdata;
        _cleanup_(change_freep) ChangeCall *change = NULL;
        uint32_t copies;
        int r;

        r = sd_bus_message_read(message, "u", &copies);
        if (r < 0)
                return r;
        if (copies > COPIES_MAX)
                return bus_fail(error, -EINVAL, "A value has from 1 to %d copies.", COPIES_MAX);
        r = change_new(bus, message, ASKED_COPIES, NULL, 0, &change);
        if (r < 0)
                return r;
        r = read_options(change, NULL, error);
        if (r < 0)
                return r;

        start(change);
        r = volumes_set_copies(bus->volumes, copies, map_change_of(change));
        return begun(TAKE_PTR(change), r, error);
}

/* The volume is named by the path: its object may have gone while the caller was asked for a
 * password. */
static int new_for_volume(ChangeBus *bus, sd_bus_message *message, ChangeCall **ret) {
        uint32_t number = bus_path_parse(VOLUMES_BUS_PATH, sd_bus_message_get_path(message));

        return change_new(bus, message, ASKED_SETTINGS, &number, 1, ret);
}

static int set_volume(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        ChangeBus *bus = userdata;
        _cleanup_(change_freep) ChangeCall *change = NULL;
        VolumeSettings settings = {};
        uint64_t epoch = EPOCH_ANY;
        BusOption options[] = {
                { "weight", 'u', &settings.weight },
                { "zone", 's', &settings.zone },
                { "url", 's', &settings.url },
                { "epoch", 't', &epoch },
                {},
        };
        int r;

        r = bus_read_options(message, options, error);
        if (r < 0)
                return r;
        if (options[0].is_set && settings.weight == 0)
                return bus_fail(error, -EINVAL, "The weight of a volume is at least 1.");
        r = new_for_volume(bus, message, &change);
        if (r < 0)
                return r;

        change->request.epoch = epoch;
        start(change);
        r = volumes_set(bus->volumes, change->numbers[0], &settings, map_change_of(change));
        return begun(TAKE_PTR(change), r, error);
}

static int set_maintenance(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        ChangeBus *bus = userdata;
        _cleanup_(change_freep) ChangeCall *change = NULL;
        uint64_t until, epoch = EPOCH_ANY;
        BusOption options[] = { { "epoch", 't', &epoch }, {} };
        int r;

        r = sd_bus_message_read(message, "t", &until);
        if (r < 0)
                return r;
        r = bus_read_options(message, options, error);
        if (r < 0)
                return r;
        r = new_for_volume(bus, message, &change);
        if (r < 0)
                return r;

        change->request.epoch = epoch;
        start(change);
        r = volumes_set_maintenance(bus->volumes, change->numbers[0], until, map_change_of(change));
        return begun(TAKE_PTR(change), r, error);
}

static int authorize(
                sd_bus_message *message,
                ChangeBus *bus,
                sd_bus_message_handler_t handler,
                sd_bus_error *error) {
        int r;

        r = lead_bus_check(bus->lead, error);
        if (r < 0)
                return r;
        return bus_calls_authorize(bus->calls, message, handler, bus);
}

int change_bus_add_volumes(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return authorize(message, userdata, add_volumes, error);
}

int change_bus_delete_volumes(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return authorize(message, userdata, delete_volumes, error);
}

int change_bus_rebalance(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return authorize(message, userdata, rebalance_all, error);
}

int change_bus_set_copies(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return authorize(message, userdata, set_copies, error);
}

int change_bus_set_volume(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return authorize(message, userdata, set_volume, error);
}

int change_bus_set_maintenance(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return authorize(message, userdata, set_maintenance, error);
}
