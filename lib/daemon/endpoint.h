/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Endpoint: how a daemon is reached over HTTP and how it reaches the others: the socket and the
 * server, the cluster's secret, the clients. Unlike the rest of lib/, it speaks for the daemon:
 * failures are logged here, with what to do about them. */

#include "http/server.h"
#include "rpc/client.h"
#include "rpc/secret.h"

/* The settings that both daemons have for this. */
typedef struct EndpointConf {
        char *listen;
        char *secret_file;
        uint64_t threads; /* 0 for one per processor */
        uint64_t connections_max;
        uint64_t connections_per_address_max; /* 0 for half of all */
        uint64_t rate_min;
        char *cors_origins;
        bool is_redirected_to; /* no setting: clients come here by a redirect */
        uint64_t header_size_max;
        uint64_t timeout_usec;
        uint64_t stop_usec;
} EndpointConf;

/* Reads the secret and starts the clients: CLIENT for calls that are short, BULK for values that
 * pass through as slowly as they come; and DISK, unless it is NULL, for values whose callbacks
 * write them to files, which may take long. On failure some of them may have been made; the caller
 * frees all of them. */
int endpoint_connect(
                const EndpointConf *conf,
                Secret **secret,
                HttpClient **client,
                HttpClient **bulk,
                HttpClient **disk);

/* Serves ROUTES on the socket that systemd passed, or else on a new one at Listen=. LOOPS, and
 * SECRET, by which the gate knows daemons and tickets, are not owned. */
int endpoint_serve(
                const EndpointConf *conf,
                Loops *loops,
                Secret *secret,
                const HttpRoute routes[],
                void *userdata,
                HttpServer **ret);

/* Called before the daemon frees what its handlers work with. If requests are left, this ends the
 * process with the exit STATUS: the disk needs no orderly end, but freeing what other threads still
 * use would need one. SERVER may be NULL. */
void endpoint_cut(HttpServer *server, int status);
