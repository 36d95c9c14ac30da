/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The verb that sets up a volume on this machine: its configuration and its units. All that can be
 * checked is checked before anything is written; a later failure undoes everything. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "adm/context/bus-names.h"
#include "adm/context/context.h"
#include "adm/machine/unit-log.h"
#include "adm/machine/units.h"
#include "adm/machine/volume-file.h"
#include "adm/machine/volume-names.h"
#include "adm/machine/volume-place.h"
#include "adm/verb/arguments.h"
#include "adm/verb/change.h"
#include "adm/verb/volume/create.h"
#include "base/clock.h"
#include "core/placement/cluster.h"
#include "frame/properties.h"

/* The master knows a new volume only after its first report. */
#define REPORT_WAIT_USEC  (10 * USEC_PER_SEC)
#define REPORT_RETRY_USEC (200 * USEC_PER_MSEC)

/* One volume on its way. */
typedef struct Creation {
        Context *context;
        uint32_t number;
        VolumeNames names;
        VolumePlace place;
        char *path;     /* owned; of its settings */
        bool made;      /* the directory did not exist before */
        uint64_t begun; /* realtime */
} Creation;

static void creation_done(Creation *creation) {
        volume_place_done(&creation->place);
        free(creation->path);
}

/* Checks what can be checked without a daemon. Returns 0, EXIT_USAGE or a negative errno. */
static int check_options(const Creation *creation) {
        const Context *context = creation->context;

        if (context->options.directory && context->options.directory[0] != '/')
                return complain_usage(
                                "--directory takes an absolute path, not '%s'.",
                                context->options.directory);
        if (context->options.weight > WEIGHT_MAX)
                return complain_usage(
                                "--weight takes a number from 1 to %u.", (unsigned) WEIGHT_MAX);
        if (context->options.root && (context->options.add || context->options.weight > 0))
                return complain_usage(
                                "--add and --weight do not go with --root, which starts nothing.");
        if (context->options.master && (context->options.add || context->options.weight > 0))
                return complain_usage(
                                "--add and --weight do not go with --master; use dkvadm where the master runs.");

        if (faccessat(AT_FDCWD, creation->path, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
                (void) complain(-EEXIST, "Volume %" PRIu32 " is already configured in '%s'.",
                                creation->number, creation->path);
                advise("To change it, edit that file, then: systemctl restart dkv-volume@%" PRIu32,
                       creation->number);
                return -EEXIST;
        }
        return 0;
}

/* Refuses the number of a removed volume before anything is written. */
static int check_number(const Creation *creation) {
        _cleanup_free_ char *state = NULL;
        int r;

        if (!creation->place.is_here)
                return 0;

        r = property_get_string(
                        creation->context->connection.bus, MASTER_NAME, creation->names.object,
                        MASTER_VOLUME_INTERFACE, "State", false, &state, NULL);
        if (r < 0 || strcmp(state, "removed") != 0)
                return 0; /* it is unknown, or was moved here, as far as we can tell */

        (void) complain(-EEXIST,
                        "Volume %" PRIu32
                        " was removed from the cluster, and its number cannot be used again.",
                        creation->number);
        advise("Choose another one; to list those in use: dkvadm volume list --all");
        return -EEXIST;
}

static int write_settings(Creation *creation) {
        Context *context = creation->context;
        int r;

        r = context->options.directory
                            ? volume_directory_make(
                                              context->options.root, creation->number,
                                              context->options.directory, &creation->made)
                            : 0;
        if (r < 0)
                return r;

        r = volume_file_write(
                        creation->path, creation->number,
                        &(VolumeFileInput){
                                        .directory = context->options.directory,
                                        .listen = creation->place.listen,
                                        .master = creation->place.master,
                                        .zone = context->options.zone,
                        });
        if (r < 0)
                volume_file_take_back(
                                context->options.root, creation->path, context->options.directory,
                                creation->made);
        return r;
}

/* The volume may already be running without a configuration, with default settings. */
static int start(const Creation *creation) {
        static char *const target[] = { (char *) "dkv.target", NULL };
        sd_bus *bus = creation->context->connection.bus;
        int r;

        r = units_reload(bus);
        if (r >= 0)
                r = units_stop(bus, creation->names.units);
        if (r >= 0)
                r = units_enable(bus, target); /* it starts all enabled daemons at boot */
        if (r >= 0)
                r = units_enable(bus, creation->names.units);
        if (r >= 0)
                r = units_start(bus, creation->names.units);
        return r;
}

/* Undoes everything, and prints what the daemon has logged. */
static void take_back(const Creation *creation) {
        sd_bus *bus = creation->context->connection.bus;

        (void) units_stop(bus, creation->names.units);
        volume_file_take_back(
                        NULL, creation->path, creation->context->options.directory, creation->made);
        (void) units_disable(bus, creation->names.units);
        unit_log_print(creation->names.units, creation->begun);
        advise("Nothing was changed: the settings of volume %" PRIu32 " were removed again.",
               creation->number);
}

/* Asks the volume whether its master accepts its reports. */
static int ask_volume(const Creation *creation, bool *ret) {
        int accepts, r;

        r = sd_bus_get_property_trivial(
                        creation->context->connection.bus, creation->names.bus_name, STORE_PATH,
                        STORE_INTERFACE, "MasterAccepts", NULL, 'b', &accepts);
        if (r >= 0)
                *ret = accepts;
        return r;
}

static int complain_unaccepted(const Creation *creation, int error) {
        const char *master = creation->place.master ?: "http://127.0.0.1:3000";
        _cleanup_free_ char *reason = NULL;

        (void) property_get_string(
                        creation->context->connection.bus, creation->names.bus_name, STORE_PATH,
                        STORE_INTERFACE, "MasterError", false, &reason, NULL);
        if (reason && *reason)
                (void) complain(-EHOSTUNREACH,
                                "Volume %" PRIu32 " is running but is not in a cluster: %s",
                                creation->number, reason);
        else
                (void) complain(error,
                                "Volume %" PRIu32
                                " is running, but its master at '%s' has not answered within 10 s.",
                                creation->number, master);
        if (!creation->place.master && !creation->place.is_here)
                advise("If its master is on another machine, start over and name it: "
                       "dkvadm volume remove-config %" PRIu32
                       " --force; dkvadm volume create %" PRIu32 " --master=http://ADDRESS:3000",
                       creation->number, creation->number);
        else
                advise("It keeps trying. To remove it again: dkvadm volume remove-config %" PRIu32
                       " --force",
                       creation->number);
        return -EHOSTUNREACH;
}

/* Waits until the volume says that its master accepts it, wherever that master is. */
static int await_acceptance(const Creation *creation) {
        uint64_t deadline = clock_monotonic() + REPORT_WAIT_USEC;

        for (;;) {
                const struct timespec pause = { .tv_nsec = REPORT_RETRY_USEC * 1000 };
                bool accepts = false;
                int r;

                r = ask_volume(creation, &accepts);
                if (r >= 0 && accepts)
                        return 0;
                if (clock_monotonic() >= deadline)
                        return complain_unaccepted(creation, r < 0 ? r : -ETIMEDOUT);

                (void) nanosleep(&pause, NULL);
        }
}

/* Applies --weight and --add to the volume, which the master knows by now. */
static int join(const Creation *creation) {
        Context *context = creation->context;
        uint32_t number = creation->number;
        int r = 0;

        if (context->options.weight > 0) {
                _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;

                r = sd_bus_call_method(
                                context->connection.bus, MASTER_NAME, creation->names.object,
                                MASTER_VOLUME_INTERFACE, "Set", &error, NULL, "a{sv}", 1, "weight",
                                "u", (uint32_t) context->options.weight);
                if (r < 0)
                        return context_complain(context, r, &error, "Failed to set the weight");
        }
        if (context->options.add)
                r = master_add_volumes(context, &number, 1);
        if (r < 0)
                return r;

        if (context->options.add)
                output_say(&context->output, "Volume %" PRIu32 " is active.", number);
        else if (context->options.master)
                output_say(&context->output,
                           "To store values on it, run on the master's machine: dkvadm volume add %" PRIu32,
                           number);
        else
                output_say(&context->output, "To store values on it: dkvadm volume add %" PRIu32,
                           number);
        return 0;
}

static int create(Creation *creation) {
        Context *context = creation->context;
        int r;

        r = check_options(creation);
        if (r != 0)
                return r;
        r = context->options.root ? 0 : context_connect(context);
        if (r < 0)
                return r;
        r = volume_place_find(
                        context->connection.bus, creation->number, context->options.listen,
                        context->options.master, &creation->place);
        if (r != 0)
                return r;
        r = check_number(creation);
        if (r < 0)
                return r;

        r = write_settings(creation);
        if (r < 0)
                return r;
        r = context->options.root ? 0 : start(creation);
        if (r < 0) {
                take_back(creation);
                return r;
        }
        output_say(&context->output, "Volume %" PRIu32 " is configured in '%s'.", creation->number,
                   creation->path);
        if (context->options.root)
                return 0;

        r = await_acceptance(creation);
        if (r < 0)
                return r;
        output_say(&context->output, "%s is running.", creation->names.service);
        return join(creation);
}

int verb_volume_create(int argc, char *argv[], void *userdata) {
        _cleanup_(creation_done)
                        Creation creation = { .context = userdata, .begun = clock_realtime() };
        int r;

        r = parse_volume(argv[0], &creation.number);
        if (r != 0)
                return r;
        r = context_check_local(creation.context, "volume create");
        if (r != 0)
                return r;
        volume_names_init(&creation.names, creation.number);
        r = volume_file_path(creation.context->options.root, creation.number, &creation.path);
        return r < 0 ? r : create(&creation);
}
