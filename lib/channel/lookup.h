/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Lookup: the addresses of a host, without waiting for them. A host that is a number is read at
 * once; a name is looked up by a thread of its own, since that may take as long as a name server
 * likes. That thread may outlive the lookup. */

#include <netdb.h>

#include "core/address.h"

typedef struct Lookup Lookup;

/* Returns 0 or a negative errno. */
int lookup_start(const Address *host, Lookup **ret);
Lookup *lookup_free(Lookup *lookup);
DEFINE_CLEANUP(Lookup *, lookup_free);

/* A descriptor that can be read once the result is there; borrowed. */
int lookup_fd(const Lookup *lookup);

/* The result: NULL if there is no address. Borrowed. */
const struct addrinfo *lookup_addresses(const Lookup *lookup);
