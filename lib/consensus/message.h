/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Message: what members of a group say to each other. They may get lost, be held up, come twice or
 * in another order: then it takes longer. */

#include "consensus/entry.h"

#define GROUP_ID_SIZE ((size_t) 16)

/* The numbers are on the wire: only new ones are added. */
typedef enum MessageType {
        MESSAGE_VOTE = 1,      /* may I lead? */
        MESSAGE_VOTE_ANSWER,   /* yes or no */
        MESSAGE_APPEND,        /* entries, or none: the heartbeat of a leader */
        MESSAGE_APPEND_ANSWER, /* what of it is on the disk, or where it does not fit */
        MESSAGE_BEHIND,        /* what you need is gone from my log: fetch a database */
        MESSAGE_CAMPAIGN,      /* take the lead over from me */
        _MESSAGE_TYPE_MAX,
} MessageType;

typedef struct Message {
        uint8_t group[GROUP_ID_SIZE];
        MessageType type;
        uint64_t from, to;
        uint64_t term; /* of the sender; of a pre-vote that is asked for or given, the one after */

        bool pre;     /* of a vote: would you vote for me? It changes nothing */
        bool force;   /* of a vote: the leader itself wants it, so do not stand by it */
        bool refused; /* of an answer */
        bool lease;   /* APPEND, BEHIND: the leader reads by a lease, so stand by it for a while */

        /* VOTE: the last entry. APPEND: the one before the first that is sent. BEHIND: the base of
         * the log. APPEND_ANSWER: up to where the logs are the same and on the disk, or, if
         * refused, the entry before the first as it was sent. */
        uint64_t index;
        uint64_t index_term;

        uint64_t hint;   /* a refused APPEND_ANSWER: where the logs may be the same */
        uint64_t commit; /* APPEND, BEHIND: what is decided, as far as the leader knows */
        uint64_t probe;  /* APPEND, BEHIND and their answers: the number of a probe, see consensus.h
                          */

        /* APPEND: entries from INDEX + 1 on. The core does not have what is in them: whoever sends
         * the message takes N of them from the log, and then ENTRIES is set. */
        size_t n;
        const Entry *entries; /* not owned */
} Message;
