/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Marks: for each volume the highest version that was committed with a copy on it.
 *
 * They are stored with the transactions that raise them, all volumes in one small blob. Raised by
 * the committer alone; read from any thread, which sees what is committed. */

#include <stdatomic.h>

#include "base/buffer.h"
#include "core/placement/cluster.h"

typedef struct Marks {
        uint64_t now[VOLUME_MAX + 1]; /* the committer's: with the current transaction */
        atomic_uint_least64_t committed[VOLUME_MAX + 1];
        uint16_t raised[VOLUME_MAX + 1]; /* by the current transaction */
        size_t n_raised;
        uint32_t highest;          /* volume that has a mark */
        uint64_t now_changed_usec; /* the committer's: when any was raised last; stored with them */
        atomic_uint_least64_t changed_usec; /* committed */
} Marks;

/* Lowers nothing. NOW is the time of the request. */
void marks_raise(Marks *marks, uint32_t volume, uint64_t version, uint64_t now_usec);

/* Whether the transaction has raised any, so that they have to be stored. */
bool marks_have_changed(const Marks *marks);

/* The transaction was committed or rolled back. */
void marks_keep(Marks *marks);
void marks_undo(Marks *marks);

uint64_t marks_get(const Marks *marks, uint32_t volume);

void marks_encode(const Marks *marks, Buffer *buffer);

/* Returns 0, -EBADMSG, or -EPROTONOSUPPORT. */
int marks_decode(Marks *marks, const void *data, size_t size);
