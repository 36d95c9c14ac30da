/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>

#include "base/log.h"
#include "bus/property.h"
#include "daemon/log-control.h"

BUS_DEFINE_GETTER(get_level, "s", void, log_level_to_string(log_get_level()))
BUS_DEFINE_GETTER(get_target, "s", void, log_target_to_string(log_get_target()))
BUS_DEFINE_GETTER(get_identifier, "s", void, program_invocation_short_name)

static int set_level(
                sd_bus *bus,
                const char *path,
                const char *interface,
                const char *property,
                sd_bus_message *value,
                void *userdata,
                sd_bus_error *error) {
        const char *name;
        int r;

        r = sd_bus_message_read(value, "s", &name);
        if (r < 0)
                return r;
        r = log_level_from_string(name);
        if (r < 0)
                return bus_fail(error, r,
                                "'%s' is no log level; they are emerg, alert, crit, err, warning, "
                                "notice, info and debug.",
                                name);

        log_set_level(r);
        log_debug("Debug messages are logged from now on.");
        return 0;
}

static int set_target(
                sd_bus *bus,
                const char *path,
                const char *interface,
                const char *property,
                sd_bus_message *value,
                void *userdata,
                sd_bus_error *error) {
        const char *name;
        int r;

        r = sd_bus_message_read(value, "s", &name);
        if (r < 0)
                return r;
        r = log_target_from_string(name);
        if (r < 0)
                return bus_fail(error, r,
                                "'%s' is no log target; they are auto, journal and console.", name);

        log_set_target((LogTarget) r);
        return 0;
}

/* clang-format off */
const sd_bus_vtable log_control_vtable[] = {
        SD_BUS_VTABLE_START(0),

        SD_BUS_WRITABLE_PROPERTY("LogLevel",  "s", get_level,      set_level,  0, 0),
        SD_BUS_WRITABLE_PROPERTY("LogTarget", "s", get_target,     set_target, 0, 0),
        SD_BUS_PROPERTY("SyslogIdentifier",   "s", get_identifier, 0, BUS_CONST),

        SD_BUS_VTABLE_END,
};
/* clang-format on */
