/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The settings in force, and where each comes from. */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "adm/context/bus-names.h"
#include "adm/context/context.h"
#include "adm/verb/arguments.h"
#include "adm/verb/config.h"

/* clang-format off */
static const Column columns[] = {
        { "SETTING",    "name"                      },
        { "VALUE",      "value",   .shrinks = true  },
        { "DEFAULT",    "default", .shrinks = true  },
        { "APPLIES ON", "live"                      },
        { "SET IN",     "origin",  .shrinks = true  },
        {}
};
/* clang-format on */

/* COPIES is the value in the cluster map, which overrides the setting; 0 if it has none. */
static int read_settings(sd_bus_message *reply, uint32_t copies, Table *table) {
        const char *name, *value, *initial, *origin;
        char in_force[DECIMAL_SIZE(uint32_t)];
        int live, r;

        (void) snprintf(in_force, sizeof(in_force), "%" PRIu32, copies);

        r = sd_bus_message_enter_container(reply, 'a', "(sssbs)");
        if (r < 0)
                return r;

        while ((r = sd_bus_message_read(
                                reply, "(sssbs)", &name, &value, &initial, &live, &origin)) > 0) {
                if (copies > 0 && strcmp(name, "Copies") == 0 && strcmp(value, in_force) != 0) {
                        value = in_force;
                        origin = "dkvadm set copies=";
                }
                table_add_coloured(table, *origin ? COLOUR_BOLD : COLOUR_NONE, name);
                table_add_string(table, value);
                table_add_string(table, initial);
                table_add(table, COLOUR_NONE, json_new_bool(live), live ? "reload" : "restart");
                table_add(table, *origin ? COLOUR_NONE : COLOUR_GREY, json_new_string(origin), "%s",
                          *origin ? origin : "(default)");
        }

        return r;
}

static int call(Context *context, const char *argument, sd_bus_error *error, sd_bus_message **ret) {
        char name[sizeof(STORE_NAME_PREFIX) + DECIMAL_SIZE(uint32_t)];
        uint32_t number;

        if (!argument)
                return sd_bus_call_method(
                                context->connection.bus, MASTER_NAME, MASTER_PATH, MASTER_INTERFACE,
                                "GetConfig", error, ret, NULL);

        (void) parse_volume(argument, &number); /* was checked before */
        (void) snprintf(name, sizeof(name), STORE_NAME_PREFIX "%" PRIu32, number);
        return sd_bus_call_method(
                        context->connection.bus, name, STORE_PATH, STORE_INTERFACE, "GetConfig",
                        error, ret, NULL);
}

/* Advice about the master is of no use for a volume. */
static int complain_volume(
                const Context *context,
                int error,
                const sd_bus_error *bus_error,
                const char *number) {
        if (!sd_bus_error_has_names(
                            bus_error, SD_BUS_ERROR_SERVICE_UNKNOWN,
                            SD_BUS_ERROR_NAME_HAS_NO_OWNER))
                return complain(error, "Failed to query volume %s: %s", number,
                                bus_error->message ?: strerror(abs(error)));

        (void) complain(error, "Failed to query volume %s: It is not running.", number);
        if (context->connection.sandbox)
                advise("Start it: dkv-sandbox start %s", context->connection.sandbox);
        else
                advise("If it belongs here: systemctl start dkv-volume@%s, or dkvadm volume create %s if it is new. If it is on another"
                       " machine: dkvadm -H HOST config %s",
                       number, number, number);
        return error;
}

int verb_config(int argc, char *argv[], void *userdata) {
        Context *context = userdata;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(table_freep) Table *table = NULL;
        uint32_t number, copies = 0;
        int r;

        r = argc > 0 ? parse_volume(argv[0], &number) : 0;
        if (r != 0)
                return r;
        r = context_connect(context);
        if (r < 0)
                return r;

        r = call(context, argc > 0 ? argv[0] : NULL, &error, &reply);
        if (r < 0 && argc > 0)
                return complain_volume(context, r, &error, argv[0]);
        if (r < 0)
                return context_complain(context, r, &error, "Failed to query the master");

        if (argc == 0)
                (void) sd_bus_get_property_trivial(
                                context->connection.bus, MASTER_NAME, MASTER_PATH, MASTER_INTERFACE,
                                "Copies", NULL, 'u', &copies);
        r = table_new(columns, &table);
        if (r >= 0)
                r = read_settings(reply, copies, table);
        if (r < 0)
                return complain(r, "Failed to read the daemon's reply: %m");

        return output_print_table(&context->output, table);
}
