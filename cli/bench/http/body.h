/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Body: what follows the head of a PUT, as a function of the offset in it: after a short write, a
 * redirect or a retry it is simply made again from where it is wanted. */

#include "bench/load/value.h"

typedef struct Body {
        Value value;
        bool chunked;
} Body;

/* How long it is on the wire: the value, or its chunks. */
uint64_t body_size(const Body *body) _pure_;

/* Writes up to SIZE bytes of it from OFFSET on. Returns how many, 0 only at the end. */
size_t body_read(const Body *body, uint64_t offset, void *ret, size_t size);
