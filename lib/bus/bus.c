/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/error.h"
#include "bus/bus.h"

static int add_object(sd_bus *bus, const BusObject *object, void *base) {
        void *userdata = (uint8_t *) base + object->offset;
        int r = 0;

        if (object->vtable && object->find)
                r = sd_bus_add_fallback_vtable(
                                bus, NULL, object->path, object->interface, object->vtable,
                                object->find, userdata);
        else if (object->vtable)
                r = sd_bus_add_object_vtable(
                                bus, NULL, object->path, object->interface, object->vtable,
                                userdata);
        if (r >= 0 && object->enumerate)
                r = sd_bus_add_node_enumerator(
                                bus, NULL, object->path, object->enumerate, userdata);
        if (r >= 0 && object->manages)
                r = sd_bus_add_object_manager(bus, NULL, object->path);
        return r;
}

int bus_open(const char *address, sd_bus **ret) {
        _cleanup_(sd_bus_close_unrefp) sd_bus *bus = NULL;
        int r;

        if (strcmp(address, "system") == 0)
                return sd_bus_open_system(ret); /* which goes on in the background */

        r = sd_bus_new(&bus);
        if (r < 0)
                return r;
        r = sd_bus_set_address(bus, address);
        if (r < 0)
                return r;
        r = sd_bus_set_bus_client(bus, true);
        if (r < 0)
                return r;
        r = sd_bus_start(bus);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(bus);
        return 0;
}

int bus_add_objects(sd_bus *bus, const BusObject objects[], void *userdata) {
        int r;

        for (const BusObject *object = objects; object->path; object++) {
                r = add_object(bus, object, userdata);
                if (r < 0)
                        return r;
        }
        return 0;
}

static bool has_path(const BusObject *object, const char *path) {
        size_t n = strlen(object->path);

        if (!object->find)
                return strcmp(path, object->path) == 0;
        return strncmp(path, object->path, n) == 0 && path[n] == '/';
}

/* Registers what is at PATH. A member of a family becomes an object of its own: there is no daemon
 * to say which members exist. Returns -ENOENT if there is nothing. */
static int add_for_introspection(sd_bus *bus, const BusObject objects[], const char *path) {
        bool found = false;
        int r;

        for (const BusObject *object = objects; object->path; object++) {
                BusObject alone = {
                        .path = path,
                        .interface = object->interface,
                        .vtable = object->vtable,
                        .manages = object->manages,
                };

                if (!has_path(object, path))
                        continue;
                r = add_object(bus, &alone, NULL);
                if (r < 0)
                        return r;
                found = true;
        }
        return found ? 0 : -ENOENT;
}

static int introspect(sd_event *event, const BusObject objects[], const char *path) {
        _cleanup_(sd_bus_close_unrefp) sd_bus *server = NULL, *client = NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL, *reply = NULL;
        const char *xml;
        int r;

        r = bus_new_pair(event, &server, &client);
        if (r < 0)
                return r;
        r = add_for_introspection(server, objects, path);
        if (r < 0)
                return r;
        r = sd_bus_message_new_method_call(
                        client, &call, NULL, path, "org.freedesktop.DBus.Introspectable",
                        "Introspect");
        if (r < 0)
                return r;
        r = bus_run_call(client, call, &reply);
        if (r < 0)
                return r;
        if (sd_bus_message_is_method_error(reply, NULL))
                return -sd_bus_message_get_errno(reply);
        r = sd_bus_message_read(reply, "s", &xml);
        if (r < 0)
                return r;

        return fputs(xml, stdout) < 0 ? -EIO : 0;
}

int bus_print_introspection(const BusObject objects[], const char *path) {
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        int r;

        if (!sd_bus_object_path_is_valid(path))
                return -ENOENT;
        r = sd_event_new(&event);
        if (r < 0)
                return r;
        return introspect(event, objects, path);
}

int bus_fail(sd_bus_error *error, int r, const char *format, ...) {
        const ErrorInfo *info = error_info(r);
        char message[512];
        va_list arguments;

        assert(r < 0);

        if (!format) {
                (void) sd_bus_error_set(error, info->bus_name, info->title);
                return r;
        }

        va_start(arguments, format);
        (void) vsnprintf(message, sizeof(message), format, arguments);
        va_end(arguments);
        (void) sd_bus_error_set(error, info->bus_name, message);
        return r;
}

