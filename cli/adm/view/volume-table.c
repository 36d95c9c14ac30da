/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "adm/view/volume-table.h"
#include "base/clock.h"
#include "frame/format.h"

/* clang-format off */
static const Column columns[] = {
        { "VOLUME",  "number",            .right = true   },
        { "STATE",   "state"                              },
        { "UP",      "up"                                 },
        { NULL,      "maintenance_until"                  },
        { "URL",     "url",               .shrinks = true },
        { "ZONE",    "zone",              .shrinks = true },
        { "WEIGHT",  "weight",            .right = true   },
        { "FREE",    "disk_free",         .right = true   },
        { NULL,      "disk_size"                          },
        { "OBJECTS", "objects",           .right = true   },
        { NULL,      "bytes"                              },
        { NULL,      "pending"                            },
        { "SEEN",    "last_seen"                          },
        {}
};

static const Column detailed_columns[] = {
        { "Volume",      "number"            },
        { "State",       "state"             },
        { "Up",          "up"                },
        { "Maintenance", "maintenance_until" },
        { "URL",         "url"               },
        { "Zone",        "zone"              },
        { "Weight",      "weight"            },
        { "UUID",        "uuid"              },
        { "Free",        "disk_free"         },
        { "Disk",        "disk_size"         },
        { "Objects",     "objects"           },
        { "Bytes",       "bytes"             },
        { "Pending",     "pending"           },
        { "Last seen",   "last_seen"         },
        {}
};

static const Column store_columns[] = {
        { "VOLUME",     "number",         .right = true   },
        { "TO MASTER",  "master_accepts"                  },
        { "MASTER",     "master",         .shrinks = true },
        { "LISTEN",     "listen",         .shrinks = true },
        { "FREE",       "disk_free",      .right = true   },
        { NULL,         "disk_size"                       },
        { "OBJECTS",    "objects",        .right = true   },
        { "DIRECTORY",  "directory",      .shrinks = true },
        {}
};
/* clang-format on */

static void add_state(Table *table, const VolumeView *volume) {
        bool active = strcmp(volume->state, "active") == 0;

        table_add_coloured(table, active ? COLOUR_NONE : COLOUR_YELLOW, volume->state);
}

void volume_table_add_up(Table *table, const VolumeView *volume) {
        bool removed = strcmp(volume->state, "removed") == 0,
             maintenance = volume->maintenance_until > 0;
        const char *text = removed       ? "-"
                           : maintenance ? volume->up ? "maint." : "maint. down"
                           : volume->up  ? "up"
                                         : "down";
        Colour colour = removed       ? COLOUR_GREY
                        : maintenance ? COLOUR_YELLOW
                        : volume->up  ? COLOUR_GREEN
                                      : COLOUR_RED;

        table_add(table, colour, json_new_bool(volume->up), "%s", text);
}

static void add_maintenance(Table *table, uint64_t until, uint64_t now) {
        char text[FORMAT_SIZE];

        table_add(table, until > 0 ? COLOUR_YELLOW : COLOUR_NONE, json_new_uint(until), "%s%s",
                  until > 0 && until != UINT64_MAX ? "until " : "",
                  until == 0            ? "no"
                  : until == UINT64_MAX ? "until turned off"
                                        : format_time(text, until, now));
}

static void add_free(Table *table, uint64_t disk_free, uint64_t disk_size, bool nearly_full) {
        char text[FORMAT_SIZE];

        table_add(table, nearly_full ? COLOUR_RED : COLOUR_NONE, json_new_uint(disk_free), "%s",
                  disk_size > 0 ? format_share(text, disk_free, disk_size) : "-");
}

/* Nearly every URL begins like this, and the table is short of columns. */
static void add_url(Table *table, const char *url) {
        static const char scheme[] = "http://";
        bool usual = strncmp(url, scheme, strlen(scheme)) == 0;

        table_add(table, COLOUR_NONE, json_new_string(url), "%s",
                  usual  ? url + strlen(scheme)
                  : *url ? url
                         : "-");
}

