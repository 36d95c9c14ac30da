/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Way back: sends a client with a ticket for another store back to the master that gave it, which
 * finds out meanwhile which store is where. */

#include "core/call/ticket.h"
#include "http/request.h"
#include "volume/link/allegiance.h"

/* Whether the ticket is for the store of this volume. */
bool way_back_is_here(const Allegiance *allegiance, const Ticket *ticket);

/* Replies 307 to the master's address in the ticket. Returns as http_request_reply(), or -EREMOTE
 * if the ticket has no address, as those of daemons. */
int way_back(HttpRequest *request, const char *key, const Ticket *ticket);
