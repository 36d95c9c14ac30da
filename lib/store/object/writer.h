/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Object writer: a value on its way into the object store, piece by piece. */

#include "store/object/objects.h"

typedef struct ObjectWriter ObjectWriter;

/* A value that comes in pieces: kept in memory up to inline_max, in an unnamed file beyond that.
 * RECORD gives everything but size and checksum; its strings and KEY are copied. SIZE_HINT is the
 * announced size or UINT64_MAX; room on the disk is claimed for it, so that -ENOSPC comes early. */
int object_writer_new(
                ObjectStore *store,
                const char *key,
                const Record *record,
                uint64_t size_hint,
                ObjectWriter **ret);

/* What the value has to be: if it is not, finish() stores nothing, and its result is -EBADMSG. */
void object_writer_expect(ObjectWriter *writer, const Checksum *checksum);

/* The object goes into the place of one that is there with the same version, and is damaged: that
 * one stays until the new one is durable. */
void object_writer_replace(ObjectWriter *writer);

/* Freeing an unfinished writer discards what was written; a file goes on another thread. */
ObjectWriter *object_writer_free(ObjectWriter *writer);
DEFINE_CLEANUP(ObjectWriter *, object_writer_free);

/* Returns 0, -ENOSPC, or another negative errno. Writes to the page cache and starts the writing to
 * the disk now and then, so that the flush at the end is short. */
int object_writer_append(ObjectWriter *writer, const void *data, size_t size);

/* Makes the object durable, on other threads; calls done() on one of them with the results of
 * object_store_put(). The writer stays the caller's and must not be freed before. */
void object_writer_finish(
                ObjectWriter *writer,
                void (*done)(ObjectWriter *writer, int result, void *userdata),
                void *userdata);

/* Size and checksum of what was appended; complete once finish() was called. */
const Record *object_writer_record(const ObjectWriter *writer);
