/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "bus/writer.h"

#define ARRAY_TYPE_SIZE 64

BusWriter bus_writer_reply(sd_bus_message *call) {
        BusWriter writer = {};

        writer.error = MIN(sd_bus_message_new_method_return(call, &writer.message), 0);
        return writer;
}

BusWriter bus_writer_on(sd_bus_message *message) {
        return (BusWriter){ .message = sd_bus_message_ref(message) };
}

void bus_writer_done(BusWriter *writer) {
        writer->message = sd_bus_message_unref(writer->message);
}

void bus_writer_note(BusWriter *writer, int r) {
        if (r < 0 && writer->error >= 0)
                writer->error = r;
}

void bus_writer_put(BusWriter *writer, const char *types, ...) {
        va_list values;

        if (writer->error < 0)
                return;

        va_start(values, types);
        bus_writer_note(writer, sd_bus_message_appendv(writer->message, types, values));
        va_end(values);
}

void bus_writer_put_array(BusWriter *writer, char type, const void *items, size_t size) {
        if (writer->error >= 0)
                bus_writer_note(writer,
                                sd_bus_message_append_array(writer->message, type, items, size));
}

void bus_writer_open(BusWriter *writer, char type, const char *contents) {
        if (writer->error >= 0)
                bus_writer_note(writer,
                                sd_bus_message_open_container(writer->message, type, contents));
}

void bus_writer_close(BusWriter *writer) {
        if (writer->error >= 0)
                bus_writer_note(writer, sd_bus_message_close_container(writer->message));
}

void bus_writer_open_list(BusWriter *writer, const char *name, const char *item) {
        char array[ARRAY_TYPE_SIZE];

        assert(strlen(item) + sizeof("a") <= sizeof(array));

        (void) snprintf(array, sizeof(array), "a%s", item);
        bus_writer_open(writer, 'e', "sv");
        bus_writer_put(writer, "s", name);
        bus_writer_open(writer, 'v', array);
        bus_writer_open(writer, 'a', item);
}

void bus_writer_close_list(BusWriter *writer) {
        for (unsigned depth = 0; depth < 3; depth++)
                bus_writer_close(writer);
}

int bus_writer_error(const BusWriter *writer) {
        return writer->error;
}

int bus_writer_send(BusWriter *writer) {
        return writer->error < 0 ? writer->error : sd_bus_message_send(writer->message);
}
