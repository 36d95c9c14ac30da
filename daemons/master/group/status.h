/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Status: what a group's member knows of itself and of the others. */

#include "consensus/update.h"

typedef struct Group Group;

typedef struct GroupView {
        ConsensusRole role;
        uint64_t term, leader; /* 0 while none is known */

        /* Of a leader: the first entry of its term, once on_decided() has taken it; before that,
         * and of others, 0. Before that its vote may not be on the disk, so nothing is done in the
         * name of the term. A consumer that carries out what on_decided() and on_view() say in
         * their order gives the term out to readers when it comes to such a view, until it comes to
         * the next one. */
        uint64_t start;
} GroupView;

typedef struct GroupStatus {
        GroupView view;
        uint64_t base, last;   /* the entry before the first one in the log, and the last one */
        uint64_t stored;       /* up to here the log is on this disk */
        uint64_t commit, told; /* what is decided, and what on_decided() has taken */
        uint64_t fetch;        /* as of on_fetch(); 0 if no database is needed */

        Members members; /* those in force */
        bool is_settled; /* and that is decided */

        /* Of the member at the same place: what it has on its disk, as far as a leader knows, or 0;
         * and whether there is a channel from it. */
        uint64_t match[MEMBERS_MAX];
        bool is_open[MEMBERS_MAX];
} GroupStatus;

/* All as of one moment, but for the channels, which are as of now. Thread: any. */
void group_status(Group *group, GroupStatus *ret);
