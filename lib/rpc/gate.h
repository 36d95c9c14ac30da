/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Gate: who may use a route of a daemon, as HttpRoute.access says. It is checked here, in one
 * place, before the handlers see the request and before any of its body is kept.
 *
 * HTTP_PUBLIC and HTTP_CLIENT routes are for everybody who reaches the port. An HTTP_TICKET route
 * wants a ticket of the master for the key of the path and for what the request does; under "/-/",
 * one that daemons make themselves. An HTTP_DAEMON route wants method, path, query and body signed
 * with the cluster's secret.
 *
 * The route's begin() decides what the gate does not know: whether a ticket is for this very store,
 * and which daemon may give which order.
 *
 * Thread: that of the request. */

#include "core/call/ticket.h"
#include "http/server.h"
#include "rpc/secret.h"

/* For HttpServerOptions. SECRET is not owned and has to outlive the server. */
HttpGate gate_of(Secret *secret);

/* In the handlers of an HTTP_TICKET route; good until the request is over. */
const Ticket *gate_ticket(HttpRequest *request);
const char *gate_key(HttpRequest *request);
