/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/periodic.h"
#include "bus/property.h"
#include "bus/server.h"
#include "core/metrics.h"
#include "daemon/bus-common.h"
#include "daemon/log-control.h"
#include "volume/bus.h"

#define STORE_PATH      "/org/dkv/Volume1"
#define STORE_INTERFACE "org.dkv.Volume1.Store"

/* The master hears from us every second. */
#define REFRESH_USEC USEC_PER_SEC

struct VolumeBus {
        VolumeBusOptions options;
        char *name;
        uint64_t started_usec;
        BusServer *server;
        Periodic *refresh;

        /* As announced last. */
        bool master_accepts;
        char *zone;
};

#define ROW(...) METRIC_IN(ObjectStoreCounters, __VA_ARGS__)

static const Metric store_metrics[] = { STORE_METRICS(ROW) };

BUS_DEFINE_GETTER(get_version, "s", VolumeBus, DKV_VERSION)
BUS_DEFINE_GETTER(get_number, "u", VolumeBus, (uint32_t) object->options.conf->number)
BUS_DEFINE_GETTER(get_directory, "s", VolumeBus, object->options.conf->directory)
BUS_DEFINE_GETTER(get_listen, "s", VolumeBus, object->options.conf->endpoint.listen)
BUS_DEFINE_GETTER(get_url, "s", VolumeBus, object->options.conf->url)
BUS_DEFINE_GETTER(get_zone, "s", VolumeBus, object->zone)
BUS_DEFINE_GETTER(get_master, "s", VolumeBus, report_master(object->options.report))
BUS_DEFINE_GETTER(get_pending, "t", VolumeBus, (uint64_t) pending_count(object->options.pending))

static int append_uuid(const VolumeBus *object, sd_bus_message *reply) {
        return bus_append_uuid(reply, object_store_uuid(object->options.store));
}
BUS_DEFINE_LONG_GETTER(get_uuid, VolumeBus, append_uuid)

static int append_master_error(const VolumeBus *object, sd_bus_message *reply) {
        char text[REPORT_ERROR_SIZE];

        report_error(object->options.report, text);
        return sd_bus_message_append(reply, "s", text);
}
BUS_DEFINE_LONG_GETTER(get_master_error, VolumeBus, append_master_error)

static int get_metric(
                sd_bus *bus,
                const char *path,
                const char *interface,
                const char *property,
                sd_bus_message *reply,
                void *userdata,
                sd_bus_error *error) {
        const VolumeBus *volume_bus = userdata;
        ObjectStoreCounters counters;
        int r;

        r = object_store_counters(volume_bus->options.store, &counters);
        if (r < 0)
                return r;
        return bus_append_metric(
                        reply, store_metrics, ELEMENTSOF(store_metrics), property, &counters);
}

static int get_traffic(
                sd_bus *bus,
                const char *path,
                const char *interface,
                const char *property,
                sd_bus_message *reply,
                void *userdata,
                sd_bus_error *error) {
        const VolumeBus *volume_bus = userdata;

        return bus_append_traffic(reply, property, volume_bus->options.server);
}

static int method_get_config(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const VolumeBus *bus = userdata;

        return bus_reply_conf(message, volume_conf_items, bus->options.conf);
}

#define AT(field) offsetof(VolumeBus, field)

