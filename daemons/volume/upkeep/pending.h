/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Pending: the objects in doubt. This volume does not know yet whether their writes were
 * committed.
 *
 * The set is in memory. A mark survives a crash: every object with a greater version is pending
 * again when the daemon starts. The mark is lowered, in the same batch or an earlier one, before
 * an object below it is stored. Copies that move are old, and come by the hundred: lowering the
 * mark for them would make all that this volume has pending. So their versions are on a list,
 * which survives as well. */

#include "base/macro.h"
#include "store/object/objects.h"

typedef struct Pending Pending;
typedef struct PendingList PendingList;

/* Finds out what is pending after a start. STORE is not owned. */
int pending_new(ObjectStore *store, Pending **ret);
Pending *pending_free(Pending *pending);
DEFINE_CLEANUP(Pending *, pending_free);

/* Call it before the object is submitted to the store. */
void pending_add(Pending *pending, uint64_t version);

/* Stores a list of versions that are about to begin. Returns NULL if a list would be of no use
 * or cannot be stored; then the mark serves. */
PendingList *pending_list_new(Pending *pending, const uint64_t versions[], size_t n);

/* Nothing on the list will begin any more. It is deleted when nothing on it is pending. LIST may
 * be NULL. */
void pending_list_end(Pending *pending, PendingList *list);

/* Like pending_add() for an object that others may be storing at the same time, or have stored
 * before: its time begins again. Each is followed by pending_end(), which says whether the
 * object is there now; if no caller says so, it is pending no longer. LIST is one that contains
 * it, or NULL. */
void pending_begin(Pending *pending, uint64_t version, PendingList *list);
void pending_end(Pending *pending, uint64_t version, bool is_there);

bool pending_contains(Pending *pending, uint64_t version);

/* The write was committed, or the object is gone. */
void pending_remove(Pending *pending, uint64_t version);

size_t pending_count(Pending *pending);

/* Writes up to MAX versions that have been pending for AGE_USEC or longer to RET. Returns how many.
 */
size_t pending_old(Pending *pending, uint64_t age_usec, uint64_t *ret, size_t max);

/* Moves the mark up over what is no longer pending; called now and then. */
void pending_save(Pending *pending);
