/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Identity: the cluster that an index belongs to, and the term that this opening of it is. */

#include "store/index/apply/term.h"
#include "store/index/engine/submit.h"

/* So many are kept; see identity_jump(). */
#define IDENTITIES 8

typedef struct Identity {
        IndexIdentity all[IDENTITIES];
        const IndexIdentity *_Atomic current; /* one of these */
} Identity;

/* Reads what is stored, or makes a cluster, and begins the next term; it is on the disk before
 * anybody hears of it. Returns 0 or a negative errno. */
int identity_begin(Identity *identity, Submitter *submitter);

/* Of a member of a group: reads the cluster alone, since nothing else is in force until it leads.
 * Likewise. */
int identity_load_member(Identity *identity, Submitter *submitter);

/* It leads from now on. */
void identity_lead(Identity *identity, uint64_t term, uint64_t leader);

/* Returns a random number that is not 0, or a negative errno. */
int identity_random_leader(uint64_t *ret);

/* The next term is in force, which a rollback has stored. */
void identity_jump(Identity *identity, uint64_t term);
