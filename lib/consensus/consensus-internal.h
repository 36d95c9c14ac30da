/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the parts of the core share: election.c (who leads), replication.c (entries get to the
 * others and are decided), receive.c (messages), change.c (members). */

#include "base/mutant.h"
#include "consensus/consensus.h"
#include "consensus/trail.h"

#define ENTRY_HEAD_SIZE 16 /* what an entry takes in a message, about, besides what is in it */
#define MESSAGES_MAX    ((size_t) 64) /* in an update; what does not fit is sent with a later one */
#define PROBES_KEPT     64
#define TAKE_OVER_USEC  (20 * USEC_PER_MSEC)

typedef enum PeerState {
        PEER_ASKED,    /* it is not known up to where its log is ours: one message at a time */
        PEER_STREAMED, /* entries are sent before earlier ones are acknowledged */
        PEER_BEHIND,   /* it needs what is not in our log any more */
} PeerState;

/* Another member, as a leader or a candidate sees it. */
typedef struct Peer {
        uint64_t id;
        PeerState state;
        bool waiting; /* asked, and not answered yet */
        bool voted;
        uint64_t match; /* up to here its log is ours, on its disk */
        uint64_t next;  /* the first entry that it has not been sent */
        uint64_t heard_usec, sent_usec, restarted_usec;
        uint64_t probe;
} Peer;

struct Consensus {
        ConsensusOptions options;
        uint64_t now, random;

        ConsensusRole role;
        bool pre; /* of a candidate: it only asks yet */
        uint64_t term, vote, leader;
        uint64_t election_usec; /* when the next election is due */
        uint64_t stands_usec;   /* until then it votes for nobody, unless the leader wants it */
        bool leader_leases;     /* the leader counts on that */

        Trail trail;
        uint64_t stored;   /* up to here the log is on the disk */
        uint64_t verified; /* up to here the log is that of the leader of this term */
        uint64_t commit;
        uint64_t writes; /* the number of the last one */
        uint64_t cut;    /* the last write that cut something off */

        Members members, settled; /* in force, and those of the entry before, which is decided */
        uint64_t members_index, settled_index;
        Peer peers[MEMBERS_MAX];
        size_t n_peers;

        /* of a leader */
        uint64_t term_start; /* its first entry */
        uint64_t probe, confirmed;
        bool probe_again; /* another one is wanted after the one under way */
        uint64_t probe_usec[PROBES_KEPT];
        uint64_t transfer, transfer_end_usec;
        bool no_lease; /* it has asked another one to take over in this term */

        /* of a follower */
        uint64_t heard_probe;

        /* the update */
        bool vote_changed;
        ConsensusWrite write;
        Message messages[MESSAGES_MAX];
        size_t n_messages;
        uint64_t fetch;
        Entry own_entry;
        Buffer own_data;
};

/* consensus.c */
Message *consensus_send(Consensus *c, MessageType type, uint64_t to); /* NULL if there is no room */
Peer *consensus_peer(Consensus *c, uint64_t id);
void consensus_append(
                Consensus *c, const Entry *entries, size_t n); /* to the trail, which has room */

/* What a majority of the voters has reached: OWN is this member's. */
uint64_t consensus_majority(const Consensus *c, uint64_t own, uint64_t (*value)(const Peer *peer));

/* election.c */
uint64_t election_random(Consensus *c, uint64_t below);
void election_postpone(Consensus *c);
void election_step_down(Consensus *c);
void election_follow(Consensus *c, uint64_t leader);
void election_see_term(Consensus *c, uint64_t term);
bool election_may_stand(const Consensus *c);
int election_begin(Consensus *c, bool pre, bool force);
int election_on_vote(Consensus *c, const Message *message);
int election_on_answer(Consensus *c, const Message *message);
int election_on_campaign(Consensus *c, const Message *message);

/* replication.c */
void replication_send(Consensus *c, Peer *peer, bool heartbeat);
void replication_send_all(Consensus *c, bool heartbeat);
void replication_decide(Consensus *c);
void replication_probe(Consensus *c);
int replication_on_answer(Consensus *c, const Message *message);
int replication_on_append(Consensus *c, const Message *message);
int replication_on_behind(Consensus *c, const Message *message);
void replication_acknowledge(Consensus *c);

/* change.c */
void change_set_peers(Consensus *c);
int change_check(const Entry *entry);
void change_adopt(Consensus *c, const Entry *entry, uint64_t index); /* one that is all right */
void change_cut(Consensus *c, uint64_t index);                       /* of the log, from INDEX on */
void change_on_decided(Consensus *c);
