/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "daemon/bus-common.h"
#include "master/bus/reply.h"
#include "master/bus/volumes.h"
#include "master/master.h"
#include "store/index/damage.h"

#define PATH_SIZE (sizeof(VOLUMES_BUS_PATH "/") + 10)

struct VolumeObject {
        MasterBus *bus; /* not owned */
        VolumeStatus status;
};

/* What announces its changes. */
typedef struct Watched {
        const char *property;
        size_t offset, size;
        bool is_text;
} Watched;

#define STATUS(field) offsetof(VolumeObject, status.field)
#define SIZE(field)   offsetof(VolumeStatus, field), sizeof(((VolumeStatus *) NULL)->field)

/* clang-format off */
static const Watched watched[] = {
        { "Uuid",             SIZE(uuid)              },
        { "Url",              SIZE(url),  true        },
        { "Zone",             SIZE(zone), true        },
        { "Weight",           SIZE(weight)            },
        { "State",            SIZE(state)             },
        { "Up",               SIZE(reports)           },
        { "MaintenanceUntil", SIZE(maintenance_until) },
        { "NearlyFull",       SIZE(nearly_full)       },
};
/* clang-format on */

static void make_path(uint32_t number, char ret[static PATH_SIZE]) {
        (void) snprintf(ret, PATH_SIZE, "%s/%" PRIu32, VOLUMES_BUS_PATH, number);
}

/* Where the volume is, or where it would be. */
static size_t find_place(const MasterBus *bus, uint32_t number) {
        size_t from = 0, to = bus->n_volumes;

        while (from < to) {
                size_t middle = from + (to - from) / 2;

                if (bus->volumes[middle]->status.number < number)
                        from = middle + 1;
                else
                        to = middle;
        }
        return from;
}

static VolumeObject *find_object(const MasterBus *bus, uint32_t number) {
        size_t place = find_place(bus, number);

        if (place == bus->n_volumes || bus->volumes[place]->status.number != number)
                return NULL;
        return bus->volumes[place];
}

