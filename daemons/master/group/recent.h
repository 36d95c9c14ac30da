/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Recent: the last entries of the log, in memory: all that are not on the disk yet, and as many of
 * the others as is worth the memory, for who is sent them and who applies them. */

#include "consensus/entry.h"

typedef struct Recent {
        uint64_t base; /* the entry before the first one */
        Entry *items;  /* owned, with their data; in one piece */
        size_t n, allocated;
        uint64_t size; /* what all of it takes in memory, in bytes */
} Recent;

void recent_done(Recent *recent);

/* Nothing is left; the next entry is the one after INDEX. */
void recent_reset(Recent *recent, uint64_t index);

/* Adds a copy. Returns 0 or -ENOMEM. */
int recent_append(Recent *recent, const Entry *entry);

/* Forgets what is behind INDEX. */
void recent_cut(Recent *recent, uint64_t index);

/* Once there are more than SIZE bytes and an eighth, forgets entries up to INDEX, the first ones
 * first, until SIZE bytes are left. The others move, so it is done for many at a time. */
void recent_trim(Recent *recent, uint64_t index, uint64_t size);

uint64_t recent_last(const Recent *recent) _pure_;

/* NULL for what is not there. What follows in memory are the entries behind it. Good until the next
 * change. */
const Entry *recent_find(const Recent *recent, uint64_t index) _pure_;
