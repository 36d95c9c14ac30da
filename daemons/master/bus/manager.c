/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/periodic.h"
#include "bus/property.h"
#include "daemon/bus-common.h"
#include "daemon/log-control.h"
#include "master/bus/change.h"
#include "master/bus/damage.h"
#include "master/bus/lead.h"
#include "master/bus/locate.h"
#include "master/bus/manager.h"
#include "master/bus/metrics.h"
#include "master/bus/names.h"
#include "master/bus/preview.h"
#include "master/bus/troubles.h"
#include "master/bus/volumes.h"
#include "master/cluster/watch.h"
#include "store/index/identity.h"

/* Reports come every second. */
#define REFRESH_USEC USEC_PER_SEC

/* What a program reads is at most this old. A program that asks for property after property of
 * hundreds of volumes does not have all of them compared each time. */
#define STALE_USEC (10 * USEC_PER_MSEC)

/* What the properties that announce their changes say of the cluster as a whole. */
typedef struct MasterSummary {
        uint64_t epoch;
        uint32_t copies;
        Health health;
        Checksum troubles; /* a mark that changes with them */
} MasterSummary;

struct MasterBus {
        MasterBusOptions options;
        uint64_t started_usec;
        BusServer *server;
        Periodic *refresh;

        /* As told to the bus last. */
        uint64_t refreshed_usec; /* monotonic */
        MasterSummary summary;
        HealthSnapshot snapshot;

        /* The parts, each with what it needs. */
        BusCalls calls;
        RefusalSource reasons;
        MasterFigures figures;
        VolumesBus volumes;
        JobsBus jobs;
        ChangeBus change;
        PreviewBus preview;
        LeadBus lead;
};

BUS_DEFINE_GETTER(get_version, "s", MasterBus, DKV_VERSION)
BUS_DEFINE_GETTER(get_directory, "s", MasterBus, object->options.directory)
BUS_DEFINE_GETTER(get_listen, "s", MasterBus, object->options.listen)
BUS_DEFINE_GETTER(get_health, "s", MasterBus, health_level_to_string(object->summary.health.level))
BUS_DEFINE_GETTER(get_leading, "b", MasterBus, (int) lead_is_leading(object->options.lead))
BUS_DEFINE_GETTER(get_term, "t", MasterBus, index_identity(object->options.index)->term)

static int append_cluster_id(const MasterBus *object, sd_bus_message *reply) {
        char cluster[2 * CLUSTER_ID_SIZE + 1] = "";

        format_hex(index_identity(object->options.index)->cluster, CLUSTER_ID_SIZE, cluster);
        return sd_bus_message_append(reply, "s", cluster);
}
BUS_DEFINE_LONG_GETTER(get_cluster_id, MasterBus, append_cluster_id)

static int get_metric(
                sd_bus *bus,
                const char *path,
                const char *interface,
                const char *property,
                sd_bus_message *reply,
                void *userdata,
                sd_bus_error *error) {
        const MasterBus *master_bus = userdata;

        return bus_append_metric(
                        reply, master_metrics, MASTER_METRICS_MAX, property, &master_bus->figures);
}

static int get_traffic(
                sd_bus *bus,
                const char *path,
                const char *interface,
                const char *property,
                sd_bus_message *reply,
                void *userdata,
                sd_bus_error *error) {
        const MasterBus *master_bus = userdata;

        return bus_append_traffic(reply, property, master_bus->options.server);
}

static int append_troubles(const MasterBus *object, sd_bus_message *reply) {
        return troubles_bus_append(&object->snapshot, reply, 0);
}
BUS_DEFINE_LONG_GETTER(get_troubles, MasterBus, append_troubles)

static int method_locate(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const MasterBusOptions *options = &((const MasterBus *) userdata)->options;

        return locate_bus_reply(options->index, options->volumes, message, error);
}

static int method_get_damage(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return damage_bus_reply(((const MasterBus *) userdata)->options.index, message);
}

