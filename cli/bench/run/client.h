/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Client: one thread's share of a run: its connections, and the loop that keeps them busy. */

#include "bench/run/run.h"

typedef struct Client {
        const Run *run; /* not owned */
        ConnectionShared shared;
        Connection *connections; /* owned */
        size_t n_connections;
        size_t n_active;
        Connection *idle;
        bool ended; /* there is nothing more to begin */
        Random random;
        pthread_t thread;
        int error;    /* of the loop */
        Tally *tally; /* owned */
} Client;

/* NUMBER tells the clients of a run apart. Returns 0 or a negative errno. */
int client_init(Client *client, const Run *run, unsigned number, size_t n_connections);
void client_done(Client *client);

/* Returns 0 when the load is over, or a negative errno. */
int client_loop(Client *client);
