/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Explanation: why a daemon could not be reached or refused a request, and what to do about it. */

#include "adm/context/connection.h"

typedef struct Explanation {
        char *reason; /* a sentence */
        char *advice; /* may be empty */
} Explanation;

/* ERROR is the result of a call or of an attempt to connect; BUS_ERROR is what the bus says about
 * it, or NULL. Returns 0 or -ENOMEM. */
int explanation_init(
                Explanation *explanation,
                const Connection *connection,
                int error,
                const sd_bus_error *bus_error);
void explanation_done(Explanation *explanation);
