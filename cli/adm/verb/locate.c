/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Where the copies of a value are. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "adm/context/bus-names.h"
#include "adm/context/context.h"
#include "adm/verb/locate.h"
#include "base/clock.h"
#include "core/key.h"
#include "frame/format.h"
#include "frame/properties.h"

typedef struct Location {
        char *etag, *content_type;
        uint64_t version, object, size, modified;
} Location;

#define AT(field) offsetof(Location, field)

/* clang-format off */
static const Property properties[] = {
        { "version",      't', AT(version)      },
        { "object",       't', AT(object)       },
        { "size",         't', AT(size)         },
        { "etag",         's', AT(etag)         },
        { "modified",     't', AT(modified)     },
        { "content-type", 's', AT(content_type) },
        {}
};

static const Column columns[] = {
        { "Key",      "key"          },
        { "Size",     "size"         },
        { "Type",     "content_type" },
        { "Modified", "modified"     },
        { "Version",  "version"      },
        { "Object",   "object"       },
        { "ETag",     "etag"         },
        {}
};

static const Column copy_columns[] = {
        { "VOLUME", "number", .right = true   },
        { "UP",     "up"                      },
        { "URL",    "url",    .shrinks = true },
        {}
};
/* clang-format on */

static void location_done(Location *location) {
        properties_done(properties, location);
}

static int value_table_new(const char *key, const Location *location, Table **ret) {
        char text[FORMAT_SIZE];
        Table *table;
        int r;

        r = table_new(columns, &table);
        if (r < 0)
                return r;

        table_add_string(table, key);
        table_add(table, COLOUR_NONE, json_new_uint(location->size), "%s (%" PRIu64 " bytes)",
                  format_bytes(text, location->size), location->size);
        table_add_string(table, location->content_type);
        table_add(table, COLOUR_NONE, json_new_uint(location->modified), "%s",
                  format_time(text, location->modified, clock_realtime()));
        table_add_uint(table, location->version);
        table_add_uint(table, location->object);
        table_add_string(table, location->etag);

        *ret = table;
        return 0;
}

/* Reads the entry "copies" of the dictionary, at which REPLY is positioned. */
static int read_copies(sd_bus_message *reply, Table *table) {
        uint32_t number;
        const char *url;
        int up, r;

        r = sd_bus_message_enter_container(reply, 'v', "a(ubs)");
        if (r < 0)
                return r;
        r = sd_bus_message_enter_container(reply, 'a', "(ubs)");
        if (r < 0)
                return r;

        while ((r = sd_bus_message_read(reply, "(ubs)", &number, &up, &url)) > 0) {
                table_add_uint(table, number);
                table_add(table, up ? COLOUR_GREEN : COLOUR_RED, json_new_bool(up), "%s",
                          up ? "up" : "down");
                table_add_string(table, url);
        }
        if (r < 0)
                return r;

        r = sd_bus_message_exit_container(reply);
        return r < 0 ? r : sd_bus_message_exit_container(reply);
}

static int find_copies(sd_bus_message *reply, Table *table) {
        const char *name;
        int r;

        r = sd_bus_message_enter_container(reply, 'a', "{sv}");
        if (r < 0)
                return r;

        while ((r = sd_bus_message_enter_container(reply, 'e', "sv")) > 0) {
                r = sd_bus_message_read(reply, "s", &name);
                if (r < 0)
                        return r;
                r = strcmp(name, "copies") == 0 ? read_copies(reply, table)
                                                : sd_bus_message_skip(reply, "v");
                if (r < 0)
                        return r;
                r = sd_bus_message_exit_container(reply);
                if (r < 0)
                        return r;
        }

        return r;
}

static int read_reply(sd_bus_message *reply, const char *key, Table **ret, Table **ret_copies) {
        _cleanup_(location_done) Location location = {};
        _cleanup_(table_freep) Table *copies = NULL;
        int r;

        r = properties_read(reply, properties, &location);
        if (r >= 0)
                r = properties_complete(properties, &location);
        if (r < 0)
                return r;

        r = table_new(copy_columns, &copies);
        if (r < 0)
                return r;
        r = sd_bus_message_rewind(reply, true);
        if (r < 0)
                return r;
        r = find_copies(reply, copies);
        if (r < 0)
                return r;

        r = value_table_new(key, &location, ret);
        if (r >= 0)
                *ret_copies = TAKE_PTR(copies);
        return r;
}

static int print(Context *context, const Table *value, const Table *copies) {
        int r;

        if (context->output.json != JSON_OFF) {
                _cleanup_(json_freep) Json *rows = table_to_json(value);
                Json *object = (Json *) json_array_get(rows, 0);

                json_add(object, "copies", table_to_json(copies));
                return output_print_json(&context->output, object);
        }

        r = output_print_list(&context->output, value);
        if (r < 0)
                return r;

        (void) putchar('\n');
        return output_print_table(&context->output, copies);
}

int verb_locate(int argc, char *argv[], void *userdata) {
        Context *context = userdata;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(table_freep) Table *value = NULL, *copies = NULL;
        char path[KEY_PATH_SIZE];
        int r;

        if (strlen(argv[0]) > KEY_MAX || percent_encode(argv[0], path, sizeof(path)) <= 0)
                return complain_usage(
                                "'%s' is not a key: keys have 1 to %d bytes.", argv[0], KEY_MAX);
        r = context_connect(context);
        if (r < 0)
                return r;

        r = sd_bus_call_method(
                        context->connection.bus, MASTER_NAME, MASTER_PATH, MASTER_INTERFACE,
                        "Locate", &error, &reply, "s", path);
        if (r < 0)
                return context_complain(context, r, &error, "Failed to locate '%s'", argv[0]);

        r = read_reply(reply, argv[0], &value, &copies);
        if (r < 0)
                return complain(r, "Failed to read the master's reply: %m");

        return print(context, value, copies);
}
