/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Fenced: the volumes that no commit may name any more. They follow the transaction that changes
 * them; the committer's own. */

#include "base/buffer.h"
#include "core/placement/cluster.h"

typedef struct Fenced {
        bool is_fenced[VOLUME_MAX + 1];
        bool was_fenced[VOLUME_MAX + 1]; /* before this transaction, if it has changed any */
        bool has_changed;
} Fenced;

/* From now on these volumes, and only these. None is above VOLUME_MAX. */
void fenced_set(Fenced *fences, const uint32_t volumes[], size_t n);

/* The transaction was committed, or rolled back. */
void fenced_keep(Fenced *fences);
void fenced_undo(Fenced *fences);

bool fenced_has(const Fenced *fences, uint32_t volume);

/* How a list of volumes is stored. The buffer remembers what fails. */
void fenced_encode(const uint32_t volumes[], size_t n, Buffer *buffer);

/* Replaces what there is, outside of a transaction. Returns 0, -EPROTONOSUPPORT, or -EBADMSG, and
 * then BARS is undefined. */
int fenced_decode(Fenced *fences, const void *data, size_t size);
