/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Own address: by which of its addresses this machine is seen by another one. */

#include "core/address.h"

/* The address of this machine from which it would send to HOST, a name or an address; nothing is
 * sent, but a name is looked up, which may take a while. RET has it as a number, and PORT. Returns
 * 0, or -EHOSTUNREACH if there is no way to HOST at the moment or it is not known. */
int own_address_find(const char *host, uint16_t port, Address *ret);
