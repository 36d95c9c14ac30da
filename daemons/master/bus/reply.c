/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "master/bus/reply.h"

struct BusChange {
        BusDeferred deferred;
        VolumesChange change;
        MasterBus *bus; /* not owned */
        sd_bus_message *message;
        uint32_t number;
        int result;
        uint64_t epoch;
};

BusChange *bus_change_free(BusChange *change) {
        if (!change)
                return NULL;

        (void) sd_bus_message_unref(change->message);
        free(change);
        return NULL;
}

int bus_change_refuse(sd_bus_error *error, int r, uint32_t number) {
        char who[sizeof("Volume 4294967295")] = "A volume";

        if (number > 0)
                (void) snprintf(who, sizeof(who), "Volume %" PRIu32, number);

        switch (r) {
        case -ENOENT:
                return bus_fail(error, r, "%s is not known to the master; start it first.", who);
        case -EBUSY:
                return bus_fail(error, r, "%s was removed from the cluster.", who);
        case -EHOSTDOWN:
                return bus_fail(error, r, "%s does not report; start it first.", who);
        case -EINVAL:
                return bus_fail(error, r, "%s cannot have these values.", who);
        case -ENOSPC:
                return bus_fail(error, r, "The master's disk is full.");
        default:
                return bus_fail(error, r, NULL);
        }
}

/* On the committer. */
static void on_done(VolumesChange *change, int result) {
        bus_change_done(result, change->epoch, CONTAINER_OF(change, BusChange, change));
}

static int reply(BusChange *change) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;

        if (change->result >= 0)
                return sd_bus_reply_method_return(change->message, "t", change->epoch);

        (void) bus_change_refuse(&error, change->result, change->number);
        return sd_bus_reply_method_error(change->message, &error);
}

/* On the loop. */
static void on_deferred(BusDeferred *deferred) {
        _cleanup_(bus_change_freep) BusChange *change = CONTAINER_OF(deferred, BusChange, deferred);
        int r;

        /* Who gets the reply and looks sees what it has changed. */
        if (change->result >= 0)
                master_bus_refresh(change->bus);

        r = reply(change);
        if (r < 0)
                (void) log_debug_errno(r, "Failed to reply to a change of the cluster map: %m");
}

VolumesChange *bus_change_of(BusChange *change, uint64_t epoch) {
        change->change = (VolumesChange){ .epoch = epoch, .done = on_done };
        return &change->change;
}

void bus_change_done(int result, uint64_t epoch, void *userdata) {
        BusChange *change = userdata;

        change->result = result;
        change->epoch = epoch;
        bus_defer(change->bus->server, &change->deferred);
}

int bus_change_new(MasterBus *bus, sd_bus_message *message, uint32_t number, BusChange **ret) {
        BusChange *change;

        assert(bus);
        assert(message);
        assert(ret);

        change = malloc(sizeof(*change));
        if (!change)
                return -ENOMEM;

        *change = (BusChange){
                .deferred.run = on_deferred,
                .bus = bus,
                .message = sd_bus_message_ref(message),
                .number = number,
        };
        *ret = change;
        return 0;
}
