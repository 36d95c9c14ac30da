/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Units: those of systemd on this machine, over its interface on the system bus.
 *
 * Lists of names end in NULL. All functions block, return 0 or a negative errno, and say what is
 * wrong. */

#include <stdbool.h>
#include <systemd/sd-bus.h>

#define UNITS_MAX 4

/* Like "systemctl enable" and "disable", including the daemon-reload, which runs generators
 * again. */
int units_enable(sd_bus *bus, char *const names[]);
int units_disable(sd_bus *bus, char *const names[]);

/* Whether UNIT is running or about to: a daemon that has just been started is not on the bus yet.
 * Also false if systemd cannot be reached; prints nothing. */
bool unit_is_coming(sd_bus *bus, const char *unit);

/* Like "systemctl daemon-reload": later orders see the current configuration. */
int units_reload(sd_bus *bus);

/* Like "systemctl start" and "stop": wait until all units have started or stopped, and fail if one
 * of them failed. At most UNITS_MAX. A unit that cannot be loaded counts as stopped. */
int units_start(sd_bus *bus, char *const names[]);
int units_stop(sd_bus *bus, char *const names[]);
