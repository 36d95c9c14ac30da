/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Way: somebody who sits between a caller and a receiver, and does what networks do. */

#include "base/macro.h"

enum { TO_RECEIVER, TO_CALLER };

/* Bytes are counted from the beginning of each connection, HTTP included. */
typedef struct Mishap {
        uint64_t cut_at[2]; /* by direction; the byte is not passed on, and both sides are closed */
        uint64_t flip_at[2];  /* a bit of this byte is another */
        uint64_t stall_at[2]; /* nothing from this byte on is passed on */
} Mishap;

#define MISHAP_NONE \
        ((Mishap){ { UINT64_MAX, UINT64_MAX }, \
                   { UINT64_MAX, UINT64_MAX }, \
                   { UINT64_MAX, UINT64_MAX } })

typedef struct Way Way;

/* Leads to the port of this machine. */
Way *way_new(uint16_t port);
Way *way_free(Way *way);
uint16_t way_port(const Way *way);

/* What the next connections meet. */
void way_set_mishap(Way *way, Mishap mishap);

/* Whether the last connection was cut, or has passed on a bit that is another. */
bool way_has_struck(const Way *way);

/* How many bytes have passed, in the last connection. */
uint64_t way_passed(const Way *way, unsigned direction);

/* Listens on this machine, at PORT or, if that is 0, any, which is stored there. */
int way_listen(uint16_t *port);
