/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/periodic.h"
#include "bus/server.h"
#include "daemon/bus-common.h"
#include "volume/bus.h"
#include "volume/volume.h"

#define STORE_PATH      "/org/dkv/Volume1"
#define STORE_INTERFACE "org.dkv.Volume1.Store"

/* The master hears from us every second. */
#define REFRESH_USEC USEC_PER_SEC

struct VolumeBus {
        VolumeDaemon *volume; /* not owned */
        char *address, *name;
        uint64_t started_usec;
        BusServer *server;
        Periodic *refresh;

        /* As told to the bus last. */
        bool master_accepts;
        char *zone;
};

static int get_text(
                sd_bus *bus,
                const char *path,
                const char *interface,
                const char *property,
                sd_bus_message *reply,
                void *userdata,
                sd_bus_error *error) {
        const VolumeBus *volume_bus = userdata;
        const VolumeConf *conf = &volume_bus->volume->conf;
        const struct {
                const char *property, *text;
        } table[] = {
                { "Version", DKV_VERSION },          { "Directory", conf->directory },
                { "Listen", conf->endpoint.listen }, { "Url", conf->url },
                { "Zone", volume_bus->zone },        { "Master", conf->master },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                if (strcmp(table[i].property, property) == 0)
                        return sd_bus_message_append(reply, "s", table[i].text);
        return -ENOENT;
}

static int get_number(
                sd_bus *bus,
                const char *path,
                const char *interface,
                const char *property,
                sd_bus_message *reply,
                void *userdata,
                sd_bus_error *error) {
        const VolumeBus *volume_bus = userdata;

        return sd_bus_message_append(reply, "u", (uint32_t) volume_bus->volume->conf.number);
}

static int get_uuid(
                sd_bus *bus,
                const char *path,
                const char *interface,
                const char *property,
                sd_bus_message *reply,
                void *userdata,
                sd_bus_error *error) {
        const VolumeBus *volume_bus = userdata;

        return bus_append_uuid(reply, object_store_uuid(volume_bus->volume->store));
}

static int get_flag(
                sd_bus *bus,
                const char *path,
                const char *interface,
                const char *property,
                sd_bus_message *reply,
                void *userdata,
                sd_bus_error *error) {
        return sd_bus_message_append(reply, "b", *(const bool *) userdata);
}

static int get_master_error(
                sd_bus *bus,
                const char *path,
                const char *interface,
                const char *property,
                sd_bus_message *reply,
                void *userdata,
                sd_bus_error *error) {
        const VolumeBus *volume_bus = userdata;
        char text[REPORT_ERROR_SIZE];

        report_error(volume_bus->volume->report, text);
        return sd_bus_message_append(reply, "s", text);
}

static int get_store_counter(
                sd_bus *bus,
                const char *path,
                const char *interface,
                const char *property,
                sd_bus_message *reply,
                void *userdata,
                sd_bus_error *error) {
        const VolumeBus *volume_bus = userdata;
        ObjectStoreCounters counters;
        uint64_t value;
        int r;

        r = object_store_counters(volume_bus->volume->store, &counters);
        if (r < 0)
                return r;
        if (strcmp(property, "DiskFree") == 0)
                value = counters.disk_free;
        else if (strcmp(property, "DiskSize") == 0)
                value = counters.disk_size;
        else if (strcmp(property, "Objects") == 0)
                value = counters.objects;
        else
                value = counters.bytes;
        return sd_bus_message_append(reply, "t", value);
}

static int get_pending(
                sd_bus *bus,
                const char *path,
                const char *interface,
                const char *property,
                sd_bus_message *reply,
                void *userdata,
                sd_bus_error *error) {
        const VolumeBus *volume_bus = userdata;

        return sd_bus_message_append(
                        reply, "t", (uint64_t) pending_count(volume_bus->volume->pending));
}

static int get_http_counter(
                sd_bus *bus,
                const char *path,
                const char *interface,
                const char *property,
                sd_bus_message *reply,
                void *userdata,
                sd_bus_error *error) {
        const VolumeBus *volume_bus = userdata;

        return bus_append_counter(reply, property, volume_bus->volume->server);
}

static int method_get_config(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const VolumeBus *bus = userdata;

        return bus_reply_conf(message, volume_conf_items, &bus->volume->conf);
}

#define AT(field) offsetof(VolumeBus, field)
#define CONST     SD_BUS_VTABLE_PROPERTY_CONST
#define TELLS     SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE

/* clang-format off */
static const sd_bus_vtable store_vtable[] = {
        SD_BUS_VTABLE_START(0),

        SD_BUS_PROPERTY("Version",       "s", get_text,          0,                  CONST),
        SD_BUS_PROPERTY("Number",        "u", get_number,        0,                  CONST),
        SD_BUS_PROPERTY("Uuid",          "s", get_uuid,          0,                  CONST),
        SD_BUS_PROPERTY("Directory",     "s", get_text,          0,                  CONST),
        SD_BUS_PROPERTY("Listen",        "s", get_text,          0,                  CONST),
        SD_BUS_PROPERTY("Url",           "s", get_text,          0,                  CONST),
        SD_BUS_PROPERTY("Zone",          "s", get_text,          0,                  TELLS),
        SD_BUS_PROPERTY("Master",        "s", get_text,          0,                  CONST),
        SD_BUS_PROPERTY("StartedAt",     "t", NULL,              AT(started_usec),   CONST),
        SD_BUS_PROPERTY("MasterAccepts", "b", get_flag,          AT(master_accepts), TELLS),
        SD_BUS_PROPERTY("MasterError",   "s", get_master_error,  0,                  0),
        SD_BUS_PROPERTY("DiskFree",      "t", get_store_counter, 0,                  0),
        SD_BUS_PROPERTY("DiskSize",      "t", get_store_counter, 0,                  0),
        SD_BUS_PROPERTY("Objects",       "t", get_store_counter, 0,                  0),
        SD_BUS_PROPERTY("Bytes",         "t", get_store_counter, 0,                  0),
        SD_BUS_PROPERTY("Pending",       "t", get_pending,       0,                  0),
        BUS_COUNTERS(get_http_counter),

        SD_BUS_METHOD_WITH_ARGS("GetConfig",
                                SD_BUS_NO_ARGS,
                                SD_BUS_RESULT(BUS_CONF_TYPE, settings),
                                method_get_config, SD_BUS_VTABLE_UNPRIVILEGED),

        SD_BUS_VTABLE_END,
};

const BusObject volume_bus_objects[] = {
        { STORE_PATH, STORE_INTERFACE, store_vtable, .manages = true },
        {}
};
/* clang-format on */

/* Looks what has changed, and tells. */
static int refresh(VolumeBus *bus) {
        bool accepts = report_is_accepted(bus->volume->report);
        sd_bus *connection = bus_server_bus(bus->server);
        char *names[3];
        size_t n = 0;

        if (accepts != bus->master_accepts)
                names[n++] = (char *) "MasterAccepts";
        if (strcmp(bus->volume->conf.zone, bus->zone) != 0) {
                char *zone = strdup(bus->volume->conf.zone);

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
                (void) log_debug_errno(r, "Failed to tell the bus what has changed: %m");
}

static void on_state(int r, void *userdata) {
        const VolumeBus *bus = userdata;

        bus_log_state(r, bus->name, bus->address);
}

static int connect_bus(VolumeBus *bus) {
        sd_event *event = bus->volume->event;
        int r;

        if (asprintf(&bus->name, "org.dkv.Volume1.i%" PRIu64, bus->volume->conf.number) < 0) {
                bus->name = NULL;
                return -ENOMEM;
        }
        r = bus_server_new(
                        event,
                        &(BusServerOptions){
                                        .address = bus->address,
                                        .name = bus->name,
                                        .objects = volume_bus_objects,
                                        .userdata = bus,
                                        .on_state = on_state,
                                        .on_call = on_refresh,
                        },
                        &bus->server);
        if (r < 0)
                return r;
        return periodic_new(event, REFRESH_USEC, REFRESH_USEC, on_refresh, bus, &bus->refresh);
}

int volume_bus_new(VolumeDaemon *volume, const char *address, VolumeBus **ret) {
        _cleanup_(volume_bus_freep) VolumeBus *bus = NULL;
        int r;

        bus = malloc(sizeof(*bus));
        if (!bus)
                return -ENOMEM;

        *bus = (VolumeBus){
                .volume = volume,
                .address = strdup(address),
                .zone = strdup(volume->conf.zone),
                .started_usec = clock_realtime(),
                .master_accepts = report_is_accepted(volume->report),
        };
        if (!bus->address || !bus->zone)
                return -ENOMEM;
        r = connect_bus(bus);
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
        free(bus->address);
        free(bus->name);
        free(bus->zone);
        free(bus);
        return NULL;
}
