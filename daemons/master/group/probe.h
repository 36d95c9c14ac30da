/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Probe: whether a read is good. It looks up in the database, which the consumer of on_decided()
 * keeps. What it finds is good if, when it began, this master led, and all up to the first entry of
 * that term was applied there (the consumer knows, see GroupView); and if, after that, either a
 * lease or a probe says that the term is still this master's.
 *
 * A probe is part of who asks. It is the group's, and unchanged, until done(), which comes once, on
 * the group's thread, perhaps before the call returns; and not at all if that fails. It must not
 * block. */

#include "base/macro.h"

typedef struct Group Group;

/* A read that was looked up. */
typedef struct GroupProbe GroupProbe;
struct GroupProbe {
        uint64_t term; /* the one that was given out to readers before the look-up */

        /* 0: what was found is what there was at some moment since the look-up began. -EOWNERDEAD:
         * this master does not lead in that term any more. -EAGAIN: nothing of the term is decided
         * yet. -ESHUTDOWN. */
        void (*done)(GroupProbe *probe, int error);

        uint64_t number; /* private, as the next one */
        GroupProbe *next;
};

/* Asks a majority whether the term is still this master's. All that wait are answered by one such
 * question, which begins after this call. Returns 0 or -ESHUTDOWN. Thread: any; it is not held up.
 */
int group_probe(Group *group, GroupProbe *probe);

/* Whether a read that was looked up before this call, in TERM as of GroupProbe, is good without a
 * probe, because nobody else can lead yet. Takes no lock. Thread: any. */
bool group_has_lease(const Group *group, uint64_t term);
