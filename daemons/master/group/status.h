/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Status: what a group's member knows of itself and of the others. */

#include "master/group/group.h"

typedef struct GroupStatus {
        GroupView view;
        uint64_t base, last;   /* the entry before the first one in the log, and the last one */
        uint64_t stored;       /* up to here the log is on this disk */
        uint64_t commit, told; /* what is decided, and what on_decided() has had */
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
