/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-id128.h>

#include "base/log.h"
#include "daemon/bus-common.h"

typedef struct Counter {
        const char *property;
        size_t offset;
        char type;
} Counter;

#define AT(field) offsetof(HttpCounters, field)

/* clang-format off */
static const Counter table[] = {
        { "Requests",       AT(requests),    't' },
        { "Reads",          AT(reads),       't' },
        { "Writes",         AT(writes),      't' },
        { "Deletes",        AT(deletes),     't' },
        { "Errors",         AT(errors),      't' },
        { "BytesReceived",  AT(bytes_in),    't' },
        { "BytesSent",      AT(bytes_out),   't' },
        { "ActiveRequests", AT(active),      'u' },
        { "Connections",    AT(connections), 'u' },
        {}
};
/* clang-format on */

int bus_append_counter(sd_bus_message *reply, const char *property, const HttpServer *server) {
        HttpCounters counters = {};

        if (server)
                http_server_counters(server, &counters);

        for (const Counter *counter = table; counter->property; counter++)
                if (strcmp(counter->property, property) == 0)
                        return sd_bus_message_append_basic(
                                        reply, counter->type,
                                        (const char *) &counters + counter->offset);

        return -ENOENT;
}

int bus_append_uuid(sd_bus_message *reply, const uint8_t uuid[static 16]) {
        char text[sizeof("01234567-89ab-cdef-0123-456789abcdef")];
        sd_id128_t id;

        memcpy(id.bytes, uuid, sizeof(id.bytes));
        (void) snprintf(text, sizeof(text), SD_ID128_UUID_FORMAT_STR, SD_ID128_FORMAT_VAL(id));
        return sd_bus_message_append(reply, "s", text);
}

static int append_setting(
                sd_bus_message *reply, const ConfItem items[], size_t i, const void *conf) {
        _cleanup_free_ char *value = conf_format(items + i, conf);

        if (!value)
                return -ENOMEM;
        return sd_bus_message_append(
                        reply, "(sssbs)", items[i].name, value, items[i].initial, items[i].live,
                        conf_origin(conf, i));
}

int bus_reply_conf(sd_bus_message *message, const ConfItem items[], const void *conf) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = sd_bus_message_new_method_return(message, &reply);
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(reply, 'a', "(sssbs)");
        for (size_t i = 0; items[i].name && r >= 0; i++)
                r = append_setting(reply, items, i, conf);
        if (r < 0)
                return r;
        r = sd_bus_message_close_container(reply);
        if (r < 0)
                return r;

        return sd_bus_message_send(reply);
}

void bus_log_state(int r, const char *name, const char *address) {
        if (r >= 0)
                log_debug("%s is on the bus '%s'.", name, address);
        else if (r == -ENOENT && strcmp(address, "system") == 0)
                log_info("There is no D-Bus on this machine yet: %s will be there when there is.",
                         name);
        else if (r == -EEXIST)
                log_warning("The name %s is taken by somebody else on the bus '%s', trying again.",
                            name, address);
        else
                (void) log_warning_errno(
                                r, "Failed to be %s on the bus '%s', trying again: %m", name,
                                address);
}
