/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Rules of the index: what is decided about a request, as functions of records alone. */

#include "store/index/garbage.h"
#include "store/index/move.h"

bool record_has_copy_on(const Record *record, uint32_t volume);

/* Whether an entry of the garbage table makes its version a dead one. */
bool garbage_is_deadly(uint32_t volume, uint64_t version);

/* Whether a write without a condition may replace a record that cannot be read, which ERROR says.
 */
bool rules_may_replace_damaged(int error, const Condition *condition);

/* What is known about a commit besides the records. */
typedef struct CommitFacts {
        bool is_dead;   /* its version */
        bool is_fenced; /* a volume that it names */
        bool has_room;
} CommitFacts;

/* Whether COMMIT may become current; CURRENT is NULL if there is no such key, or none that can be
 * read. Returns 0, -ESTALE, -EEXIST, -ECANCELED or -ENOSPC. */
int rules_check_commit(const IndexCommit *commit, const Record *current, const CommitFacts *facts);

/* Makes RECORD what it is after the move. Returns 0, or -EINVAL as in index_move(). */
int rules_move_copies(const IndexMove *move, Record *record);

/* What becomes of a copy that its volume asks about. */
typedef enum SettleVerdict {
        SETTLE_CURRENT, /* the record names it: it stays */
        SETTLE_ADOPT,   /* the record must name it: it may be all that is left */
        SETTLE_SURPLUS, /* of the current version, but not known there: garbage */
        SETTLE_KEEP,    /* unknown, from before a rollback: it stays */
        SETTLE_GARBAGE, /* and its version will never be current */
} SettleVerdict;

/* CURRENT is NULL if there is no such key. Versions below OLD_END are from before a rollback. */
SettleVerdict rules_settle(
                const Record *current, uint64_t version, uint32_t volume, uint64_t old_end);
