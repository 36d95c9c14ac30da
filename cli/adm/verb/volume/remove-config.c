/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The verb that removes a volume from this machine: its configuration and its units. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "adm/context/bus-names.h"
#include "adm/context/context.h"
#include "adm/machine/units.h"
#include "adm/machine/volume-file.h"
#include "adm/machine/volume-names.h"
#include "adm/verb/arguments.h"
#include "adm/verb/volume/remove-config.h"
#include "frame/properties.h"

/* Asks the master for the state of the volume, without starting one, which would know nothing.
 * Returns 0, -ENOENT if the master knows no such volume, or another negative errno, having said
 * what is wrong. */
static int ask_state(Context *context, uint32_t number, const char *object, char **ret) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        r = property_get_string(
                        context->connection.bus, MASTER_NAME, object, MASTER_VOLUME_INTERFACE,
                        "State", false, ret, &error);
        if (sd_bus_error_has_name(&error, SD_BUS_ERROR_UNKNOWN_OBJECT))
                return -ENOENT;
        return r < 0 ? context_complain(
                                       context, r, &error,
                                       "Failed to query the master about volume %" PRIu32, number)
                     : 0;
}

/* Fails if the cluster may need values that are on the volume. */
static int check_unused(Context *context, uint32_t number, const char *object) {
        _cleanup_free_ char *state = NULL;
        int r;

        r = ask_state(context, number, object, &state);
        if (r == -ENOENT)
                return 0;
        if (r < 0) {
                advise("Ask it on its own machine: dkvadm volume show %" PRIu32
                       ". If the volume is new or removed, "
                       "use --force here.",
                       number);
                return r;
        }
        if (strcmp(state, "new") == 0 || strcmp(state, "removed") == 0)
                return 0;

        (void) complain(-EBUSY, "Volume %" PRIu32 " is %s and holds values that the cluster needs.",
                        number, state);
        advise("To stop it temporarily: systemctl stop dkv-volume@%" PRIu32
               ".socket dkv-volume@%" PRIu32,
               number, number);
        return -EBUSY;
}

/* Stops the units and removes the file, in an order in which nothing starts again. */
static int remove_file(Context *context, const char *path, const VolumeNames *names) {
        int r;

        r = context->options.root ? 0 : units_reload(context->connection.bus);
        if (r >= 0 && !context->options.root)
                r = units_stop(context->connection.bus, names->units);
        if (r < 0)
                return r;
        if (unlink(path) < 0)
                return complain(-errno, "Failed to remove '%s': %m", path);

        return context->options.root ? 0 : units_disable(context->connection.bus, names->units);
}

static int check_remove(Context *context, uint32_t number, const VolumeNames *names) {
        int r;

        if (context->options.root)
                return 0;

        r = context_connect(context);
        if (r < 0 || context->options.force)
                return r;
        return check_unused(context, number, names->object);
}

int verb_volume_remove_config(int argc, char *argv[], void *userdata) {
        Context *context = userdata;
        _cleanup_(volume_file_done) VolumeFile file = {};
        _cleanup_free_ char *path = NULL;
        VolumeNames names;
        uint32_t number;
        int r;

        r = parse_volume(argv[0], &number);
        if (r != 0)
                return r;
        r = context_check_local(context, "volume remove-config");
        if (r != 0)
                return r;
        volume_names_init(&names, number);
        r = volume_file_path(context->options.root, number, &path);
        if (r < 0)
                return r;

        if (access(path, F_OK) < 0)
                return complain(-errno, "Volume %" PRIu32 " has no configuration here: '%s': %m",
                                number, path);
        r = volume_file_load(path, &file);
        if (r < 0)
                return r;
        r = check_remove(context, number, &names);
        if (r < 0)
                return r;
        r = remove_file(context, path, &names);
        if (r < 0)
                return r;

        output_say(&context->output, "Volume %" PRIu32 " is no longer configured here.", number);
        if (*file.directory)
                output_say(&context->output, "Its values are still in '%s'.", file.directory);
        else
                output_say(&context->output,
                           "Its values are still in '/var/lib/dkv/volume-%" PRIu32 "'.", number);
        return 0;
}
