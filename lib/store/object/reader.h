/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Object reader: reads a value, or a part of it, from its file, and verifies what it reads before
 * it gives it out, block by block.
 *
 * A file from before there were checksums of blocks is verified as a whole: while it is read, if
 * all of it is, and then its last bytes are withheld until it is known that they are good. */

#include "store/object/objects.h"

typedef struct ObjectReader ObjectReader;

/* OBJECT and FD are what object_store_get() gave; FD is taken over, also in case of failure. OBJECT
 * is only looked at here. SIZE bytes from OFFSET on are wanted, and must lie in the value. */
int object_reader_new(
                const Object *object,
                int take_fd,
                uint64_t offset,
                uint64_t size,
                ObjectReader **ret);
ObjectReader *object_reader_free(ObjectReader *reader);
DEFINE_CLEANUP(ObjectReader *, object_reader_free);

/* Whether only object_store_verify() can tell if the part is good, so that it is given out as it
 * is.
 */
bool object_reader_is_blind(const ObjectReader *reader);

/* Reads the first piece, so that what is wrong with it is known before anything is given out.
 * Returns 0, -EBADMSG, or why it cannot be read. */
int object_reader_begin(ObjectReader *reader);

/* Returns how many bytes were read, 0 at the end, -EBADMSG, or why it cannot be read. Several times
 * BLOCK_SIZE is good to ask for: that many blocks are read at once. */
ssize_t object_reader_read(ObjectReader *reader, void *data, size_t size);
