/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Item: what the B-tree of an object store has of an object. Mostly a pointer to its entry in the
 * value log; in stores from before there was one, the object itself.
 *
 * A pointer has no checksum: the page that it lies in has one, and the entry says whose it is. */

#include "base/buffer.h"
#include "store/format/log-mark.h"

typedef struct Item {
        bool is_pointer;
        bool is_inline; /* else the value is a file of its own */
        uint64_t value_size;
        LogPosition place; /* of a pointer: of the entry */
        uint32_t size;     /* of the encoded object */
} Item;

/* Of a pointer. */
void item_encode(const Item *item, Buffer *buffer);

/* Returns 0, -EBADMSG or -EPROTONOSUPPORT. */
int item_decode(const void *data, size_t size, Item *ret);
