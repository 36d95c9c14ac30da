/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/bus-common.h"
#include "master/bus/change.h"
#include "master/bus/damage.h"
#include "master/bus/jobs.h"
#include "master/bus/lead.h"
#include "master/bus/locate.h"
#include "master/bus/plan.h"
#include "master/bus/volumes.h"
#include "master/master.h"

#define BUS_NAME "org.dkv.Master1"

/* Reports come every second. */
#define REFRESH_USEC USEC_PER_SEC

/* What is older is not shown. A program that asks for one property after the other, of hundreds of
 * volumes, does not have all of them compared each time. */
#define STALE_USEC (10 * USEC_PER_MSEC)

static int get_text(
                sd_bus *bus,
                const char *path,
                const char *interface,
                const char *property,
                sd_bus_message *reply,
                void *userdata,
                sd_bus_error *error) {
        const MasterBus *master_bus = userdata;
        const Master *master = master_bus->master;
        const Health *health = &master_bus->summary.health;
        const struct {
                const char *property, *text;
        } table[] = {
                { "Version", DKV_VERSION },
                { "Directory", master->conf.directory },
                { "Listen", master->conf.endpoint.listen },
                { "Health", health_level_to_string(health->level) },
                { "HealthReason", health->reason },
                { "HealthAdvice", health->advice },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                if (strcmp(table[i].property, property) == 0)
                        return sd_bus_message_append(reply, "s", table[i].text);
        return -ENOENT;
}

static int get_index_counter(
                sd_bus *bus,
                const char *path,
                const char *interface,
                const char *property,
                sd_bus_message *reply,
                void *userdata,
                sd_bus_error *error) {
        const MasterBus *master_bus = userdata;
        IndexCounters counters;
        uint64_t value;

        index_counters(master_bus->master->index, &counters);
        if (strcmp(property, "Keys") == 0)
                value = counters.keys;
        else if (strcmp(property, "Bytes") == 0)
                value = counters.bytes;
        else
                value = counters.garbage;
        return sd_bus_message_append(reply, "t", value);
}

/* Those of one volume, or all for 0. */
typedef struct TroublesReply {
        sd_bus_message *message;
        uint32_t volume;
} TroublesReply;

static int append_trouble(const TroubleWords *words, void *userdata) {
        const TroublesReply *reply = userdata;

        if (reply->volume > 0 && reply->volume != words->trouble->volume)
                return 0;
        return sd_bus_message_append(
                        reply->message, "(ssutss)", words->name, words->level,
                        words->trouble->volume, words->trouble->since_usec, words->sentence,
                        words->advice);
}

int master_bus_append_troubles(const MasterBus *bus, sd_bus_message *message, uint32_t volume) {
        TroublesReply reply = { .message = message, .volume = volume };
        int r;

        r = sd_bus_message_open_container(message, 'a', "(ssutss)");
        if (r < 0)
                return r;
        r = health_look_each(&bus->look, append_trouble, &reply);
        return r < 0 ? r : sd_bus_message_close_container(message);
}

static int get_troubles(
                sd_bus *bus,
                const char *path,
                const char *interface,
                const char *property,
                sd_bus_message *reply,
                void *userdata,
                sd_bus_error *error) {
        return master_bus_append_troubles(userdata, reply, 0);
}

static int get_disk(
                sd_bus *bus,
                const char *path,
                const char *interface,
                const char *property,
                sd_bus_message *reply,
                void *userdata,
                sd_bus_error *error) {
        const MasterBus *master_bus = userdata;
        bool free = strcmp(property, "DiskFree") == 0;
        struct statvfs disk;

        if (statvfs(master_bus->master->conf.directory, &disk) < 0)
                return -errno;

        return sd_bus_message_append(
                        reply, "t",
                        (uint64_t) (free ? disk.f_bavail : disk.f_blocks) * disk.f_frsize);
}

static int get_http_counter(
                sd_bus *bus,
                const char *path,
                const char *interface,
                const char *property,
                sd_bus_message *reply,
                void *userdata,
                sd_bus_error *error) {
        const MasterBus *master_bus = userdata;

        return bus_append_counter(reply, property, master_bus->master->server);
}

static int method_locate(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        MasterBus *bus = userdata;

        return locate_bus_reply(bus->master, message, error);
}

static int method_get_damage(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        MasterBus *bus = userdata;

        return damage_bus_reply(bus->master, message);
}

static int method_get_config(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        MasterBus *bus = userdata;

        return bus_reply_conf(message, master_conf_items, &bus->master->conf);
}

#define SUMMARY(field) offsetof(MasterBus, summary.field)
#define CONST          SD_BUS_VTABLE_PROPERTY_CONST
#define TELLS          SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE
#define FREE           SD_BUS_VTABLE_UNPRIVILEGED /* for everybody to call */

/* clang-format off */
static const sd_bus_vtable manager_vtable[] = {
        SD_BUS_VTABLE_START(0),

        SD_BUS_PROPERTY("Version",      "s", get_text,          0,                                 CONST),
        SD_BUS_PROPERTY("Directory",    "s", get_text,          0,                                 CONST),
        SD_BUS_PROPERTY("Listen",       "s", get_text,          0,                                 CONST),
        SD_BUS_PROPERTY("StartedAt",    "t", NULL,              offsetof(MasterBus, started_usec), CONST),
        SD_BUS_PROPERTY("Epoch",        "t", NULL,              SUMMARY(epoch),                    TELLS),
        SD_BUS_PROPERTY("Health",       "s", get_text,          0,                                 TELLS),
        SD_BUS_PROPERTY("HealthReason", "s", get_text,          0,                                 TELLS),
        SD_BUS_PROPERTY("HealthAdvice", "s", get_text,          0,                                 TELLS),
        SD_BUS_PROPERTY("Troubles", MASTER_BUS_TROUBLES, get_troubles, 0,                          TELLS),
        SD_BUS_PROPERTY("Copies",       "u", NULL,              SUMMARY(copies),                   TELLS),
        SD_BUS_PROPERTY("Keys",         "t", get_index_counter, 0,                                 0),
        SD_BUS_PROPERTY("Bytes",        "t", get_index_counter, 0,                                 0),
        SD_BUS_PROPERTY("Garbage",      "t", get_index_counter, 0,                                 0),
        SD_BUS_PROPERTY("DiskFree",     "t", get_disk,          0,                                 0),
        SD_BUS_PROPERTY("DiskSize",     "t", get_disk,          0,                                 0),
        SD_BUS_PROPERTY("Leading",      "b", lead_bus_get,      0,                                 0),
        SD_BUS_PROPERTY("ClusterId",    "s", lead_bus_get,      0,                                 CONST),
        SD_BUS_PROPERTY("Term",         "t", lead_bus_get,      0,                                 0),
        BUS_COUNTERS(get_http_counter),

        SD_BUS_METHOD_WITH_ARGS("AddVolumes",
                                SD_BUS_ARGS("au", numbers, "a{sv}", options),
                                SD_BUS_RESULT("t", epoch, "o", job),
                                elastic_bus_add_volumes, FREE),
        SD_BUS_METHOD_WITH_ARGS("DeleteVolumes",
                                SD_BUS_ARGS("au", numbers, "a{sv}", options),
                                SD_BUS_RESULT("o", job, "t", epoch),
                                elastic_bus_delete_volumes, FREE),
        SD_BUS_METHOD_WITH_ARGS("Rebalance",
                                SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("o", job),
                                elastic_bus_rebalance, FREE),
        SD_BUS_METHOD_WITH_ARGS("SetCopies",
                                SD_BUS_ARGS("u", copies, "a{sv}", options),
                                SD_BUS_RESULT("o", job),
                                elastic_bus_set_copies, FREE),
        SD_BUS_METHOD_WITH_ARGS("Plan",
                                SD_BUS_ARGS("s", what, "au", numbers, "a{sv}", options),
                                SD_BUS_RESULT("a{sv}", plan),
                                plan_bus_method, FREE),
        SD_BUS_METHOD_WITH_ARGS("Locate",
                                SD_BUS_ARGS("s", key),
                                SD_BUS_RESULT("a{sv}", location),
                                method_locate, FREE),
        SD_BUS_METHOD_WITH_ARGS("GetDamage",
                                SD_BUS_NO_ARGS,
                                SD_BUS_RESULT("t", copies, "t", lost, DAMAGE_BUS_TYPE, list),
                                method_get_damage, FREE),
        SD_BUS_METHOD_WITH_ARGS("GetConfig",
                                SD_BUS_NO_ARGS,
                                SD_BUS_RESULT(BUS_CONF_TYPE, settings),
                                method_get_config, FREE),

        SD_BUS_METHOD_WITH_ARGS("AcceptRollback",
                                SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("t", term),
                                lead_bus_accept_rollback, FREE),

        SD_BUS_SIGNAL_WITH_ARGS("JobNew", SD_BUS_ARGS("u", id, "o", job), 0),
        SD_BUS_SIGNAL_WITH_ARGS("JobRemoved", SD_BUS_ARGS("u", id, "o", job, "s", result), 0),

        SD_BUS_VTABLE_END,
};

const BusObject master_bus_objects[] = {
        { MASTER_BUS_PATH,  MASTER_BUS_INTERFACE,  manager_vtable, .manages = true             },
        { VOLUMES_BUS_PATH, VOLUMES_BUS_INTERFACE, volumes_bus_vtable,
          volumes_bus_find, volumes_bus_enumerate                                              },
        { JOB_BUS_PATH,     JOB_BUS_INTERFACE,     job_bus_vtable,
          job_bus_find, job_bus_enumerate                                                      },
        {}
};
/* clang-format on */

/* Tells in what the summary differs from what was told last. */
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
        _cleanup_(health_look_done) HealthLook look = {};
        MasterSummary now;
        int r;

        r = health_look(bus->master->volumes, bus->master->troubles, &look);
        if (r < 0)
                return r;
        now = (MasterSummary){ .epoch = look.epoch,
                               .copies = look.copies,
                               .health = look.health,
                               .troubles = health_look_mark(&look) };
        r = volumes_bus_update(bus, look.volumes, look.input.n_volumes);
        if (r < 0)
                return r;

        health_look_done(&bus->look);
        bus->look = look;
        look = (HealthLook){};
        return update_summary(bus, &now);
}

