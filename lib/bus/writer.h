/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Bus writer: fills a message. It remembers the first error and does nothing after it, so that a
 * series of puts is checked once: by bus_writer_error(), or by bus_writer_send(). */

#include "bus/bus.h"

typedef struct BusWriter {
        sd_bus_message *message; /* owned: a reference; NULL if it could not be made */
        int error;
} BusWriter;

/* Begins the reply to a method call. */
BusWriter bus_writer_reply(sd_bus_message *call);

/* Goes on with a message that somebody else sends, such as the value of a property. */
BusWriter bus_writer_on(sd_bus_message *message);

void bus_writer_done(BusWriter *writer);

/* Takes note of an error of the caller, a negative errno; anything else is ignored. */
void bus_writer_note(BusWriter *writer, int r);

/* As sd_bus_message_append(). */
void bus_writer_put(BusWriter *writer, const char *types, ...);
void bus_writer_put_array(BusWriter *writer, char type, const void *items, size_t size);

/* As sd_bus_message_open_container() and sd_bus_message_close_container(). */
void bus_writer_open(BusWriter *writer, char type, const char *contents);
void bus_writer_close(BusWriter *writer);

/* Open and close an entry of an a{sv} whose value is an array of ITEM ("(ub)"). What is put between
 * the two calls becomes its elements. */
void bus_writer_open_list(BusWriter *writer, const char *name, const char *item);
void bus_writer_close_list(BusWriter *writer);

/* Returns 0 or the first error, a negative errno. */
int bus_writer_error(const BusWriter *writer);

/* Sends the message, unless there was an error. Returns what a method handler returns. */
int bus_writer_send(BusWriter *writer);
