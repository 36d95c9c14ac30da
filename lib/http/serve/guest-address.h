/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Guest address: an IPv4 address or an IPv6 network of 64 bits, and how many guests are from there.
 * For the guard alone, which has a table of them, and counts under its lock. */

#include <sys/socket.h>
#include <uthash.h>

#include "http/serve/network.h"

typedef struct GuestAddress {
        uint8_t bytes[HTTP_NETWORK_SIZE];
        unsigned n_references; /* of guests */
        unsigned n_guests;     /* without those that are evicted */
        unsigned n_trusted;
        unsigned n_stuck; /* at the last sweep */
        UT_hash_handle hh;
} GuestAddress;

/* Finds the one that ADDRESS belongs to, or adds it. Returns NULL if there is no memory. */
GuestAddress *guest_address_ref(GuestAddress **table, const struct sockaddr *address);

/* Without references, it is forgotten. */
void guest_address_unref(GuestAddress **table, GuestAddress *address);
