/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Identity of an index: which cluster it belongs to, which of its starts this is, and how far it
 * has come.
 *
 * The cluster gets its id with the index; an index from before there were ids gets one when it is
 * opened for the first time. Each opening raises the term, durably, before index_open() returns; so
 * two indexes that have parted (a copy, an older backup) never give orders in the same term and
 * under the same leader. */

#include "core/call/identity.h"
#include "store/index/index.h"

/* The leader is random for each opening, and never 0. */
typedef Leadership IndexIdentity;

/* Valid until the index is freed. Only index_accept_rollback() leads to another answer. */
const IndexIdentity *index_identity(const Index *index);

/* All versions that were ever given out, also by earlier openings, are below this. Exact after the
 * index was closed; after a crash it may lie up to a million above the last one. */
uint64_t index_version_end(const Index *index);

/* Whether VERSION can have been given out. */
static inline bool index_gave_version(const Index *index, uint64_t version) {
        return version > 0 && version < index_version_end(index);
}

/* The revision that is on the disk: of the last commit, deletion or move that somebody may have
 * been told of. Each of them takes the next one, in its transaction. An index from before there
 * were revisions goes on above all versions that it had given out. */
uint64_t index_revision(const Index *index);

/* The highest version that was committed with a copy on VOLUME; 0 if there was none since the index
 * keeps account. A store that has never had it is not what it was. */
uint64_t index_mark(const Index *index, uint32_t volume);
