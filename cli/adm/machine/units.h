/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Units: those of systemd on this machine, over its interface on the system bus.
 *
 * Lists of names end in NULL. All functions block, return 0 or a negative errno, and say what is
 * wrong. */

#include <stdbool.h>
#include <systemd/sd-bus.h>

#define UNITS_MAX 4

/* As "systemctl enable" and "disable", with the daemon-reload that belongs to it. Generators run
 * again. */
int units_enable(sd_bus *bus, char *const names[]);
int units_disable(sd_bus *bus, char *const names[]);

/* Whether UNIT runs, or is about to: a daemon that has just been started is not on the bus yet.
 * false also if systemd cannot be asked; says nothing. */
bool unit_is_coming(sd_bus *bus, const char *unit);

/* As "systemctl daemon-reload": what is configured by now is seen by what follows. */
int units_reload(sd_bus *bus);

/* As "systemctl start" and "stop": wait until all of them have been started or stopped, and fail if
 * one could not be. At most UNITS_MAX. A unit that does not exist, or cannot, is stopped already.
 */
int units_start(sd_bus *bus, char *const names[]);
int units_stop(sd_bus *bus, char *const names[]);
