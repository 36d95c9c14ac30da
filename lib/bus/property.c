/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bus/property.h"

int bus_get_text(
                sd_bus *bus,
                const char *path,
                const char *interface,
                const char *property,
                sd_bus_message *reply,
                void *userdata,
                sd_bus_error *error) {
        return sd_bus_message_append(reply, "s", (const char *) userdata);
}

int bus_get_flag(
                sd_bus *bus,
                const char *path,
                const char *interface,
                const char *property,
                sd_bus_message *reply,
                void *userdata,
                sd_bus_error *error) {
        return sd_bus_message_append(reply, "b", *(const bool *) userdata);
}
