/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Connection: the bus on which the daemons are, as the options name it.
 *
 * dkvadm reaches the cluster over the bus and in no other way, so that any program can do what
 * dkvadm does. */

#include <systemd/sd-bus.h>

#include "base/macro.h"

typedef struct Connection {
        /* At most one of these is set; if none is, this is the system bus of this machine. */
        const char *host;        /* -H, over ssh */
        const char *machine;     /* -M, a container */
        const char *sandbox;     /* the directory of a dkv-sandbox */
        const char *bus_address; /* any other bus */

        bool asks;   /* polkit may ask for a password */
        sd_bus *bus; /* owned; NULL until connection_open() */
} Connection;

/* Connects. The caller has closed what was open before. Returns 0 or a negative errno, and prints
 * nothing. */
int connection_open(Connection *connection);

/* Sends what is queued, and closes the bus. */
void connection_done(Connection *connection);

/* Closes a bus that was lost, so that connection_open() can be called again. */
void connection_drop_if_lost(Connection *connection);

/* Whether the bus belongs to this machine's systemd. */
bool connection_is_local(const Connection *connection);
