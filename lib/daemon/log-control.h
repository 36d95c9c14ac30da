/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Log control: org.freedesktop.LogControl1 on D-Bus, by which "systemctl service-log-level" and
 * "systemctl service-log-target" change what a running daemon logs.
 *
 * Reading is free. sd-bus lets root and the daemon's own user set the properties; it asks the bus
 * who the caller is, and waits for the answer, so the policy of the system bus lets nobody else get
 * that far. */

#include "bus/bus.h"

/* A row for a table of objects. */
#define LOG_CONTROL_OBJECT \
        { "/org/freedesktop/LogControl1", "org.freedesktop.LogControl1", log_control_vtable }

extern const sd_bus_vtable log_control_vtable[];
