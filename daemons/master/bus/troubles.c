/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "master/bus/troubles.h"
#include "bus/writer.h"

typedef struct TroublesReply {
        BusWriter writer;
        uint32_t volume;
} TroublesReply;

static int put_trouble(const TroubleWords *words, void *userdata) {
        TroublesReply *reply = userdata;

        if (reply->volume == 0 || reply->volume == words->trouble->volume)
                bus_writer_put(&reply->writer, TROUBLES_BUS_ITEM, words->name, words->level,
                               words->trouble->volume, words->trouble->since_usec, words->sentence,
                               words->advice);
        return bus_writer_error(&reply->writer);
}

int troubles_bus_append(const HealthSnapshot *snapshot, sd_bus_message *message, uint32_t volume) {
        TroublesReply reply = { .writer = bus_writer_on(message), .volume = volume };

        bus_writer_open(&reply.writer, 'a', TROUBLES_BUS_ITEM);
        bus_writer_note(&reply.writer, health_snapshot_each(snapshot, put_trouble, &reply));
        bus_writer_close(&reply.writer);
        bus_writer_done(&reply.writer);
        return bus_writer_error(&reply.writer);
}
