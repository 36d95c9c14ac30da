/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Way back: a client that was redirected to a volume, and finds another store there, is sent back
 * to the master with ?again=N, and is redirected anew, up to WAY_BACK_MAX times. */

#include "core/call/ticket.h"
#include "http/request.h"

#define WAY_BACK_MAX 3

/* How often the client of REQUEST was sent back. */
unsigned way_back_count(HttpRequest *request);

/* Has the ticket say where this is, by the name that the client has for it, and how often it came
 * back. */
void way_back_put(HttpRequest *request, Ticket *ticket);
