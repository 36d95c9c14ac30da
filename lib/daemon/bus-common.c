/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-id128.h>

#include "base/log.h"
#include "bus/writer.h"
#include "daemon/bus-common.h"

int bus_append_metric(
                sd_bus_message *reply,
                const Metric table[],
                size_t n,
                const char *property,
                const void *source) {
        uint64_t value;
        int r;

        r = metric_read(table, n, property, source, &value);
        return r < 0 ? r : sd_bus_message_append(reply, "t", value);
}

int bus_append_traffic(sd_bus_message *reply, const char *property, const HttpServer *server) {
        Traffic traffic = {};

        if (server)
                http_server_counters(server, &traffic);
        return bus_append_metric(reply, traffic_metrics, TRAFFIC_SIZE, property, &traffic);
}

int bus_append_uuid(sd_bus_message *reply, const Uuid uuid) {
        char text[sizeof("01234567-89ab-cdef-0123-456789abcdef")];
        sd_id128_t id;

        memcpy(id.bytes, uuid, sizeof(id.bytes));
        (void) snprintf(text, sizeof(text), SD_ID128_UUID_FORMAT_STR, SD_ID128_FORMAT_VAL(id));
        return sd_bus_message_append(reply, "s", text);
}

static void put_setting(BusWriter *reply, const ConfItem items[], size_t i, const void *conf) {
        _cleanup_free_ char *value = conf_format(items + i, conf);

        if (!value)
                bus_writer_note(reply, -ENOMEM);
        else
                bus_writer_put(reply, "(sssbs)", items[i].name, value, items[i].initial,
                               (int) items[i].live, conf_origin(conf, i));
}

int bus_reply_conf(sd_bus_message *message, const ConfItem items[], const void *conf) {
        _cleanup_(bus_writer_done) BusWriter reply = bus_writer_reply(message);

        bus_writer_open(&reply, 'a', "(sssbs)");
        for (size_t i = 0; items[i].name; i++)
                put_setting(&reply, items, i, conf);
        bus_writer_close(&reply);
        return bus_writer_send(&reply);
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
