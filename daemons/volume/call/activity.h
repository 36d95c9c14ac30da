/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Activity: whether clients are being served here, so that background work can make room for them.
 * From any thread. */

#include <stdatomic.h>

#include "http/server.h"

typedef struct Activity {
        atomic_uint_least64_t
                        stored_usec; /* when the master last sent clients' values; monotonic */
        _Atomic(const HttpServer *) server; /* not owned; NULL until there is one */
} Activity;

/* The master has sent values of clients. */
void activity_note(Activity *activity);

/* Clients come to SERVER from now on. */
void activity_set_server(Activity *activity, const HttpServer *server);

/* Whether clients had something done lately, here or through the master. */
bool activity_has_clients(const Activity *activity);
