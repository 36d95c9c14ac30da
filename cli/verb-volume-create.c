/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The verbs that set up volumes on this machine: their configuration and their units. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "core/cluster.h"
#include "dkvadm.h"
#include "units.h"
#include "volume-file.h"

/* A daemon that has just been started is known after its first report. */
#define REPORT_WAIT_USEC  (10 * USEC_PER_SEC)
#define REPORT_RETRY_USEC (200 * USEC_PER_MSEC)

#define PORT_FIRST 3000 /* volume N listens at this + N */

/* The names of a volume's units, and the master's object of it. */
typedef struct VolumeNames {
        char socket[sizeof("dkv-volume@.socket") + 10];
        char service[sizeof("dkv-volume@.service") + 10];
        char object[sizeof(MASTER_PATH "/volume/") + 10];
        char *units[3];
} VolumeNames;

static void volume_names_init(VolumeNames *names, uint32_t number) {
        (void) snprintf(names->socket, sizeof(names->socket), "dkv-volume@%" PRIu32 ".socket",
                        number);
        (void) snprintf(names->service, sizeof(names->service), "dkv-volume@%" PRIu32 ".service",
                        number);
        (void) snprintf(names->object, sizeof(names->object), MASTER_PATH "/volume/%" PRIu32,
                        number);

        /* The socket first: if the service stood first, connections could start it again. */
        names->units[0] = names->socket;
        names->units[1] = names->service;
        names->units[2] = NULL;
}

/* What can be seen without touching anything. Returns 0, EXIT_USAGE or a negative errno. */
static int check_create(const Context *context, uint32_t number, const char *path) {
        if (context->directory && context->directory[0] != '/')
                return complain_usage(
                                "--directory takes an absolute path, not '%s'.",
                                context->directory);
        if (context->weight > WEIGHT_MAX)
                return complain_usage("--weight is a number from 1 to %u.", (unsigned) WEIGHT_MAX);
        if (!context->listen && number > UINT16_MAX - PORT_FIRST)
                return complain_usage("Volume %" PRIu32 " needs --listen=ADDRESS:PORT.", number);
        if (context->root && (context->add || context->weight > 0))
                return complain_usage(
                                "With --root nothing is started: --add and --weight have to wait.");

        if (context->master && (context->add || context->weight > 0))
                return complain_usage(
                                "With --master, --add and --weight are to be said where the master is.");

        if (faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
                (void) complain(-EEXIST, "Volume %" PRIu32 " is configured already, by '%s'.",
                                number, path);
                advise("To change it, edit that file; then: systemctl restart dkv-volume@%" PRIu32,
                       number);
                return -EEXIST;
        }
        return 0;
}

static int call_set_weight(Context *context, const char *object, sd_bus_error *reterr_error) {
        return sd_bus_call_method(
                        context->bus, MASTER_NAME, object, MASTER_VOLUME_INTERFACE, "Set",
                        reterr_error, NULL, "a{sv}", 1, "weight", "u", (uint32_t) context->weight);
}

/* Sets the weight as soon as the master knows the volume. */
static int set_weight(Context *context, const char *object) {
        uint64_t deadline = clock_monotonic() + REPORT_WAIT_USEC;
        int r;

        for (;;) {
                _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
                const struct timespec pause = { .tv_nsec = REPORT_RETRY_USEC * 1000 };

                r = call_set_weight(context, object, &error);
                if (r >= 0)
                        return 0;
                if (!sd_bus_error_has_name(&error, SD_BUS_ERROR_UNKNOWN_OBJECT) ||
                    clock_monotonic() >= deadline)
                        return context_complain(context, r, &error, "Failed to set the weight");

                (void) nanosleep(&pause, NULL);
        }
}

/* Tells the master about a volume that runs by now. */
static int join(Context *context, uint32_t number, const VolumeNames *names) {
        int r = 0;

        if (context->master) {
                context_say(context,
                            "To store values on it, say where the master is: dkvadm volume add %" PRIu32,
                            number);
                return 0;
        }

        if (context->weight > 0)
                r = set_weight(context, names->object);
        if (r >= 0 && context->add)
                r = master_add_volumes(context, &number, 1);
        if (r < 0) {
                advise("The volume runs. If its master is on another machine, give it Master= and the master's "
                       "secret, then say there: dkvadm volume add %" PRIu32,
                       number);
                return r;
        }

        if (context->add)
                context_say(context, "Volume %" PRIu32 " is active.", number);
        else
                context_say(context, "To store values on it: dkvadm volume add %" PRIu32, number);
        return 0;
}