void master_bus_refresh(MasterBus *bus) {
        int r;

        if (!bus->master->volumes)
                return; /* the daemon ends: replies are sent still, news are not */

        bus->refreshed_usec = clock_monotonic();
        r = refresh(bus);
        if (r < 0)
                (void) log_debug_errno(r, "Failed to tell the bus what has changed: %m");
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

        bus_log_state(r, BUS_NAME, bus->address);
}

int master_bus_new(Master *master, const char *address, MasterBus **ret) {
        _cleanup_(master_bus_freep) MasterBus *bus = NULL;
        int r;

        bus = malloc(sizeof(*bus));
        if (!bus)
                return -ENOMEM;

        *bus = (MasterBus){
                .master = master,
                .address = strdup(address),
                .started_usec = clock_realtime(),
        };
        if (!bus->address)
                return -ENOMEM;
        r = bus_server_new(
                        master->event,
                        &(BusServerOptions){
                                        .address = address,
                                        .name = BUS_NAME,
                                        .objects = master_bus_objects,
                                        .userdata = bus,
                                        .on_state = on_state,
                                        .on_call = on_call,
                        },
                        &bus->server);
        if (r < 0)
                return r;
        r = job_bus_new(bus, &bus->jobs);
        if (r < 0)
                return r;
        r = periodic_new(master->event, REFRESH_USEC, REFRESH_USEC, on_refresh, bus, &bus->refresh);
        if (r < 0)
                return r;
        r = refresh(bus);
        if (r < 0)
                return r;

        volumes_set_observer(master->volumes, on_change, bus);
        *ret = TAKE_PTR(bus);
        return 0;
}

MasterBus *master_bus_free(MasterBus *bus) {
        if (!bus)
                return NULL;

        (void) periodic_free(bus->refresh);
        bus_authority_done(&bus->authority);
        (void) bus_server_free(bus->server);
        volumes_bus_done(bus);
        health_look_done(&bus->look);
        (void) job_bus_free(bus->jobs);
        free(bus->address);
        free(bus);
        return NULL;
}
