/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The verbs of volumes that talk to the master. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "adm/context/bus-names.h"
#include "adm/context/context.h"
#include "adm/verb/arguments.h"
#include "adm/verb/volume/volume.h"
#include "adm/view/view.h"
#include "adm/view/volume-table.h"
#include "base/clock.h"
#include "core/placement/cluster.h"
#include "frame/format.h"
#include "frame/time-parse.h"

static int get_view(Context *context, View **ret) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        r = context_connect(context);
        if (r < 0)
                return r;

        r = view_get(context->connection.bus, &error, ret);
        if (r < 0)
                return context_complain(context, r, &error, "Failed to query the master");

        return 0;
}

int verb_volume_list(int argc, char *argv[], void *userdata) {
        Context *context = userdata;
        _cleanup_(view_freep) View *view = NULL;
        _cleanup_(table_freep) Table *table = NULL;
        int r;

        r = get_view(context, &view);
        if (r < 0)
                return r;

        r = volume_table_new(view, volume_table_rows(context), &table);
        if (r < 0)
                return complain(r, "Failed to list the volumes: %m");

        if (table_rows(table) == 0 && context->output.json == JSON_OFF) {
                output_say(&context->output,
                           view->n_volumes == 0
                                           ? "No volumes yet. To create one: dkvadm volume create 1 --add"
                                           : "All volumes have been removed; --all shows them.");
                return 0;
        }
        return output_print_table(&context->output, table);
}

int verb_volume_show(int argc, char *argv[], void *userdata) {
        Context *context = userdata;
        _cleanup_(view_freep) View *view = NULL;
        _cleanup_(table_freep) Table *table = NULL;
        const VolumeView *volume;
        uint32_t number;
        int r;

        r = parse_volume(argv[0], &number);
        if (r != 0)
                return r;
        r = get_view(context, &view);
        if (r < 0)
                return r;

        volume = view_find(view, number);
        if (!volume) {
                (void) complain(-ENOENT, "The master knows no volume %" PRIu32 ".", number);
                advise("To list the volumes: dkvadm volume list. To create it: dkvadm volume create %" PRIu32,
                       number);
                return -ENOENT;
        }

        r = volume_table_new_detailed(volume, &table);
        if (r < 0)
                return complain(r, "Failed to show the volume: %m");

        return output_print_list(&context->output, table);
}

/* A method of the volume's object; the caller appends the arguments. */
static int new_volume_call(
                Context *context, uint32_t number, const char *method, sd_bus_message **ret) {
        char path[sizeof(MASTER_PATH "/volume/") + DECIMAL_SIZE(uint32_t)];

        (void) snprintf(path, sizeof(path), MASTER_PATH "/volume/%" PRIu32, number);
        return sd_bus_message_new_method_call(
                        context->connection.bus, ret, MASTER_NAME, path, MASTER_VOLUME_INTERFACE,
                        method);
}

/* Sends CALL, which has been built if R is not negative. */
static int finish_volume_call(Context *context, sd_bus_message *call, int r, uint32_t number) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;

        if (r >= 0)
                r = sd_bus_call(context->connection.bus, call, 0, &error, NULL);
        if (r >= 0)
                return 0;

        if (!sd_bus_error_has_name(&error, SD_BUS_ERROR_UNKNOWN_OBJECT))
                return context_complain(
                                context, r, &error, "Failed to change volume %" PRIu32, number);

        (void) complain(r, "Failed to change volume %" PRIu32 ": The master knows no such volume.",
                        number);
        advise("To list the volumes: dkvadm volume list");
        return r;
}

static int append_settings(const Context *context, sd_bus_message *call) {
        int r;

        r = sd_bus_message_open_container(call, 'a', "{sv}");
        if (r >= 0 && context->options.weight > 0)
                r = sd_bus_message_append(
                                call, "{sv}", "weight", "u", (uint32_t) context->options.weight);
        if (r >= 0 && context->options.zone)
                r = sd_bus_message_append(call, "{sv}", "zone", "s", context->options.zone);
        if (r >= 0 && context->options.url)
                r = sd_bus_message_append(call, "{sv}", "url", "s", context->options.url);
        if (r >= 0 && context->options.epoch > 0)
                r = sd_bus_message_append(call, "{sv}", "epoch", "t", context->options.epoch);

        return r < 0 ? r : sd_bus_message_close_container(call);
}