static int method_get_config(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const MasterBus *bus = userdata;

        return bus_reply_conf(message, bus->options.settings, bus->options.conf);
}

#define AT(field)      offsetof(MasterBus, field)
#define SUMMARY(field) offsetof(MasterBus, summary.field)

/* clang-format off */
static const sd_bus_vtable manager_vtable[] = {
        SD_BUS_VTABLE_START(0),

        SD_BUS_PROPERTY("Version",      "s", get_version,    0,                      BUS_CONST),
        SD_BUS_PROPERTY("Directory",    "s", get_directory,  0,                      BUS_CONST),
        SD_BUS_PROPERTY("Listen",       "s", get_listen,     0,                      BUS_CONST),
        SD_BUS_PROPERTY("StartedAt",    "t", NULL,           AT(started_usec),       BUS_CONST),
        SD_BUS_PROPERTY("Epoch",        "t", NULL,           SUMMARY(epoch),         BUS_TELLS),
        SD_BUS_PROPERTY("Health",       "s", get_health,     0,                      BUS_TELLS),
        SD_BUS_PROPERTY("HealthReason", "s", bus_get_text,   SUMMARY(health.reason), BUS_TELLS),
        SD_BUS_PROPERTY("HealthAdvice", "s", bus_get_text,   SUMMARY(health.advice), BUS_TELLS),
        SD_BUS_PROPERTY("Troubles", TROUBLES_BUS_TYPE, get_troubles, 0,              BUS_TELLS),
        SD_BUS_PROPERTY("Copies",       "u", NULL,           SUMMARY(copies),        BUS_TELLS),
        SD_BUS_PROPERTY("Leading",      "b", get_leading,    0,                      0),
        SD_BUS_PROPERTY("ClusterId",    "s", get_cluster_id, 0,                      BUS_CONST),
        SD_BUS_PROPERTY("Term",         "t", get_term,       0,                      0),
        MASTER_METRICS(BUS_METRIC)
        TRAFFIC_METRICS(BUS_TRAFFIC)

        SD_BUS_METHOD_WITH_ARGS_OFFSET("AddVolumes",
                                SD_BUS_ARGS("au", numbers, "a{sv}", options),
                                SD_BUS_RESULT("o", job, "t", epoch),
                                change_bus_add_volumes, AT(change), BUS_FOR_ALL),
        SD_BUS_METHOD_WITH_ARGS_OFFSET("DeleteVolumes",
                                SD_BUS_ARGS("au", numbers, "a{sv}", options),
                                SD_BUS_RESULT("o", job, "t", epoch),
                                change_bus_delete_volumes, AT(change), BUS_FOR_ALL),
        SD_BUS_METHOD_WITH_ARGS_OFFSET("Rebalance",
                                SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("o", job, "t", epoch),
                                change_bus_rebalance, AT(change), BUS_FOR_ALL),
        SD_BUS_METHOD_WITH_ARGS_OFFSET("SetCopies",
                                SD_BUS_ARGS("u", copies, "a{sv}", options),
                                SD_BUS_RESULT("o", job, "t", epoch),
                                change_bus_set_copies, AT(change), BUS_FOR_ALL),
        SD_BUS_METHOD_WITH_ARGS_OFFSET("Plan",
                                SD_BUS_ARGS("s", what, "au", numbers, "a{sv}", options),
                                SD_BUS_RESULT("a{sv}", plan),
                                preview_bus_plan, AT(preview), BUS_FOR_ALL),
        SD_BUS_METHOD_WITH_ARGS("Locate",
                                SD_BUS_ARGS("s", key),
                                SD_BUS_RESULT("a{sv}", location),
                                method_locate, BUS_FOR_ALL),
        SD_BUS_METHOD_WITH_ARGS("GetDamage",
                                SD_BUS_NO_ARGS,
                                SD_BUS_RESULT("t", copies, "t", lost, DAMAGE_BUS_TYPE, list),
                                method_get_damage, BUS_FOR_ALL),
        SD_BUS_METHOD_WITH_ARGS("GetConfig",
                                SD_BUS_NO_ARGS,
                                SD_BUS_RESULT(BUS_CONF_TYPE, settings),
                                method_get_config, BUS_FOR_ALL),

        SD_BUS_METHOD_WITH_ARGS_OFFSET("AcceptRollback",
                                SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("t", term),
                                lead_bus_accept_rollback, AT(lead), BUS_FOR_ALL),

        SD_BUS_SIGNAL_WITH_ARGS("JobNew", SD_BUS_ARGS("u", id, "o", job), 0),
        SD_BUS_SIGNAL_WITH_ARGS("JobRemoved", SD_BUS_ARGS("u", id, "o", job, "s", result), 0),

        SD_BUS_VTABLE_END,
};

