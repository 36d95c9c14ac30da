/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Moves of the index: copies of values from volume to volume.
 *
 * What a move drops becomes garbage though its version stays current: a surplus copy. No copy of
 * that version may become known on that volume before the surplus copy was deleted and forgotten,
 * or else the collector would delete the wrong one. */

#include "store/index/index.h"

/* Brings copies of a version from some volumes to another, which has stored it. */
typedef struct IndexMove {
        IndexRequest request;
        const char *key;
        uint64_t version;
        uint32_t add;         /* the volume with a new copy; 0 for none */
        const uint32_t *drop; /* volumes whose copies become garbage */
        size_t n_drop;
        uint64_t garbage_due_usec;
} IndexMove;

/* Done also if ADD has a copy already, which is good now, whatever it was. Refused with -ESTALE if
 * the version is not current any more, then the new copy became garbage; -EBUSY if the new copy is
 * a surplus copy; -EINVAL if no copy or too many would remain, or one to drop is none or is ADD;
 * -ENOSPC; -EBADMSG for a damaged record or page. With all but -ESTALE nothing has changed. */
void index_move(Index *index, IndexMove *move);

/* Whether a copy on VOLUME, of a version that may be current, is about to be deleted: it must be
 * gone before there may be another one. */
bool index_is_surplus(Index *index, uint64_t version, uint32_t volume);

/* From now on no commit may name one of these volumes (-ESTALE), and only of these; a pass over the
 * index after this finds all that will ever be on them. Lasts until the next call, also over a
 * restart. Waits for the committer: never on a server thread. Returns 0 or a negative errno,
 * INDEX_ERROR_UNKNOWN among them. */
int index_set_fences(Index *index, const uint32_t volumes[], size_t n);
