/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Way back: a client with a ticket for another store is sent back to the master that gave it, which
 * finds out meanwhile who is where. */

#include "core/call/ticket.h"
#include "http/request.h"

/* Whether the ticket is for the store of this volume. */
bool way_back_is_here(HttpRequest *request, const Ticket *ticket);

/* Replies 307 to the master's address in the ticket, or 421 if that has none, as those of daemons.
 * Returns as http_request_reply(). */
int way_back(HttpRequest *request, const char *key, const Ticket *ticket);
