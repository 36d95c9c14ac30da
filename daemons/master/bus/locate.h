/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Where a key is, over D-Bus: the method Locate(). */

#include <systemd/sd-bus.h>

#include "master/cluster/volumes.h"

/* Answers MESSAGE, or sets ERROR and returns a negative errno. */
int locate_bus_reply(Index *index, Volumes *volumes, sd_bus_message *message, sd_bus_error *error);
