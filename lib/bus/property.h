/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Property: what the rows of a vtable need. */

#include <systemd/sd-bus.h>

#include "base/macro.h"

#define BUS_CONST   SD_BUS_VTABLE_PROPERTY_CONST
#define BUS_TELLS   SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE
#define BUS_FOR_ALL SD_BUS_VTABLE_UNPRIVILEGED /* a method that everybody may call */

/* Defines NAME(), a getter for a vtable: it appends VALUE as the D-Bus types TYPES. In the
 * expression VALUE, "object" is the userdata of the row, a const TYPE *, and "property" the name.
 */
#define BUS_DEFINE_GETTER(name, types, Type, value) \
        static int name(sd_bus *bus, const char *path, const char *interface, \
                        const char *property, sd_bus_message *reply, void *userdata, \
                        sd_bus_error *error) { \
                const Type *object = userdata; \
\
                (void) object; \
                return sd_bus_message_append(reply, types, value); \
        }

/* Defines NAME(), a getter that returns what APPEND(object, reply) does. */
#define BUS_DEFINE_LONG_GETTER(name, Type, append) \
        static int name(sd_bus *bus, const char *path, const char *interface, \
                        const char *property, sd_bus_message *reply, void *userdata, \
                        sd_bus_error *error) { \
                const Type *object = userdata; \
\
                return append(object, reply); \
        }

/* Getters of fields: of an array of characters that ends with 0, and of a bool. Numbers need none.
 */
int bus_get_text(
                sd_bus *bus,
                const char *path,
                const char *interface,
                const char *property,
                sd_bus_message *reply,
                void *userdata,
                sd_bus_error *error);
int bus_get_flag(
                sd_bus *bus,
                const char *path,
                const char *interface,
                const char *property,
                sd_bus_message *reply,
                void *userdata,
                sd_bus_error *error);
