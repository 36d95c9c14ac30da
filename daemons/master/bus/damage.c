/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "master/bus/damage.h"
#include "bus/writer.h"
#include "core/key.h"
#include "store/index/damage.h"

static int put_mark(const IndexDamageMark *mark, void *userdata) {
        BusWriter *reply = userdata;
        char path[KEY_PATH_SIZE];

        (void) key_to_path(mark->key, path);
        bus_writer_put(reply, DAMAGE_BUS_ITEM, path + 1, mark->version, mark->volume,
                       damage_kind_to_string(mark->kind), (int) mark->is_lost, mark->since_usec);
        return bus_writer_error(reply);
}

int damage_bus_reply(Index *index, sd_bus_message *message) {
        _cleanup_(bus_writer_done) BusWriter reply = bus_writer_reply(message);
        IndexDamageCounters counters;

        index_damage_counters(index, &counters);
        bus_writer_put(&reply, "tt", counters.copies, counters.lost);
        bus_writer_open(&reply, 'a', DAMAGE_BUS_ITEM);
        if (counters.copies > 0)
                bus_writer_note(&reply,
                                index_damage_scan(index, 0, 0, DAMAGE_BUS_MAX, put_mark, &reply));
        bus_writer_close(&reply);
        return bus_writer_send(&reply);
}