const BusObject master_bus_objects[] = {
        { MASTER_BUS_PATH,  MASTER_BUS_INTERFACE,  manager_vtable, .manages = true             },
        { VOLUMES_BUS_PATH, VOLUMES_BUS_INTERFACE, volumes_bus_vtable,
          BUS_FAMILY_OBJECT(MasterBus, volumes.family)                                         },
        { JOBS_BUS_PATH,    JOBS_BUS_INTERFACE,    jobs_bus_vtable,
          BUS_FAMILY_OBJECT(MasterBus, jobs.family)                                            },
        LOG_CONTROL_OBJECT,
        {}
};
/* clang-format on */

/* Announces in what the summary differs from what was announced last. */
static int update_summary(MasterBus *bus, const MasterSummary *now) {
        sd_bus *connection = bus_server_bus(bus->server);
        const MasterSummary *last = &bus->summary;
        char *names[7];
        size_t n = 0;

        if (now->epoch != last->epoch)
                names[n++] = (char *) "Epoch";
        if (now->copies != last->copies)
                names[n++] = (char *) "Copies";
        if (now->health.level != last->health.level)
                names[n++] = (char *) "Health";
        if (strcmp(now->health.reason, last->health.reason) != 0)
                names[n++] = (char *) "HealthReason";
        if (strcmp(now->health.advice, last->health.advice) != 0)
                names[n++] = (char *) "HealthAdvice";
        if (!checksum_equal(&now->troubles, &last->troubles))
                names[n++] = (char *) "Troubles";
        names[n] = NULL;

        bus->summary = *now;
        if (!connection || n == 0)
                return 0;
        return sd_bus_emit_properties_changed_strv(
                        connection, MASTER_BUS_PATH, MASTER_BUS_INTERFACE, names);
}

static int refresh(MasterBus *bus) {
        _cleanup_(health_snapshot_done) HealthSnapshot snapshot = {};
        MasterSummary now;
        int r;

        r = health_snapshot(bus->options.volumes, bus->options.troubles, &snapshot);
        if (r < 0)
                return r;
        now = (MasterSummary){ .epoch = snapshot.epoch,
                               .copies = snapshot.copies,
                               .health = snapshot.health,
                               .troubles = health_snapshot_mark(&snapshot) };
        r = volumes_bus_update(&bus->volumes, snapshot.volumes, snapshot.input.n_volumes);
        if (r < 0)
                return r;

        health_snapshot_done(&bus->snapshot);
        bus->snapshot = snapshot;
        snapshot = (HealthSnapshot){};
        return update_summary(bus, &now);
}

void master_bus_refresh(MasterBus *bus) {
        int r;

        if (bus->calls.is_ending)
                return;

        bus->refreshed_usec = clock_monotonic();
        r = refresh(bus);
        if (r < 0)
                (void) log_debug_errno(r, "Failed to announce on the bus what has changed: %m");
}

static void on_refresh(void *userdata) {
        master_bus_refresh(userdata);
}

