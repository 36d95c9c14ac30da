/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Network: whom guests from an address count as. */

#include <stdint.h>
#include <sys/socket.h>

#define HTTP_NETWORK_SIZE 16

/* An IPv4 address, as IPv6 has it, or the first half of an IPv6 address: its owner has all that
 * begin like that. Zeroes for NULL and for other families, who are all alike. */
void http_network_of(const struct sockaddr *address, uint8_t ret[static HTTP_NETWORK_SIZE]);