/* clang-format off */
static const sd_bus_vtable store_vtable[] = {
        SD_BUS_VTABLE_START(0),

        SD_BUS_PROPERTY("Version",       "s", get_version,      0,                  BUS_CONST),
        SD_BUS_PROPERTY("Number",        "u", get_number,       0,                  BUS_CONST),
        SD_BUS_PROPERTY("Uuid",          "s", get_uuid,         0,                  BUS_CONST),
        SD_BUS_PROPERTY("Directory",     "s", get_directory,    0,                  BUS_CONST),
        SD_BUS_PROPERTY("Listen",        "s", get_listen,       0,                  BUS_CONST),
        SD_BUS_PROPERTY("Url",           "s", get_url,          0,                  BUS_CONST),
        SD_BUS_PROPERTY("Zone",          "s", get_zone,         0,                  BUS_TELLS),
        SD_BUS_PROPERTY("Master",        "s", get_master,       0,                  0),
        SD_BUS_PROPERTY("StartedAt",     "t", NULL,             AT(started_usec),   BUS_CONST),
        SD_BUS_PROPERTY("MasterAccepts", "b", bus_get_flag,     AT(master_accepts), BUS_TELLS),
        SD_BUS_PROPERTY("MasterError",   "s", get_master_error, 0,                  0),
        SD_BUS_PROPERTY("Pending",       "t", get_pending,      0,                  0),
        STORE_METRICS(BUS_METRIC)
        TRAFFIC_METRICS(BUS_TRAFFIC)

        SD_BUS_METHOD_WITH_ARGS("GetConfig",
                                SD_BUS_NO_ARGS,
                                SD_BUS_RESULT(BUS_CONF_TYPE, settings),
                                method_get_config, BUS_FOR_ALL),

        SD_BUS_VTABLE_END,
};

const BusObject volume_bus_objects[] = {
        { STORE_PATH, STORE_INTERFACE, store_vtable, .manages = true },
        LOG_CONTROL_OBJECT,
        {}
};
/* clang-format on */

/* Looks what has changed, and announces it. */
static int refresh(VolumeBus *bus) {
        bool accepts = report_is_accepted(bus->options.report);
        sd_bus *connection = bus_server_bus(bus->server);
        char *names[3];
        size_t n = 0;

        if (accepts != bus->master_accepts)
                names[n++] = (char *) "MasterAccepts";
        if (strcmp(bus->options.conf->zone, bus->zone) != 0) {
                char *zone = strdup(bus->options.conf->zone);

                if (!zone)
                        return -ENOMEM;
                free(bus->zone);
                bus->zone = zone;
                names[n++] = (char *) "Zone";
        }
        names[n] = NULL;

        bus->master_accepts = accepts;
        if (!connection || n == 0)
                return 0;
        return sd_bus_emit_properties_changed_strv(connection, STORE_PATH, STORE_INTERFACE, names);
}

static void on_refresh(void *userdata) {
        int r;

        r = refresh(userdata);
        if (r < 0)
                (void) log_debug_errno(r, "Failed to announce on the bus what has changed: %m");
}

static void on_state(int r, void *userdata) {
        const VolumeBus *bus = userdata;

        bus_log_state(r, bus->name, bus->options.address);
}

static int start(VolumeBus *bus) {
        const VolumeBusOptions *options = &bus->options;
        int r;

        if (asprintf(&bus->name, "org.dkv.Volume1.i%" PRIu64, options->conf->number) < 0) {
                bus->name = NULL;
                return -ENOMEM;
        }
        r = bus_server_new(
                        options->event,
                        &(BusServerOptions){
                                        .address = options->address,
                                        .name = bus->name,
                                        .bus = options->connection,
                                        .objects = volume_bus_objects,
                                        .userdata = bus,
                                        .on_state = on_state,
                                        .on_call = on_refresh,
                        },
                        &bus->server);
        if (r < 0)
                return r;
        return periodic_new(
                        options->event, REFRESH_USEC, REFRESH_USEC, on_refresh, bus, &bus->refresh);
}

int volume_bus_new(const VolumeBusOptions *options, VolumeBus **ret) {
        _cleanup_(volume_bus_freep) VolumeBus *bus = NULL;
        int r;

        bus = malloc(sizeof(*bus));
        if (!bus)
                return -ENOMEM;

        *bus = (VolumeBus){
                .options = *options,
                .zone = strdup(options->conf->zone),
                .started_usec = clock_realtime(),
                .master_accepts = report_is_accepted(options->report),
        };
        if (!bus->zone)
                return -ENOMEM;
        r = start(bus);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(bus);
        return 0;
}

VolumeBus *volume_bus_free(VolumeBus *bus) {
        if (!bus)
                return NULL;

        (void) periodic_free(bus->refresh);
        (void) bus_server_free(bus->server);
        free(bus->name);
        free(bus->zone);
        free(bus);
        return NULL;
}
