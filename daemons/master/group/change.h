/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Change: of the members of a group, and of who leads it. What is asked for is part of who asks. It
 * is the group's, and unchanged, until done(), which comes once, on the group's thread, perhaps
 * before the call returns; and not at all if that fails. It must not block. */

#include "consensus/members.h"

typedef struct Group Group;

typedef struct GroupChange GroupChange;
struct GroupChange {
        MemberChange change;

        /* 0: it is decided. -EINPROGRESS: it may be decided or not, as for a proposal. All others
         * are those of consensus_change(), or -ESHUTDOWN, and nothing has changed. */
        void (*done)(GroupChange *change, int error);

        uint64_t index, term; /* private, as the next one */
        GroupChange *next;
};

/* Changes the members. Returns 0 or -ESHUTDOWN. Thread: any. */
int group_change(Group *group, GroupChange *change);

typedef struct GroupTransfer GroupTransfer;
struct GroupTransfer {
        uint64_t to;

        /* 0: the other one leads. -ETIMEDOUT: nothing has come of it, and this master leads on.
         * -EOWNERDEAD: it does not lead, or somebody else does now. -EINPROGRESS: this one does not
         * lead any more, and nobody else was heard of for long, or it is stopped. All others are
         * those of consensus_transfer(), or -ESHUTDOWN. */
        void (*done)(GroupTransfer *transfer, int error);

        uint64_t term, end_usec; /* private, as the next one */
        GroupTransfer *next;
};

/* Hands the lead over. Returns 0 or -ESHUTDOWN. Thread: any. */
int group_transfer(Group *group, GroupTransfer *transfer);