/* Many clusters have no zones, and volumes of equal weight. */
static void hide_what_says_nothing(Table *table, const View *view) {
        bool zones = false, weights = false;

        for (size_t i = 0; i < view->n_volumes; i++) {
                zones = zones || *view->volumes[i].zone;
                weights = weights || view->volumes[i].weight != 1;
        }
        if (!zones)
                table_hide(table, "zone");
        if (!weights)
                table_hide(table, "weight");
}

VolumeTableRows volume_table_rows(const Context *context) {
        return context->options.all || context->output.json != JSON_OFF ? VOLUME_TABLE_WITH_REMOVED
                                                                        : VOLUME_TABLE_PRESENT;
}

int volume_table_new(const View *view, VolumeTableRows rows, Table **ret) {
        uint64_t now = clock_realtime();
        Table *table;
        int r;

        r = table_new(columns, &table);
        if (r < 0)
                return r;

        for (size_t i = 0; i < view->n_volumes; i++) {
                const VolumeView *volume = view->volumes + i;

                if (rows == VOLUME_TABLE_PRESENT && strcmp(volume->state, "removed") == 0)
                        continue;
                table_add_uint(table, volume->number);
                add_state(table, volume);
                volume_table_add_up(table, volume);
                add_maintenance(table, volume->maintenance_until, now);
                add_url(table, volume->url);
                table_add_string(table, volume->zone);
                table_add_uint(table, volume->weight);
                add_free(table, volume->disk_free, volume->disk_size, volume->nearly_full);
                table_add_uint(table, volume->disk_size);
                table_add_uint(table, volume->objects);
                table_add_uint(table, volume->bytes);
                table_add_uint(table, volume->pending);
                table_add_ago(table, volume->last_seen, now);
        }
        hide_what_says_nothing(table, view);

        *ret = table;
        return 0;
}

int volume_table_new_detailed(const VolumeView *volume, Table **ret) {
        uint64_t now = clock_realtime();
        char time[FORMAT_SIZE], ago[FORMAT_SIZE];
        Table *table;
        int r;

        r = table_new(detailed_columns, &table);
        if (r < 0)
                return r;

        table_add_uint(table, volume->number);
        add_state(table, volume);
        volume_table_add_up(table, volume);
        add_maintenance(table, volume->maintenance_until, now);
        table_add_string(table, volume->url);
        table_add_string(table, volume->zone);
        table_add_uint(table, volume->weight);
        table_add_string(table, volume->uuid);
        add_free(table, volume->disk_free, volume->disk_size, volume->nearly_full);
        table_add_bytes(table, volume->disk_size);
        table_add_uint(table, volume->objects);
        table_add_bytes(table, volume->bytes);
        table_add_uint(table, volume->pending);
        if (volume->last_seen > 0)
                table_add(table, COLOUR_NONE, json_new_uint(volume->last_seen), "%s (%s)",
                          format_time(time, volume->last_seen, now),
                          format_ago(ago, volume->last_seen, now));
        else
                table_add_ago(table, 0, now);

        *ret = table;
        return 0;
}

int store_table_new(const StoreView stores[], size_t n, Table **ret) {
        Table *table;
        int r;

        r = table_new(store_columns, &table);
        if (r < 0)
                return r;

        for (size_t i = 0; i < n; i++) {
                const StoreView *store = stores + i;
                bool accepted = store->master_accepts;

                table_add_uint(table, store->number);
                table_add(table, accepted ? COLOUR_GREEN : COLOUR_RED, json_new_bool(accepted),
                          "%s", accepted ? "reports" : "no answer");
                table_add_string(table, store->master);
                table_add_string(table, store->listen);
                add_free(table, store->disk_free, store->disk_size, false);
                table_add_uint(table, store->disk_size);
                table_add_uint(table, store->objects);
                table_add_string(table, store->directory);
        }

        *ret = table;
        return 0;
}
