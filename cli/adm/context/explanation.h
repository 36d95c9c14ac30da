/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Explanation: why a daemon could not be asked or refused something, and what to do about that. */

#include "adm/context/connection.h"

typedef struct Explanation {
        char *reason; /* a sentence */
        char *advice; /* may be empty */
} Explanation;

/* ERROR is what a call returned, or an attempt to connect; BUS_ERROR, which may be NULL, what the
 * bus says of it. Returns 0 or -ENOMEM. */
int explanation_init(
                Explanation *explanation,
                const Connection *connection,
                int error,
                const sd_bus_error *bus_error);
void explanation_done(Explanation *explanation);
