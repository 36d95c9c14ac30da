/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Bus, the part that both daemons have: the settings, and what the HTTP server has done. Unlike the
 * rest of lib/, it speaks for the daemon: bus_log_state() logs. */

#include "base/conf.h"
#include "bus/bus.h"
#include "http/server.h"

/* Rows of a vtable: what bus_append_counter() knows. GET is a sd_bus_property_get_t. */
#define BUS_COUNTERS(get) \
        SD_BUS_PROPERTY("Requests", "t", get, 0, 0), SD_BUS_PROPERTY("Reads", "t", get, 0, 0), \
                        SD_BUS_PROPERTY("Writes", "t", get, 0, 0), \
                        SD_BUS_PROPERTY("Deletes", "t", get, 0, 0), \
                        SD_BUS_PROPERTY("Errors", "t", get, 0, 0), \
                        SD_BUS_PROPERTY("BytesReceived", "t", get, 0, 0), \
                        SD_BUS_PROPERTY("BytesSent", "t", get, 0, 0), \
                        SD_BUS_PROPERTY("ActiveRequests", "u", get, 0, 0), \
                        SD_BUS_PROPERTY("Connections", "u", get, 0, 0)

/* Appends the counter that PROPERTY is called after; all of them are 0 if SERVER is NULL. */
int bus_append_counter(sd_bus_message *reply, const char *property, const HttpServer *server);

/* Appends 16 bytes as people write them. */
int bus_append_uuid(sd_bus_message *reply, const uint8_t uuid[static 16]);

#define BUS_CONF_TYPE "a(sssbs)" /* name, value, default, whether it is live, origin */

/* Replies to MESSAGE with all settings; CONF is as in base/conf.h. */
int bus_reply_conf(sd_bus_message *message, const ConfItem items[], const void *conf);

/* For on_state() of a bus server. */
void bus_log_state(int r, const char *name, const char *address);
