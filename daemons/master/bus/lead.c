/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "base/file.h"
#include "master/bus/lead.h"
#include "master/bus/reply.h"
#include "master/master.h"

int lead_bus_get(
                sd_bus *bus,
                const char *path,
                const char *interface,
                const char *property,
                sd_bus_message *reply,
                void *userdata,
                sd_bus_error *error) {
        const MasterBus *master_bus = userdata;
        const Master *master = master_bus->master;
        char cluster[2 * CLUSTER_ID_SIZE + 1] = "";
        const IndexIdentity *identity = index_identity(master->index);

        if (strcmp(property, "Leading") == 0)
                return sd_bus_message_append(reply, "b", (int) lead_is_leading(master->lead));
        if (strcmp(property, "Term") == 0)
                return sd_bus_message_append(reply, "t", identity->term);

        format_hex(identity->cluster, CLUSTER_ID_SIZE, cluster);
        return sd_bus_message_append(reply, "s", cluster);
}

int lead_bus_check(const MasterBus *bus, sd_bus_error *error) {
        char reason[LEAD_REASON_SIZE];

        if (lead_is_leading(bus->master->lead))
                return 0;

        lead_reason(bus->master->lead, reason);
        return bus_fail(error, -EOWNERDEAD, "%s", reason);
}

static int accept_rollback(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        MasterBus *bus = userdata;
        _cleanup_(bus_change_freep) BusChange *change = NULL;
        BusOption none[] = { {} };
        int r;

        r = bus_read_options(message, none, error);
        if (r < 0)
                return r;
        r = bus_change_new(bus, message, 0, &change);
        if (r < 0)
                return r;
        r = lead_accept_rollback(bus->master->lead, bus_change_done, change);
        if (r == -EALREADY)
                return bus_fail(error, -EBUSY,
                                "There is nothing to accept: this index is not known to be older "
                                "than its volumes.");
        if (r < 0)
                return bus_fail(error, r, NULL);

        TAKE_PTR(change);
        return 1;
}

int lead_bus_accept_rollback(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        MasterBus *bus = userdata;

        return bus_authorize(&bus->authority, message, MASTER_BUS_ACTION, accept_rollback, bus);
}
