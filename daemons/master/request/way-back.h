/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Way back: a client that was redirected to a volume but finds another store there is sent back to
 * the master with ?again=N, which redirects it again, up to WAY_BACK_MAX times. */

#include "core/call/ticket.h"
#include "http/request.h"

#define WAY_BACK_MAX 3

/* Returns how often the client was sent back. */
unsigned way_back_count(HttpRequest *request);

/* Writes into TICKET how the client calls this master (its Host header), and how often it came
 * back. */
void way_back_put(HttpRequest *request, Ticket *ticket);