int volumes_bus_find(
                sd_bus *bus,
                const char *path,
                const char *interface,
                void *userdata,
                void **ret_object,
                sd_bus_error *error) {
        size_t n = strlen(VOLUMES_BUS_PATH "/");
        VolumeObject *object;
        uint64_t number;

        /* A number has one spelling: "07" is no volume. */
        if (strncmp(path, VOLUMES_BUS_PATH "/", n) != 0 || path[n] == '0' ||
            parse_u64(path + n, VOLUME_MAX, &number) < 0)
                return 0;
        object = find_object(userdata, (uint32_t) number);
        if (!object)
                return 0;

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

int volumes_bus_enumerate(
                sd_bus *bus,
                const char *prefix,
                void *userdata,
                char ***ret_paths,
                sd_bus_error *error) {
        MasterBus *master_bus = userdata;
        _cleanup_(free_pathsp) char **paths = calloc(master_bus->n_volumes + 1, sizeof(*paths));

        for (size_t i = 0; paths && i < master_bus->n_volumes; i++) {
                char path[PATH_SIZE];

                make_path(master_bus->volumes[i]->status.number, path);
                paths[i] = strdup(path);
                if (!paths[i])
                        return -ENOMEM;
        }
        if (!paths)
                return -ENOMEM;

        *ret_paths = TAKE_PTR(paths);
        return 0;
}

static bool differs(const Watched *what, const VolumeStatus *a, const VolumeStatus *b) {
        const char *in_a = (const char *) a + what->offset, *in_b = (const char *) b + what->offset;

        return what->is_text ? strcmp(in_a, in_b) != 0 : memcmp(in_a, in_b, what->size) != 0;
}

/* Fills NAMES with the watched properties in which the two differ. Returns how many. */
static size_t compare(const VolumeStatus *a, const VolumeStatus *b, char **names) {
        size_t n = 0;

        for (size_t i = 0; i < ELEMENTSOF(watched); i++)
                if (differs(watched + i, a, b))
                        names[n++] = (char *) watched[i].property;
        names[n] = NULL;
        return n;
}

static int update_object(sd_bus *bus, VolumeObject *object, const VolumeStatus *status) {
        char *names[ELEMENTSOF(watched) + 1], path[PATH_SIZE];
        size_t n = compare(&object->status, status, names);

        object->status = *status;
        if (!bus || n == 0)
                return 0;

        make_path(status->number, path);
        return sd_bus_emit_properties_changed_strv(bus, path, VOLUMES_BUS_INTERFACE, names);
}

static int add_object(sd_bus *bus, MasterBus *master_bus, const VolumeStatus *status) {
        size_t place = find_place(master_bus, status->number);
        VolumeObject *object, **volumes;
        char path[PATH_SIZE];

        volumes = reallocarray(master_bus->volumes, master_bus->n_volumes + 1, sizeof(void *));
        if (!volumes)
                return -ENOMEM;
        master_bus->volumes = volumes;
        object = malloc(sizeof(*object));
        if (!object)
                return -ENOMEM;

        *object = (VolumeObject){ .bus = master_bus, .status = *status };
        for (size_t i = master_bus->n_volumes; i > place; i--)
                volumes[i] = volumes[i - 1];
        volumes[place] = object;
        master_bus->n_volumes++;

        if (!bus)
                return 0;
        make_path(status->number, path);
        return sd_bus_emit_object_added(bus, path);
}

int volumes_bus_update(MasterBus *bus, const VolumeStatus volumes[], size_t n) {
        sd_bus *connection = bus_server_bus(bus->server);
        int r = 0;

        for (size_t i = 0; i < n; i++) {
                VolumeObject *object = find_object(bus, volumes[i].number);
                int k = object ? update_object(connection, object, volumes + i)
                               : add_object(connection, bus, volumes + i);

                r = r < 0 ? r : k;
        }
        return r;
}

void volumes_bus_done(MasterBus *bus) {
        for (size_t i = 0; i < bus->n_volumes; i++)
                free(bus->volumes[i]);
        free(bus->volumes);
        bus->volumes = NULL;
        bus->n_volumes = 0;
}

static int get_text(
                sd_bus *bus,
                const char *path,
                const char *interface,
                const char *property,
                sd_bus_message *reply,
                void *userdata,
                sd_bus_error *error) {
        return sd_bus_message_append(reply, "s", (const char *) userdata);
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

static int get_state(
                sd_bus *bus,
                const char *path,
                const char *interface,
                const char *property,
                sd_bus_message *reply,
                void *userdata,
                sd_bus_error *error) {
        return sd_bus_message_append(
                        reply, "s", volume_state_to_string(*(const VolumeState *) userdata));
}

static int get_damaged(
                sd_bus *bus,
                const char *path,
                const char *interface,
                const char *property,
                sd_bus_message *reply,
                void *userdata,
                sd_bus_error *error) {
        const VolumeObject *object = userdata;

        return sd_bus_message_append(
                        reply, "t",
                        index_damage_on(object->bus->master->index, object->status.number));
}

static int get_uuid(
                sd_bus *bus,
                const char *path,
                const char *interface,
                const char *property,
                sd_bus_message *reply,
                void *userdata,
                sd_bus_error *error) {
        return bus_append_uuid(reply, userdata);
}

static int get_troubles(
                sd_bus *bus,
                const char *path,
                const char *interface,
                const char *property,
                sd_bus_message *reply,
                void *userdata,
                sd_bus_error *error) {
        const VolumeObject *object = userdata;

        return master_bus_append_troubles(object->bus, reply, object->status.number);
}

static int set(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        VolumeObject *object = userdata;
        _cleanup_(bus_change_freep) BusChange *change = NULL;
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
        r = bus_change_new(object->bus, message, object->status.number, &change);
        if (r < 0)
                return r;
        r = volumes_set(object->bus->master->volumes, object->status.number, &settings,
                        bus_change_of(change, epoch));
        if (r < 0)
                return bus_change_refuse(error, r, object->status.number);

        TAKE_PTR(change);
        return 1;
}

static int method_set(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        VolumeObject *object = userdata;

        return bus_authorize(&object->bus->authority, message, MASTER_BUS_ACTION, set, object);
}

static int set_maintenance(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        VolumeObject *object = userdata;
        _cleanup_(bus_change_freep) BusChange *change = NULL;
        uint64_t until, epoch = EPOCH_ANY;
        BusOption options[] = { { "epoch", 't', &epoch }, {} };
        int r;

        r = sd_bus_message_read(message, "t", &until);
        if (r < 0)
                return r;
        r = bus_read_options(message, options, error);
        if (r < 0)
                return r;
        r = bus_change_new(object->bus, message, object->status.number, &change);
        if (r < 0)
                return r;
        r = volumes_set_maintenance(
                        object->bus->master->volumes, object->status.number, until,
                        bus_change_of(change, epoch));
        if (r < 0)
                return bus_change_refuse(error, r, object->status.number);

        TAKE_PTR(change);
        return 1;
}

static int method_set_maintenance(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        VolumeObject *object = userdata;

        return bus_authorize(
                        &object->bus->authority, message, MASTER_BUS_ACTION, set_maintenance,
                        object);
}

#define CONST SD_BUS_VTABLE_PROPERTY_CONST
#define TELLS SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE

/* clang-format off */
const sd_bus_vtable volumes_bus_vtable[] = {
        SD_BUS_VTABLE_START(0),

        SD_BUS_PROPERTY("Number",           "u", NULL,      STATUS(number),            CONST),
        SD_BUS_PROPERTY("Uuid",             "s", get_uuid,  STATUS(uuid),              TELLS),
        SD_BUS_PROPERTY("Url",              "s", get_text,  STATUS(url),               TELLS),
        SD_BUS_PROPERTY("Zone",             "s", get_text,  STATUS(zone),              TELLS),
        SD_BUS_PROPERTY("Weight",           "u", NULL,      STATUS(weight),            TELLS),
        SD_BUS_PROPERTY("State",            "s", get_state, STATUS(state),             TELLS),
        SD_BUS_PROPERTY("Up",               "b", get_flag,  STATUS(reports),                TELLS),
        SD_BUS_PROPERTY("MaintenanceUntil", "t", NULL,      STATUS(maintenance_until), TELLS),
        SD_BUS_PROPERTY("NearlyFull",       "b", get_flag,  STATUS(nearly_full),       TELLS),
        SD_BUS_PROPERTY("Troubles", MASTER_BUS_TROUBLES, get_troubles, 0,              0),
        SD_BUS_PROPERTY("LastSeen",         "t", NULL,      STATUS(seen_usec),         0),
        SD_BUS_PROPERTY("DiskFree",         "t", NULL,      STATUS(disk_free),         0),
        SD_BUS_PROPERTY("DiskSize",         "t", NULL,      STATUS(disk_size),         0),
        SD_BUS_PROPERTY("Objects",          "t", NULL,      STATUS(objects),           0),
        SD_BUS_PROPERTY("Bytes",            "t", NULL,      STATUS(bytes),             0),
        SD_BUS_PROPERTY("Pending",          "t", NULL,      STATUS(pending),           0),
        SD_BUS_PROPERTY("DamagedCopies",    "t", get_damaged, 0,                       0),

        SD_BUS_METHOD_WITH_ARGS("Set",
                                SD_BUS_ARGS("a{sv}", settings),
                                SD_BUS_RESULT("t", epoch),
                                method_set, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("SetMaintenance",
                                SD_BUS_ARGS("t", until, "a{sv}", options),
                                SD_BUS_RESULT("t", epoch),
                                method_set_maintenance, SD_BUS_VTABLE_UNPRIVILEGED),

        SD_BUS_VTABLE_END,
};
/* clang-format on */
