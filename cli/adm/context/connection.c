/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "adm/context/connection.h"
#include "adm/context/polkit-agent.h"
#include "base/file.h"
#include "bus/bus.h"

#define ADDRESS_MAX 4096

/* A sandbox keeps the address of its bus in a file. */
static int connect_to_sandbox(const char *directory, sd_bus **ret) {
        _cleanup_free_ char *path = NULL, *address = NULL;
        size_t size;
        int r;

        if (asprintf(&path, "%s/bus", directory) < 0) {
                path = NULL;
                return -ENOMEM;
        }

        r = read_file(AT_FDCWD, path, ADDRESS_MAX, &address, &size);
        if (r < 0)
                return r;

        address[strcspn(address, "\n")] = '\0';
        return bus_open(address, ret);
}

static int open_anywhere(const Connection *connection, sd_bus **ret) {
        if (connection->host)
                return sd_bus_open_system_remote(ret, connection->host);
        if (connection->machine)
                return sd_bus_open_system_machine(ret, connection->machine);
        if (connection->sandbox)
                return connect_to_sandbox(connection->sandbox, ret);
        return bus_open(connection->bus_address ?: "system", ret);
}

bool connection_is_local(const Connection *connection) {
        return !connection->host && !connection->machine && !connection->sandbox &&
               !connection->bus_address;
}

int connection_open(Connection *connection) {
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        int r;

        r = open_anywhere(connection, &bus);
        if (r < 0)
                return r;

        /* Let polkit ask for a password if a user is there to answer: a desktop has an agent of its
         * own, a terminal needs one. Another machine has its own polkit. */
        if (connection->asks && connection_is_local(connection))
                polkit_agent_open();
        r = sd_bus_set_allow_interactive_authorization(bus, isatty(STDIN_FILENO) == 1);
        if (r < 0)
                return r;

        connection->bus = TAKE_PTR(bus);
        return 0;
}

void connection_done(Connection *connection) {
        connection->bus = sd_bus_flush_close_unref(connection->bus);
}

void connection_drop_if_lost(Connection *connection) {
        if (!connection->bus || sd_bus_is_open(connection->bus) > 0)
                return;

        (void) sd_bus_detach_event(connection->bus);
        connection->bus = sd_bus_close_unref(connection->bus);
}
