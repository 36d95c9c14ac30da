/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Reach: how far an object store has come, whatever was deleted in it since. By these numbers a
 * master sees that its index is older than the store, or that the store is older than it was.
 *
 * They are stored in the transactions of what they count, and shown when those are flushed; so a
 * crash never shows less than was shown before. */

#include <stdatomic.h>

#include "base/buffer.h"

typedef struct Reach {
        uint64_t version;  /* the highest that was ever stored */
        uint64_t revision; /* the highest that a master has told of */
        uint64_t objects;  /* how many were ever stored */
} Reach;

/* The numbers through the stages of a transaction. All but the atomic ones are the committer's. */
typedef struct ReachState {
        Reach now, committed;
        struct {
                atomic_uint_least64_t version, revision, objects;
        } shown;                     /* what is flushed */
        atomic_uint_least64_t heard; /* a revision that goes with the next transaction */
} ReachState;

void reach_count(ReachState *state, uint64_t version);

/* From any thread. Returns whether it is news. */
bool reach_hear(ReachState *state, uint64_t revision);

/* Takes what was heard into the next transaction. Returns whether that is news to the store. */
bool reach_take(ReachState *state);

/* Whether the current transaction has to store them. */
bool reach_has_changed(const ReachState *state);
void reach_keep(ReachState *state);
void reach_undo(ReachState *state);
void reach_show(ReachState *state);

Reach reach_shown(const ReachState *state);

void reach_encode(const Reach *reach, Buffer *buffer);

/* Returns 0, -EBADMSG, or -EPROTONOSUPPORT. */
int reach_decode(const void *data, size_t size, Reach *ret);
