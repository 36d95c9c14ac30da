/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "master/bus/volumes.h"
#include "bus/property.h"
#include "daemon/bus-common.h"
#include "master/bus/names.h"
#include "master/bus/troubles.h"
#include "store/index/damage.h"

/* clang-format off */
static const BusWatched watched[] = {
        BUS_WATCHED("Uuid",             VolumeStatus, uuid),
        BUS_WATCHED_TEXT("Url",         VolumeStatus, url),
        BUS_WATCHED_TEXT("Zone",        VolumeStatus, zone),
        BUS_WATCHED("Weight",           VolumeStatus, weight),
        BUS_WATCHED("State",            VolumeStatus, state),
        BUS_WATCHED("Up",               VolumeStatus, reports),
        BUS_WATCHED("MaintenanceUntil", VolumeStatus, maintenance_until),
        BUS_WATCHED("NearlyFull",       VolumeStatus, nearly_full),
        {}
};
/* clang-format on */

int volumes_bus_start(VolumesBus *bus, BusServer *server, sd_event *event) {
        const BusFamilyOptions options = {
                .path = VOLUMES_BUS_PATH,
                .interface = VOLUMES_BUS_INTERFACE,
                .state_size = sizeof(VolumeStatus),
                .watched = watched,
                .userdata = bus,
        };

        return bus_family_new(server, event, &options, &bus->family);
}

void volumes_bus_done(VolumesBus *bus) {
        bus->family = bus_family_free(bus->family);
}

int volumes_bus_update(VolumesBus *bus, const VolumeStatus volumes[], size_t n) {
        int result = 0;

        for (size_t i = 0; i < n; i++) {
                int r = bus_family_set(bus->family, volumes[i].number, volumes + i);

                result = MIN(result, r);
        }
        return result;
}

#define STATUS(object) ((const VolumeStatus *) (object)->state)
#define BUS(object)    ((const VolumesBus *) (object)->userdata)

static int append_uuid(const BusMember *object, sd_bus_message *reply) {
        return bus_append_uuid(reply, STATUS(object)->uuid);
}
BUS_DEFINE_LONG_GETTER(get_uuid, BusMember, append_uuid)

static int append_troubles(const BusMember *object, sd_bus_message *reply) {
        return troubles_bus_append(BUS(object)->snapshot, reply, object->number);
}
BUS_DEFINE_LONG_GETTER(get_troubles, BusMember, append_troubles)

BUS_DEFINE_GETTER(get_state, "s", BusMember, volume_state_to_string(STATUS(object)->state))
BUS_DEFINE_GETTER(get_damaged, "t", BusMember, index_damage_on(BUS(object)->index, object->number))

static int method_set(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return change_bus_set_volume(message, BUS((const BusMember *) userdata)->change, error);
}

static int method_set_maintenance(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return change_bus_set_maintenance(
                        message, BUS((const BusMember *) userdata)->change, error);
}

#define AT(field) BUS_STATE(VolumeStatus, field)

/* clang-format off */
const sd_bus_vtable volumes_bus_vtable[] = {
        SD_BUS_VTABLE_START(0),

        SD_BUS_PROPERTY("Number",           "u", NULL,         AT(number),            BUS_CONST),
        SD_BUS_PROPERTY("Uuid",             "s", get_uuid,     0,                     BUS_TELLS),
        SD_BUS_PROPERTY("Url",              "s", bus_get_text, AT(url),               BUS_TELLS),
        SD_BUS_PROPERTY("Zone",             "s", bus_get_text, AT(zone),              BUS_TELLS),
        SD_BUS_PROPERTY("Weight",           "u", NULL,         AT(weight),            BUS_TELLS),
        SD_BUS_PROPERTY("State",            "s", get_state,    0,                     BUS_TELLS),
        SD_BUS_PROPERTY("Up",               "b", bus_get_flag, AT(reports),           BUS_TELLS),
        SD_BUS_PROPERTY("MaintenanceUntil", "t", NULL,         AT(maintenance_until), BUS_TELLS),
        SD_BUS_PROPERTY("NearlyFull",       "b", bus_get_flag, AT(nearly_full),       BUS_TELLS),
        SD_BUS_PROPERTY("Troubles", TROUBLES_BUS_TYPE, get_troubles, 0,             0),
        SD_BUS_PROPERTY("LastSeen",         "t", NULL,         AT(seen_usec),         0),
        SD_BUS_PROPERTY("DiskFree",         "t", NULL,         AT(disk_free),         0),
        SD_BUS_PROPERTY("DiskSize",         "t", NULL,         AT(disk_size),         0),
        SD_BUS_PROPERTY("Objects",          "t", NULL,         AT(objects),           0),
        SD_BUS_PROPERTY("Bytes",            "t", NULL,         AT(bytes),             0),
        SD_BUS_PROPERTY("Pending",          "t", NULL,         AT(pending),           0),
        SD_BUS_PROPERTY("DamagedCopies",    "t", get_damaged,  0,                     0),

        SD_BUS_METHOD_WITH_ARGS("Set",
                                SD_BUS_ARGS("a{sv}", settings),
                                SD_BUS_RESULT("o", job, "t", epoch),
                                method_set, BUS_FOR_ALL),
        SD_BUS_METHOD_WITH_ARGS("SetMaintenance",
                                SD_BUS_ARGS("t", until, "a{sv}", options),
                                SD_BUS_RESULT("o", job, "t", epoch),
                                method_set_maintenance, BUS_FOR_ALL),

        SD_BUS_VTABLE_END,
};
/* clang-format on */
