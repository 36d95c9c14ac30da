/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Authorization: who may change things over D-Bus.
 *
 * Root and the daemon's own user may. On the system bus, polkit is asked about everybody else; on
 * any other bus they are refused. Nothing here waits: the bus is asked for the caller's uid, and
 * polkit for its decision, asynchronously; polkit may in turn ask a human for a password. */

#include <sys/types.h>
#include <systemd/sd-bus.h>

#include "base/macro.h"

/* The questions that are under way. It is embedded, and zeroed at first. */
typedef struct BusAuthority {
        struct BusCheck *checks;
        unsigned n_checks;
        uid_t uid; /* of the sender, while a handler runs */
} BusAuthority;

/* Forgets the questions; their callers get no reply. */
void bus_authority_done(BusAuthority *authority);

/* Calls HANDLER with MESSAGE and USERDATA if its sender may do ACTION ("org.dkv.manage-volumes"),
 * at once or later; what it returns and the error that it sets become the reply, as with any
 * handler of a method. A sender who may not gets the error org.dkv.Error.NotAuthorized.
 *
 * The handler of the method returns what this returns. USERDATA must live until
 * bus_authority_done(); an object that may be gone meanwhile must be found again, by the path of
 * the message. */
int bus_authorize(
                BusAuthority *authority,
                sd_bus_message *message,
                const char *action,
                sd_bus_message_handler_t handler,
                void *userdata);
