/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Versions: which numbers are given out next. They are reserved on the disk many at a time, before
 * the first of them is given out, so that none comes twice after a crash. */

#include "store/index/engine/submit.h"

typedef struct Versions {
        Submitter *submitter;       /* not owned */
        atomic_uint_least64_t next; /* halves of versions, without the lowest bit */
        atomic_uint_least64_t end;  /* what is below is reserved */
        atomic_bool is_extending;
        atomic_bool is_over; /* nobody here leads, so there are none */
        IndexReserve reserve;
        bool is_open;
} Versions;

/* Starts where the last run cannot have been. Returns 0 or a negative errno. */
int versions_open(Versions *versions, Submitter *submitter);

/* Of a member of a group: there are none until it leads. Likewise. */
int versions_open_member(Versions *versions, Submitter *submitter);

/* It leads: those from here on are reserved, so many of them. */
void versions_begin(Versions *versions, uint64_t next, uint64_t count);

/* Stores how far they have come, to the last one; a member of a group does not. */
void versions_close(Versions *versions);

/* Returns 0 if there are none any more. */
uint64_t versions_next(Versions *versions, VersionUse use);

/* They go on here, which a rollback has stored. */
void versions_jump(Versions *versions, uint64_t next);
