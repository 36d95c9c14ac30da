/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Barred: the volumes that no commit may name any more. They follow the transaction that changes
 * them; the committer's own. */

#include "base/buffer.h"
#include "core/placement/cluster.h"

typedef struct Barred {
        bool is_barred[VOLUME_MAX + 1];
        bool was_barred[VOLUME_MAX + 1]; /* before this transaction, if it has changed any */
        bool has_changed;
} Barred;

/* From now on these volumes, and only these. None is above VOLUME_MAX. */
void barred_set(Barred *bars, const uint32_t volumes[], size_t n);

/* The transaction was committed, or rolled back. */
void barred_keep(Barred *bars);
void barred_undo(Barred *bars);

bool barred_has(const Barred *bars, uint32_t volume);

/* How a list of volumes is stored. The buffer remembers what fails. */
void barred_encode(const uint32_t volumes[], size_t n, Buffer *buffer);

/* Replaces what there is, outside of a transaction. Returns 0, -EPROTONOSUPPORT, or -EBADMSG, and
 * then BARS is undefined. */
int barred_decode(Barred *bars, const void *data, size_t size);
