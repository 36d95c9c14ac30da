/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Address: a host and a port, as in Listen=. The URL that others use is in url.h.
 *
 * Nothing is resolved here. A reason ends a sentence that begins with the text itself, such as "has
 * no port from 1 to 65535"; it has no full stop and is a constant. */

#include <stdint.h>

#include "base/macro.h"

#define ADDRESS_HOST_SIZE 256 /* with the NUL */

typedef struct Address {
        char host[ADDRESS_HOST_SIZE]; /* without brackets; empty in "3000", a port alone */
        uint16_t port;
        bool is_numeric; /* an IPv4 or IPv6 address, rather than a name */
        bool is_v6;
        bool is_any; /* all addresses of the machine: no other machine can send to it */
} Address;

/* Reads "HOST:PORT", "[HOST]:PORT" or "PORT"; port 0 lets the kernel choose one. Returns 0, or
 * -EINVAL with the reason. */
int address_parse(const char *text, Address *ret, const char **reterr_reason);

/* Returns why TEXT cannot be a Listen=, or NULL if it can. */
const char *address_complain(const char *text);

/* Whether only this machine itself can reach the address. */
bool address_is_loopback(const Address *address);