static int read_option(sd_bus_message *message, BusOption *option, sd_bus_error *error) {
        char type[] = { option->type, '\0' };
        const char *contents;
        int r;

        r = sd_bus_message_peek_type(message, NULL, &contents);
        if (r < 0)
                return r;
        if (strcmp(contents, type) != 0)
                return bus_fail(error, -EINVAL, "'%s' must be of type '%s', not '%s'.",
                                option->name, type, contents);
        r = sd_bus_message_read(message, "v", type, option->value);
        if (r < 0)
                return r;
        option->is_set = true;
        return 0;
}

int bus_read_entries(
                sd_bus_message *message,
                const char *contents,
                int (*on_entry)(sd_bus_message *message, void *userdata),
                void *userdata) {
        char entry[64];
        int r;

        assert(strlen(contents) + sizeof("{}") <= sizeof(entry));

        (void) snprintf(entry, sizeof(entry), "{%s}", contents);
        r = sd_bus_message_enter_container(message, 'a', entry);
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(message, 'e', contents)) > 0) {
                r = on_entry(message, userdata);
                if (r < 0)
                        return r;
                r = sd_bus_message_exit_container(message);
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return r;

        return sd_bus_message_exit_container(message);
}

typedef struct OptionsReader {
        BusOption *options;
        sd_bus_error *error;
} OptionsReader;

static int on_option(sd_bus_message *message, void *userdata) {
        OptionsReader *reader = userdata;
        const char *name;
        int r;

        r = sd_bus_message_read(message, "s", &name);
        if (r < 0)
                return r;

        for (BusOption *option = reader->options; option->name; option++)
                if (strcmp(option->name, name) == 0)
                        return read_option(message, option, reader->error);

        return bus_fail(reader->error, -EINVAL, "'%s' is nothing that can be given here.", name);
}

int bus_read_options(sd_bus_message *message, BusOption options[], sd_bus_error *error) {
        OptionsReader reader = { .options = options, .error = error };

        return bus_read_entries(message, "sv", on_option, &reader);
}

/* Takes over the descriptor in any case. */
static int start_end(sd_event *event, int fd, bool is_server, sd_bus **ret) {
        _cleanup_(sd_bus_close_unrefp) sd_bus *bus = NULL;
        _cleanup_close_ int owned = fd;
        int r;

        r = sd_bus_new(&bus);
        if (r < 0)
                return r;
        r = sd_bus_set_fd(bus, owned, owned);
        if (r < 0)
                return r;
        TAKE_FD(owned);
        if (is_server)
                r = sd_bus_set_server(
                                bus, true,
                                SD_ID128_MAKE(64, 6b, 76, 2d, 70, 61, 69, 72, 64, 6b, 76, 2d, 70,
                                              61, 69, 72));
        if (r < 0)
                return r;
        r = sd_bus_start(bus);
        if (r < 0)
                return r;
        r = sd_bus_attach_event(bus, event, SD_EVENT_PRIORITY_NORMAL);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(bus);
        return 0;
}

int bus_new_pair(sd_event *event, sd_bus **ret_server, sd_bus **ret_client) {
        _cleanup_(sd_bus_close_unrefp) sd_bus *server = NULL, *client = NULL;
        int fds[2], r;

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
                return -errno;

        r = start_end(event, fds[0], true, &server);
        if (r < 0) {
                (void) close(fds[1]);
                return r;
        }
        r = start_end(event, fds[1], false, &client);
        if (r < 0)
                return r;

        *ret_server = TAKE_PTR(server);
        *ret_client = TAKE_PTR(client);
        return 0;
}

static int on_reply(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        sd_bus_message **reply = userdata;

        *reply = sd_bus_message_ref(message);
        return 1;
}

int bus_run_call(sd_bus *bus, sd_bus_message *call, sd_bus_message **ret_reply) {
        _cleanup_(sd_bus_slot_unrefp) sd_bus_slot *slot = NULL;
        sd_bus_message *reply = NULL;
        int r;

        r = sd_bus_call_async(bus, &slot, call, on_reply, &reply, 0);
        if (r < 0)
                return r;

        /* A call that nobody answers gets an error from sd-bus in the end. */
        while (!reply) {
                r = sd_event_run(sd_bus_get_event(bus), UINT64_MAX);
                if (r < 0)
                        return r;
        }

        *ret_reply = reply;
        return 0;
}
