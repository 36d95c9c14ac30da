/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Drain: how a server stops: it counts the requests that are under way, takes no connections any
 * more, and closes the door once there is a moment without a request. For server.c;
 * http_server_drain() and http_server_active() are in http/server.h. */

#include "http/server-internal.h"

/* A request begins. Returns 0, or -ESHUTDOWN if the door is closed. Thread: the connection's. */
int http_drain_enter(HttpServer *server);

/* One that http_drain_enter() let in is over. Thread: the connection's. */
void http_drain_leave(HttpServer *server);

/* Wakes all requests that are parked, since libmicrohttpd must not be stopped while a connection is
 * suspended; from now on none can be parked. */
void http_drain_wake(HttpServer *server);
