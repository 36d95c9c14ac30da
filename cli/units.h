/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Units: those of systemd on this machine, over its interface on the system bus.
 *
 * Lists of names end in NULL. All functions block, return 0 or a negative errno, and say what is
 * wrong. */

#include <systemd/sd-bus.h>

#define UNITS_MAX 4

/* As "systemctl enable" and "disable", with the daemon-reload that belongs to it. Generators run
 * anew. */
int units_enable(sd_bus *bus, char *const names[]);
int units_disable(sd_bus *bus, char *const names[]);

/* As "systemctl start" and "stop": wait until all of them have been started or stopped, and fail if
 * one could not be. At most UNITS_MAX. */
int units_start(sd_bus *bus, char *const names[]);
int units_stop(sd_bus *bus, char *const names[]);
