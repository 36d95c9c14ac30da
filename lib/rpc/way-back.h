/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Way back: a volume that gets a ticket for another store sends the client back to the master that
 * gave it, with ?again=N. The master redirects the client again, up to WAY_BACK_MAX times, and
 * finds out meanwhile which store is where. */

#include "core/call/ticket.h"
#include "http/request.h"

#define WAY_BACK_MAX 3

/* Notes in TICKET how the client calls this master (its Host header), and how often it came back.
 */
void way_back_put(HttpRequest *request, Ticket *ticket);

/* Replies 307 to the master's address in TICKET, for KEY. Returns as http_request_reply(), or
 * -EREMOTE if the ticket has no address, as tickets that daemons make have none. */
int way_back_reply(HttpRequest *request, const char *key, const Ticket *ticket);

/* Returns how often the client was sent back. */
unsigned way_back_count(HttpRequest *request);
