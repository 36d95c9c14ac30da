/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Address: where daemons listen (Listen=), and by which URLs they are reached (Url=, Master=).
 *
 * Nothing is resolved here. A reason is the end of a sentence that begins with the text itself,
 * such as "has no port from 1 to 65535", without a full stop; it is a constant. */

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

/* Reads "HOST:PORT", "[HOST]:PORT" or "PORT"; the port may be 0, by which the kernel chooses one.
 * Returns 0, or -EINVAL with the reason. */
int address_parse(const char *text, Address *ret, const char **reterr_reason);

/* The reason why TEXT cannot be a Listen=, or NULL. */
const char *address_complain(const char *text);

/* Whether nobody but this machine itself is meant. */
bool address_is_loopback(const Address *address);

/* Makes the URL of a daemon of TEXT: "http://HOST:PORT", "http://HOST" (port 80), each with a slash
 * at the end or without, or "HOST:PORT". RET is a new string, with http:// and without the slash. A
 * host that no other machine can send to is refused, and so is what no daemon has: a user, a path,
 * a query. Returns 0, -ENOMEM, or -EINVAL with the reason. */
int url_normalize(const char *text, char **ret, const char **reterr_reason);

/* Reads host and port of a URL that url_normalize() has made. Returns 0 or -EINVAL. */
int url_host(const char *url, Address *ret);

/* The reason why TEXT cannot be the URL of a daemon, or NULL. */
const char *url_complain(const char *text);
