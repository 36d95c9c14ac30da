/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Applied: how far the tables of a member of a group have come. It is stored in the transactions of
 * what it counts; an index of a master alone has none. */

#include "consensus/update.h"
#include "store/index/apply/tables.h"

#define APPLIED_STATE ".applied"

/* Returns 0, -EBADMSG, or -EPROTONOSUPPORT. */
int applied_decode(const void *data, size_t size, ConsensusApplied *ret);

/* Likewise, or -ENOENT. */
int applied_load(const Tables *tables, ConsensusApplied *ret);

int applied_put(Transaction *transaction, const ConsensusApplied *applied);

/* An entry is applied, and if it is a set of members, they are these. Returns 0, or -EBADMSG for
 * one that is none. */
int applied_note(ConsensusApplied *applied, uint64_t index, const Entry *entry);
