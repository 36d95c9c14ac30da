/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>

#include "master/bus/damage.h"
#include "master/master.h"
#include "store/index/damage.h"

static int append(const IndexDamageMark *mark, void *userdata) {
        char path[KEY_PATH_SIZE];

        (void) key_to_path(mark->key, path);
        return MIN(sd_bus_message_append(
                                   userdata, "(stusbt)", path + 1, mark->version, mark->volume,
                                   damage_kind_to_string(mark->kind), mark->is_lost,
                                   mark->since_usec),
                   0);
}

int damage_bus_reply(Master *master, sd_bus_message *message) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        IndexDamageCounters counters;
        int r;

        index_damage_counters(master->index, &counters);
        r = sd_bus_message_new_method_return(message, &reply);
        if (r < 0)
                return r;
        r = sd_bus_message_append(reply, "tt", counters.copies, counters.lost);
        r = r < 0 ? r : sd_bus_message_open_container(reply, 'a', "(stusbt)");
        if (r >= 0 && counters.copies > 0)
                r = index_damage_scan(master->index, 0, 0, DAMAGE_BUS_MAX, append, reply);
        r = r < 0 ? r : sd_bus_message_close_container(reply);
        return r < 0 ? r : sd_bus_message_send(reply);
}