int verb_volume_set(int argc, char *argv[], void *userdata) {
        Context *context = userdata;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        uint32_t number;
        int r;

        r = parse_volume(argv[0], &number);
        if (r != 0)
                return r;
        if (context->options.weight == 0 && !context->options.zone && !context->options.url)
                return complain_usage("Nothing to set: give --weight, --zone or --url.");
        if (context->options.weight > WEIGHT_MAX)
                return complain_usage(
                                "--weight takes a number from 1 to %u.", (unsigned) WEIGHT_MAX);
        r = context_connect(context);
        if (r < 0)
                return r;

        r = new_volume_call(context, number, "Set", &call);
        if (r >= 0)
                r = append_settings(context, call);
        r = finish_volume_call(context, call, r, number);
        if (r < 0)
                return r;

        output_say(&context->output, "Settings of volume %" PRIu32 " changed.", number);
        return 0;
}

/* "2h" from now, as a time of day. */
static int parse_until(const char *argument, uint64_t now, uint64_t *ret) {
        uint64_t span;

        if (!argument) {
                *ret = UINT64_MAX;
                return 0;
        }
        if (parse_span(argument, &span) < 0 || span < USEC_PER_SEC)
                return complain_usage("Invalid time '%s'; valid are 30min, 2h or 1d.", argument);

        *ret = now + span;
        return 0;
}

/* Warns about what the cluster cannot do while volume NUMBER takes no new values and may be
 * down. */
static void warn_about_maintenance(Context *context, uint32_t number) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(view_freep) View *view = NULL;
        uint32_t n = 0, needed;

        if (view_get(context->connection.bus, &error, &view) < 0)
                return; /* the call that follows says why */

        for (size_t i = 0; i < view->n_volumes; i++) {
                const VolumeView *volume = view->volumes + i;

                n += strcmp(volume->state, "active") == 0 && volume->up &&
                     volume->number != number && volume->maintenance_until == 0;
        }

        needed = view->copies / 2 + 1;
        if (n < needed)
                advise("Warning: Nothing can be stored in the meantime. A write needs %" PRIu32
                       " of its %" PRIu32 " %s, and %" PRIu32 " %s left for new values.",
                       needed, view->copies, plural(view->copies, "copy", "copies"), n,
                       plural(n, "volume is", "volumes are"));
        else if (n < view->copies)
                advise("Warning: Values stored in the meantime get %" PRIu32 " of %" PRIu32
                       " copies. When maintenance is over: dkvadm rebalance",
                       n, view->copies);
        if (view->copies == 1)
                advise("Warning: Values on volume %" PRIu32
                       " have no other copy and cannot be read while it is down.",
                       number);
}

static int append_epoch(const Context *context, sd_bus_message *call) {
        uint64_t epoch = context->options.epoch;

        return epoch > 0 ? sd_bus_message_append(call, "a{sv}", 1, "epoch", "t", epoch)
                         : sd_bus_message_append(call, "a{sv}", 0);
}

int verb_volume_maintenance(int argc, char *argv[], void *userdata) {
        Context *context = userdata;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        bool on = strcmp(argv[1], "on") == 0;
        uint64_t now = clock_realtime(), until = 0;
        char text[FORMAT_SIZE];
        uint32_t number;
        int r;

        r = parse_volume(argv[0], &number);
        if (r != 0)
                return r;
        if (!on && (argc > 2 || strcmp(argv[1], "off") != 0))
                return complain_usage("Usage: dkvadm volume maintenance N on [TIME], or off");
        r = on ? parse_until(argc > 2 ? argv[2] : NULL, now, &until) : 0;
        if (r != 0)
                return r;
        r = context_connect(context);
        if (r < 0)
                return r;

        if (on)
                warn_about_maintenance(context, number);
        r = new_volume_call(context, number, "SetMaintenance", &call);
        if (r >= 0)
                r = sd_bus_message_append(call, "t", until);
        if (r >= 0)
                r = append_epoch(context, call);
        r = finish_volume_call(context, call, r, number);
        if (r < 0)
                return r;

        if (until == 0)
                output_say(&context->output, "Volume %" PRIu32 " left maintenance.", number);
        else
                output_say(&context->output, "Volume %" PRIu32 " is in maintenance until %s.",
                           number,
                           until == UINT64_MAX ? "turned off" : format_time(text, until, now));
        return 0;
}
