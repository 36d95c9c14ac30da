/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Which copies are damaged. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "adm/context/bus-names.h"
#include "adm/context/context.h"
#include "adm/verb/damage.h"
#include "base/clock.h"
#include "frame/format.h"
#include "frame/table.h"

/* clang-format off */
static const Column columns[] = {
        { "KEY",     "key",     .shrinks = true },
        { "OBJECT",  "object",  .right = true   },
        { "VOLUME",  "volume",  .right = true   },
        { "DAMAGE",  "damage"                   },
        { "LOST",    "lost"                     },
        { "SINCE",   "since"                    },
        {}
};
/* clang-format on */

static int read_copies(sd_bus_message *reply, Table *table, uint64_t *ret_n) {
        uint64_t object, since, n = 0;
        const char *key, *kind;
        uint32_t volume;
        int lost, r;

        r = sd_bus_message_enter_container(reply, 'a', "(stusbt)");
        if (r < 0)
                return r;
        for (;
             (r = sd_bus_message_read(
                              reply, "(stusbt)", &key, &object, &volume, &kind, &lost, &since)) > 0;
             n++) {
                char text[FORMAT_SIZE];

                table_add_string(table, key);
                table_add_uint(table, object);
                table_add_uint(table, volume);
                table_add_string(table, kind);
                table_add(table, lost ? COLOUR_RED : COLOUR_NONE, json_new_bool(lost), "%s",
                          lost ? "yes" : "no");
                table_add(table, COLOUR_NONE, json_new_uint(since), "%s",
                          format_time(text, since, clock_realtime()));
        }
        *ret_n = n;
        return r;
}

int verb_damage(int argc, char *argv[], void *userdata) {
        Context *context = userdata;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(table_freep) Table *table = NULL;
        uint64_t copies = 0, lost = 0, n = 0;
        int r;

        r = context_connect(context);
        if (r < 0)
                return r;
        r = sd_bus_call_method(
                        context->connection.bus, MASTER_NAME, MASTER_PATH, MASTER_INTERFACE,
                        "GetDamage", &error, &reply, "");
        if (r < 0)
                return context_complain(context, r, &error, "Failed to list damaged copies");

        r = table_new(columns, &table);
        if (r >= 0)
                r = sd_bus_message_read(reply, "tt", &copies, &lost);
        if (r >= 0)
                r = read_copies(reply, table, &n);
        if (r < 0)
                return complain(r, "Failed to read the master's reply: %m");

        if (context->output.json == JSON_OFF && n == 0) {
                (void) puts("No damaged copies are known.");
                return 0;
        }
        r = output_print_table(&context->output, table);
        if (r >= 0 && context->output.json == JSON_OFF && n < copies)
                (void) printf("and %" PRIu64 " more\n", copies - n);
        return r;
}
