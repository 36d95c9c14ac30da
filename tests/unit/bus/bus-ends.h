/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Two ends of a bus without a bus, and calls from the one to the other. */

#include "test.h"

#include <string.h>
#include <systemd/sd-bus.h>

#include "bus/bus.h"

typedef struct BusEnds {
        sd_event *event;
        sd_bus *server, *client;
} BusEnds;

static inline void bus_ends_init(BusEnds *ends) {
        assert_ok(sd_event_new(&ends->event));
        assert_ok(bus_new_pair(ends->event, &ends->server, &ends->client));
}

static inline void bus_ends_done(BusEnds *ends) {
        ends->server = sd_bus_close_unref(ends->server);
        ends->client = sd_bus_close_unref(ends->client);
        ends->event = sd_event_unref(ends->event);
}

/* Runs the loop for as long as CONDITION does not hold, which is looked at every so often. */
#define bus_ends_await(ends, condition) \
        do { \
                for (unsigned _turn = 0; !(condition); _turn++) { \
                        assert_true(_turn < 100000); \
                        assert_ok(sd_event_run((ends)->event, USEC_PER_MSEC)); \
                } \
        } while (0)

/* Returns the reply, which may be an error. */
static inline sd_bus_message *bus_ends_call(
                BusEnds *ends,
                const char *path,
                const char *interface,
                const char *method,
                const char *types,
                ...) {
        sd_bus_message *call, *reply;
        va_list arguments;

        assert_ok(sd_bus_message_new_method_call(
                        ends->client, &call, NULL, path, interface, method));
        va_start(arguments, types);
        if (*types)
                assert_ok(sd_bus_message_appendv(call, types, arguments));
        va_end(arguments);
        assert_ok(bus_run_call(ends->client, call, &reply));
        (void) sd_bus_message_unref(call);
        return reply;
}

/* The reply is an error of this name; TEXT is part of its message. */
static inline void assert_bus_error(sd_bus_message *reply, const char *name, const char *text) {
        const sd_bus_error *error = sd_bus_message_get_error(reply);

        if (!error)
                fail_msg("no error, although %s was due", name);
        if (strcmp(error->name, name) != 0 || !strstr(error->message, text))
                fail_msg("%s: %s", error->name, error->message);
        (void) sd_bus_message_unref(reply);
}

static inline sd_bus_message *assert_no_bus_error(sd_bus_message *reply) {
        const sd_bus_error *error = sd_bus_message_get_error(reply);

        if (error)
                fail_msg("%s: %s", error->name, error->message);
        return reply;
}

/* Reads a property of TYPE. */
static inline void bus_ends_get(
                BusEnds *ends,
                const char *path,
                const char *interface,
                const char *property,
                const char *type,
                void *ret) {
        sd_bus_message *reply = assert_no_bus_error(
                        bus_ends_call(ends, path, "org.freedesktop.DBus.Properties", "Get", "ss",
                                      interface, property));
        static char text[1024];
        const char *string;

        assert_ok(sd_bus_message_enter_container(reply, 'v', type));
        if (*type == 's') {
                assert_ok(sd_bus_message_read(reply, type, &string));
                (void) strncpy(text, string, sizeof(text) - 1);
                *(const char **) ret = text; /* until the next call */
        } else
                assert_ok(sd_bus_message_read(reply, type, ret));
        (void) sd_bus_message_unref(reply);
}
