/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "consensus/members.h"

#define FORMAT 1

static Member *find(Members *members, uint64_t id) {
        for (size_t i = 0; i < members->n; i++)
                if (members->member[i].id == id)
                        return members->member + i;

        return NULL;
}

const Member *members_find(const Members *members, uint64_t id) {
        return find((Members *) members, id);
}

bool members_is_voter(const Members *members, uint64_t id) {
        const Member *member = members_find(members, id);

        return member && member->role == MEMBER_VOTER;
}

size_t members_voters(const Members *members) {
        size_t n = 0;

        for (size_t i = 0; i < members->n; i++)
                n += members->member[i].role == MEMBER_VOTER;

        return n;
}

static int add(Members *members, const MemberChange *change) {
        Member *member = members->member + members->n;

        if (change->id == 0 || !change->url || strlen(change->url) > MEMBER_URL_MAX)
                return -EINVAL;
        if (find(members, change->id))
                return -EEXIST;
        if (members->n == MEMBERS_MAX)
                return -E2BIG;

        *member = (Member){ .id = change->id, .role = MEMBER_STANDBY };
        strcpy(member->url, change->url);
        members->n++;
        return 0;
}

static int set_role(Members *members, uint64_t id, MemberRole role) {
        Member *member = find(members, id);

        if (!member)
                return -ENOENT;
        if (member->role == role)
                return -EALREADY;
        if (role == MEMBER_VOTER && members_voters(members) == VOTERS_MAX)
                return -E2BIG;

        member->role = role;
        return 0;
}

static int drop(Members *members, uint64_t id) {
        Member *member = find(members, id);

        if (!member)
                return -ENOENT;

        members->n--;
        memmove(member, member + 1,
                (size_t) (members->member + members->n - member) * sizeof *member);
        return 0;
}

int members_change(const Members *members, const MemberChange *change, Members *ret) {
        Members changed = *members;
        int r = -EINVAL;

        switch (change->type) {
        case MEMBER_ADD:
                r = add(&changed, change);
                break;
        case MEMBER_PROMOTE:
                r = set_role(&changed, change->id, MEMBER_VOTER);
                break;
        case MEMBER_DEMOTE:
                r = set_role(&changed, change->id, MEMBER_STANDBY);
                break;
        case MEMBER_REMOVE:
                r = drop(&changed, change->id);
                break;
        }
        if (r < 0)
                return r;
        if (members_voters(&changed) == 0)
                return -EINVAL;

        *ret = changed;
        return 0;
}

void members_encode(const Members *members, Buffer *buffer) {
        buffer_put_u8(buffer, FORMAT);
        buffer_put_u8(buffer, (uint8_t) members->n);
        for (size_t i = 0; i < members->n; i++) {
                buffer_put_u64(buffer, members->member[i].id);
                buffer_put_u8(buffer, (uint8_t) members->member[i].role);
                buffer_put_string(buffer, members->member[i].url);
        }
}

static int decode_member(Reader *reader, Members *members) {
        Member member = { .id = reader_get_u64(reader) };
        uint8_t role = reader_get_u8(reader);
        size_t size;
        const void *url = reader_get_bytes(reader, &size);

        if (!url || member.id == 0 || role >= _MEMBER_ROLE_MAX || size > MEMBER_URL_MAX ||
            memchr(url, 0, size) || find(members, member.id))
                return -EBADMSG;

        member.role = role;
        memcpy(member.url, url, size);
        members->member[members->n++] = member;
        return 0;
}

int members_decode(const void *data, size_t size, Members *ret) {
        Reader reader = READER(data, size);
        Members members = { 0 };
        uint8_t format = reader_get_u8(&reader), n = reader_get_u8(&reader);

        if (format != FORMAT || n > MEMBERS_MAX)
                return -EBADMSG;
        for (size_t i = 0; i < n; i++) {
                int r = decode_member(&reader, &members);
                if (r < 0)
                        return r;
        }
        if (reader_end(&reader) < 0 || members_voters(&members) == 0 ||
            members_voters(&members) > VOTERS_MAX)
                return -EBADMSG;

        *ret = members;
        return 0;
}
