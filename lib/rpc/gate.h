/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Gate: who may use a route of a daemon, as HttpRoute.access says. The check is made here, in one
 * place, before the handlers see the request and before any of its body is kept.
 *
 * HTTP_PUBLIC and HTTP_CLIENT routes are open to everybody who can reach the port. An HTTP_TICKET
 * route needs a ticket for the key in the path and for what the request does. The master makes it;
 * for routes under "/-/", daemons make their own. An HTTP_DAEMON route needs method, path, query
 * and body signed with the cluster's secret.
 *
 * The route's begin() decides what the gate does not know: whether a ticket is for this very store,
 * and which daemon may give which order.
 *
 * Thread: that of the request. */

#include "core/call/ticket.h"
#include "http/server.h"
#include "rpc/secret.h"

/* For HttpServerOptions. SECRET is not owned and must outlive the server. */
HttpGate gate_of(Secret *secret);

/* For the handlers of an HTTP_TICKET route; valid until the request is over. */
const Ticket *gate_ticket(HttpRequest *request);
const char *gate_key(HttpRequest *request);
