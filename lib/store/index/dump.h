/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Dump: all tables of an index as a stream of bytes, which depends on their content alone; for
 * backups, for other databases, and for an index that has to catch up.
 *
 * The stream is a format byte, then the entries (table, key, value), by table and by key, then how
 * many there were and a checksum of all of it. Neither side takes more memory for a larger index.
 * A damaged page ends a dump. */

#include <sys/types.h>

#include "store/index/index.h"

/* Calls write() for one piece of the stream after the other, until it returns a negative errno.
 * Requests wait until it has ended, readers do not. What is in the stream is durable when this
 * returns. Returns 0, what write() returned, or another negative errno. */
int index_dump(Index *index,
               int (*write)(const void *data, size_t size, void *userdata),
               void *userdata);

/* Opens an index as it is: no term begins. Only index_dump() and index_free() may follow. Returns
 * what index_open() would. */
int index_open_to_dump(const IndexOptions *options, Index **ret);

/* Makes an index from a stream, in a directory that is empty, and closes it. read() puts up to SIZE
 * bytes into DATA and returns how many, 0 at the end of the stream, or a negative errno. Returns 0,
 * -ENOTEMPTY, -EPROTONOSUPPORT for an unknown format, -EBADMSG for a stream that is cut or damaged,
 * what read() returned, -EBUSY if somebody else has opened the directory meanwhile, or another
 * negative errno. After all but -ENOTEMPTY and -EBUSY the directory is empty again, as far as that
 * can be done. What is left by a crash, at whatever point, is no index to index_open():
 * -EPROTONOSUPPORT. */
int index_load(const IndexOptions *options,
               ssize_t (*read)(void *data, size_t size, void *userdata),
               void *userdata);
