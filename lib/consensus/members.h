/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Members: the masters of a group. Voters decide, a majority of them for each entry; standbys get
 * all entries and have no say, until they are promoted.
 *
 * The set is an entry of the log, and changes by one member at a time, so that any majority of it
 * has a voter in common with any majority of the set before. */

#include "base/buffer.h"

#define MEMBERS_MAX      ((size_t) 12)
#define VOTERS_MAX       ((size_t) 5)
#define MEMBER_URL_MAX   ((size_t) 255)
#define MEMBERS_SIZE_MAX (2 + MEMBERS_MAX * (8 + 1 + 2 + MEMBER_URL_MAX)) /* as bytes */

typedef enum MemberRole {
        MEMBER_STANDBY,
        MEMBER_VOTER,
        _MEMBER_ROLE_MAX,
} MemberRole;

typedef struct Member {
        uint64_t id; /* never 0, never used for another machine again */
        MemberRole role;
        char url[MEMBER_URL_MAX + 1];
} Member;

typedef struct Members {
        size_t n;
        Member member[MEMBERS_MAX];
} Members;

typedef enum MemberChangeType {
        MEMBER_ADD,     /* as a standby */
        MEMBER_PROMOTE, /* to a voter */
        MEMBER_DEMOTE,  /* to a standby */
        MEMBER_REMOVE,
} MemberChangeType;

typedef struct MemberChange {
        MemberChangeType type;
        uint64_t id;
        const char *url; /* of who is added */
} MemberChange;

const Member *members_find(const Members *members, uint64_t id);
bool members_is_voter(const Members *members, uint64_t id);
size_t members_voters(const Members *members);

/* The set after the change. Returns 0, -EEXIST, -ENOENT, -EALREADY if it has that role, -E2BIG for
 * too many members or voters, -EINVAL if no voter would be left or for a bad id or URL. */
int members_change(const Members *members, const MemberChange *change, Members *ret);

void members_encode(const Members *members, Buffer *buffer);

/* Returns 0, or -EBADMSG for bytes that are no set of members with at least one voter. */
int members_decode(const void *data, size_t size, Members *ret);