/* The volume may run already, with the settings it has without a configuration. */
static int start(Context *context, const VolumeNames *names) {
        int r;

        r = units_stop(context->bus, names->units);
        if (r < 0)
                return r;
        r = units_enable(context->bus, names->units);
        if (r < 0)
                return r;
        return units_start(context->bus, names->units);
}

int verb_volume_create(int argc, char *argv[], void *userdata) {
        Context *context = userdata;
        _cleanup_free_ char *path = NULL;
        VolumeNames names;
        uint32_t number;
        int r;

        r = parse_volume(argv[0], &number);
        if (r != 0)
                return r;
        r = context_check_local(context, "volume create");
        if (r != 0)
                return r;
        volume_names_init(&names, number);
        r = volume_file_path(context->root, number, &path);
        if (r < 0)
                return r;

        r = check_create(context, number, path);
        if (r != 0)
                return r;
        r = context->root ? 0 : context_connect(context);
        if (r < 0)
                return r;
        r = context->directory ? volume_directory_make(context->root, context->directory) : 0;
        if (r < 0)
                return r;
        r = volume_file_write(
                        path, number,
                        &(VolumeFileInput){
                                        .directory = context->directory,
                                        .listen = context->listen,
                                        .master = context->master,
                                        .zone = context->zone,
                        });
        if (r < 0)
                return r;
        context_say(context, "Volume %" PRIu32 " is configured by '%s'.", number, path);
        if (context->root)
                return 0;

        r = start(context, &names);
        if (r < 0) {
                advise("The configuration stays; to take it back: dkvadm volume remove-config %" PRIu32,
                       number);
                return r;
        }
        context_say(context, "%s is running.", names.service);
        return join(context, number, &names);
}

/* What the master says of the volume. It is not started for that: a new one knows nothing. Returns
 * 0, or a negative errno, for -ENOENT without having said anything: the master knows no such
 * volume. */
static int ask_state(Context *context, uint32_t number, const char *object, char **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL, *reply = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        const char *state;
        int r;

        r = sd_bus_message_new_method_call(
                        context->bus, &call, MASTER_NAME, object, "org.freedesktop.DBus.Properties",
                        "Get");
        if (r >= 0)
                r = sd_bus_message_append(call, "ss", MASTER_VOLUME_INTERFACE, "State");
        if (r >= 0)
                r = sd_bus_message_set_auto_start(call, false);
        if (r >= 0)
                r = sd_bus_call(context->bus, call, 0, &error, &reply);
        if (sd_bus_error_has_name(&error, SD_BUS_ERROR_UNKNOWN_OBJECT))
                return -ENOENT;
        if (r >= 0)
                r = sd_bus_message_read(reply, "v", "s", &state);
        if (r < 0)
                return context_complain(
                                context, r, &error,
                                "Failed to ask the master about volume %" PRIu32, number);

        *ret = strdup(state);
        return *ret ? 0 : complain(-ENOMEM, "Failed to ask the master: %m");
}

/* Whether values could be on the volume that the cluster counts on. */
static int check_unused(Context *context, uint32_t number, const char *object) {
        _cleanup_free_ char *state = NULL;
        int r;

        r = ask_state(context, number, object, &state);
        if (r == -ENOENT)
                return 0;
        if (r < 0) {
                advise("Ask it where it runs: dkvadm volume show %" PRIu32
                       ". If the volume is new or removed, "
                       "use --force here.",
                       number);
                return r;
        }
        if (strcmp(state, "new") == 0 || strcmp(state, "removed") == 0)
                return 0;

        (void) complain(-EBUSY,
                        "Volume %" PRIu32 " is %s: values that the cluster needs are on it.",
                        number, state);
        advise("To stop it for a while: systemctl stop dkv-volume@%" PRIu32
               ".socket dkv-volume@%" PRIu32,
               number, number);
        return -EBUSY;
}

/* Removes the file, and ends what runs, in an order in which it does not come back. */
static int remove_file(Context *context, const char *path, const VolumeNames *names) {
        int r;

        r = context->root ? 0 : units_stop(context->bus, names->units);
        if (r < 0)
                return r;
        if (unlink(path) < 0)
                return complain(-errno, "Failed to remove '%s': %m", path);

        return context->root ? 0 : units_disable(context->bus, names->units);
}

static int check_remove(Context *context, uint32_t number, const VolumeNames *names) {
        int r;

        if (context->root)
                return 0;

        r = context_connect(context);
        if (r < 0 || context->force)
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
        r = volume_file_path(context->root, number, &path);
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

        context_say(context, "Volume %" PRIu32 " is not configured here any more.", number);
        if (*file.directory)
                context_say(context, "Its values are still in '%s'.", file.directory);
        else
                context_say(context, "Its values are still in '/var/lib/dkv/volume-%" PRIu32 "'.",
                            number);
        return 0;
}
