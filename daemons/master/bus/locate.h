/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Where a key is, over D-Bus: the method Locate(). */

#include "master/bus/manager.h"

/* Answers MESSAGE, or sets ERROR and returns a negative errno. */
int locate_bus_reply(const MasterBus *bus, sd_bus_message *message, sd_bus_error *error);
