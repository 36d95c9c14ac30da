/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What both daemons show on D-Bus: settings, figures, what the HTTP server has done. */

#include "base/conf.h"
#include "base/uuid.h"
#include "bus/bus.h"
#include "http/server.h"

/* Make rows of a vtable: TRAFFIC_METRICS(BUS_TRAFFIC) for what bus_append_traffic() knows,
 * BUS_METRIC for a table of the daemon's own. The rows want getters called get_traffic() and
 * get_metric(). */
#define BUS_TRAFFIC(field, property, ...) SD_BUS_PROPERTY(property, "t", get_traffic, 0, 0),
#define BUS_METRIC(field, property, ...)  SD_BUS_PROPERTY(property, "t", get_metric, 0, 0),

/* Appends the metric with this PROPERTY; see base/metric.h. */
int bus_append_metric(
                sd_bus_message *reply,
                const Metric table[],
                size_t n,
                const char *property,
                const void *source);

/* Appends the figure of the server with this PROPERTY; 0 if SERVER is NULL. */
int bus_append_traffic(sd_bus_message *reply, const char *property, const HttpServer *server);

/* Appends 16 bytes as people write them. */
int bus_append_uuid(sd_bus_message *reply, const Uuid uuid);

#define BUS_CONF_TYPE "a(sssbs)" /* name, value, default, whether it is live, origin */

/* Answers MESSAGE with all settings; CONF is as in base/conf.h. */
int bus_reply_conf(sd_bus_message *message, const ConfItem items[], const void *conf);

/* For on_state() of a bus server. */
void bus_log_state(int r, const char *name, const char *address);
