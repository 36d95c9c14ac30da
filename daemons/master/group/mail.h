/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Mail: messages between the members of a group, as calls over channels (rpc/rpc-call.h) that are
 * answered with nothing as soon as they are there.
 *
 * A channel is authenticated, and says which member of which group is at either end. Messages are
 * numbered by the process that sends them, so what an old connection still brings when a new one
 * has begun is dropped, as is what comes a second time. Some get lost, and nobody repeats them.
 *
 * Each begins with the sender's address, so that it can be answered by who does not know the sender
 * yet: a machine that joins, or one whose set of members is old. */

#include "channel/handshake.h"
#include "consensus/members.h"
#include "consensus/message.h"
#include "rpc/rpc-call.h"
#include "rpc/rpc-request.h"

typedef struct Mail Mail;

typedef struct MailOptions {
        uint64_t self;
        uint8_t group[GROUP_ID_SIZE];
        uint8_t cluster[CLUSTER_ID_SIZE];
        uint64_t run; /* of this process: random, not 0 */
        Peers *peers; /* not owned */

        /* A message has not arrived, or may not have. On a loop. */
        void (*on_lost)(uint64_t member, void *userdata);
        void *userdata;
} MailOptions;

/* Returns 0 or -ENOMEM. */
int mail_new(const MailOptions *options, Mail **ret);

/* The peers were stopped before. Accepts NULL. */
Mail *mail_free(Mail *mail);
DEFINE_CLEANUP(Mail *, mail_free);

/* Begins a message: what is said comes behind that. URL is this member's own; "" if that is not
 * known. */
void mail_begin(const char *url, Buffer *ret);

/* Sends a message, whose BYTES are taken over. Those of one thread to one member keep their order.
 * Returns 0, or a negative errno, such as -E2BIG for too many members, and then nothing was sent.
 * Thread: one at a time. */
int mail_send(Mail *mail, const Member *to, Buffer *bytes);

/* Whether this is the member that the OFFER is for. Returns 0 with the ANSWER, or -EREMOTE. Thread:
 * any. */
int mail_admit(const Mail *mail, const Handshake *offer, Handshake *answer);

/* Takes a message, and finds out who sends it and where what is said begins. Returns 0, -EALREADY
 * for what comes from an old connection or once more, -EBADMSG, and -EREMOTE for who is none of the
 * group, or if there are too many. Thread: any. */
int mail_take(Mail *mail,
              const Parties *parties,
              const Buffer *bytes,
              uint64_t *ret_member,
              size_t *ret_begin);

/* What a member has said last of where it is. Returns whether that is known. Thread: any. */
bool mail_find_url(Mail *mail, uint64_t member, char ret[static MEMBER_URL_MAX + 1]);

/* A channel from somebody has been opened, and has ended. Both return the member, or 0 if that is
 * none of this group. Thread: any. */
uint64_t mail_opened(Mail *mail, const StoreIdentity *from);
uint64_t mail_closed(Mail *mail, const StoreIdentity *from);

/* Forgets who is none of MEMBERS, unless something is still under way to or from it. There is room
 * for MEMBERS_MAX several times over, so nobody is turned away who has taken the place of another.
 * Thread: that of mail_send(). */
void mail_keep(Mail *mail, const Members *members);

/* Whether there is a channel from the member, whichever of its processes it comes from: when an old
 * one ends late, the member is not gone. Thread: any. */
bool mail_is_open(Mail *mail, uint64_t member);