static void on_change(uint32_t number, bool is_new, void *userdata) {
        master_bus_refresh(userdata);
}

static void on_call(void *userdata) {
        MasterBus *bus = userdata;

        if (clock_monotonic() - bus->refreshed_usec >= STALE_USEC)
                master_bus_refresh(bus);
}

static void on_state(int r, void *userdata) {
        const MasterBus *bus = userdata;

        bus_log_state(r, MASTER_BUS_NAME, bus->options.address);
}

/* Gives each part what it needs. */
static void hand_out(MasterBus *bus) {
        const MasterBusOptions *options = &bus->options;

        bus->calls = (BusCalls){ .server = bus->server, .refresh = on_refresh, .userdata = bus };
        bus->reasons = (RefusalSource){ .jobs = options->jobs, .lead = options->lead };
        bus->figures = (MasterFigures){ .index = options->index, .directory = options->directory };
        bus->lead = (LeadBus){ &bus->calls, &bus->reasons, options->lead };
        bus->preview = (PreviewBus){ &bus->calls, &bus->reasons, options->jobs,
                                     &bus->summary.epoch };
        bus->jobs = (JobsBus){
                .calls = &bus->calls,
                .reasons = &bus->reasons,
                .jobs = options->jobs,
                .started_usec = bus->started_usec,
        };
        bus->change = (ChangeBus){
                .calls = &bus->calls,
                .reasons = &bus->reasons,
                .index = options->index,
                .lead = options->lead,
                .volumes = options->volumes,
                .jobs = options->jobs,
                .job_objects = &bus->jobs,
                .epoch = &bus->summary.epoch,
        };
        bus->volumes = (VolumesBus){
                .change = &bus->change,
                .index = options->index,
                .snapshot = &bus->snapshot,
        };
}

static int start(MasterBus *bus) {
        const MasterBusOptions *options = &bus->options;
        int r;

        r = bus_server_new(
                        options->event,
                        &(BusServerOptions){
                                        .address = options->address,
                                        .name = MASTER_BUS_NAME,
                                        .bus = options->connection,
                                        .objects = master_bus_objects,
                                        .userdata = bus,
                                        .on_state = on_state,
                                        .on_call = on_call,
                        },
                        &bus->server);
        if (r < 0)
                return r;
        hand_out(bus);
        r = volumes_bus_start(&bus->volumes, bus->server, options->event);
        if (r < 0)
                return r;
        r = jobs_bus_start(&bus->jobs, options->event);
        if (r < 0)
                return r;
        r = periodic_new(
                        options->event, REFRESH_USEC, REFRESH_USEC, on_refresh, bus, &bus->refresh);
        if (r < 0)
                return r;
        return refresh(bus);
}

int master_bus_new(const MasterBusOptions *options, MasterBus **ret) {
        _cleanup_(master_bus_freep) MasterBus *bus = NULL;
        int r;

        bus = malloc(sizeof(*bus));
        if (!bus)
                return -ENOMEM;

        *bus = (MasterBus){ .options = *options, .started_usec = clock_realtime() };
        r = start(bus);
        if (r < 0)
                return r;

        watch_set_observer(options->watch, on_change, bus);
        *ret = TAKE_PTR(bus);
        return 0;
}

void master_bus_stop(MasterBus *bus) {
        if (!bus)
                return;

        bus->calls.is_ending = true;
        watch_set_observer(bus->options.watch, NULL, NULL);
        jobs_bus_stop(&bus->jobs);
        bus_calls_end(&bus->calls);
}

MasterBus *master_bus_free(MasterBus *bus) {
        if (!bus)
                return NULL;

        (void) periodic_free(bus->refresh);
        bus_authority_done(&bus->calls.authority);
        (void) bus_server_free(bus->server);
        volumes_bus_done(&bus->volumes);
        jobs_bus_done(&bus->jobs);
        health_snapshot_done(&bus->snapshot);
        free(bus);
        return NULL;
}
