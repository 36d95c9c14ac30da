/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Own address: the address of this machine that another machine sees. */

#include "core/address.h"

/* Finds the address from which this machine would send to HOST, a name or an address. Nothing is
 * sent, but a name is looked up, which may take a while. RET gets the address as a number, with
 * PORT. Returns 0, or -EHOSTUNREACH if HOST is unknown or cannot be reached at the moment. */
int own_address_find(const char *host, uint16_t port, Address *ret);
