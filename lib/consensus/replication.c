/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* How entries get to the other members, and when they are decided. */

#include "consensus/consensus-internal.h"

/* The last entry of a message that begins behind AFTER; it has one at least, if there is any. */
static uint64_t last_of_batch(const Consensus *c, uint64_t after) {
        uint64_t last = trail_last(&c->trail), i = MIN(after + 1, last);

        while (i < last &&
               trail_size(&c->trail, after, i + 1) + (i + 1 - after) * ENTRY_HEAD_SIZE <=
                               c->options.batch_size)
                i++;
        return i;
}

static Message *address(Consensus *c, Peer *peer, MessageType type) {
        Message *message = consensus_send(c, type, peer->id);

        if (!message)
                return NULL;

        message->commit = c->commit;
        message->probe = c->probe;
        message->lease = c->options.lease;
        peer->sent_usec = c->now;
        return message;
}

static void send_behind(Consensus *c, Peer *peer) {
        Message *message = address(c, peer, MESSAGE_BEHIND);

        if (!message)
                return;
        message->index = c->trail.base_index;
        message->index_term = c->trail.base_term;
}

/* Returns whether there was room. */
static bool send_entries(Consensus *c, Peer *peer, uint64_t last) {
        Message *message = address(c, peer, MESSAGE_APPEND);

        if (!message)
                return false;

        message->index = peer->next - 1;
        message->index_term = trail_term(&c->trail, peer->next - 1);
        message->n = last - message->index;
        return true;
}

static void stream(Consensus *c, Peer *peer, bool heartbeat) {
        while (peer->next <= trail_last(&c->trail)) {
                uint64_t under_way = trail_size(
                                &c->trail, MAX(peer->match, c->trail.base_index), peer->next - 1);
                uint64_t last = last_of_batch(c, peer->next - 1);

                if (under_way >= c->options.window_size || !send_entries(c, peer, last))
                        break;
                peer->next = last + 1;
                heartbeat = false;
        }

        /* If there is no room for it, it is due again at once. */
        if (heartbeat)
                (void) send_entries(c, peer, peer->next - 1);
}

void replication_send(Consensus *c, Peer *peer, bool heartbeat) {
        if (peer->next <= c->trail.base_index)
                peer->state = PEER_BEHIND;

        switch (peer->state) {
        case PEER_BEHIND:
                if (heartbeat)
                        send_behind(c, peer);
                break;
        case PEER_ASKED:
                /* The question may be lost, so a heartbeat asks once more, without entries. */
                if (!peer->waiting)
                        peer->waiting = send_entries(c, peer, last_of_batch(c, peer->next - 1));
                else if (heartbeat)
                        (void) send_entries(c, peer, peer->next - 1);
                break;
        case PEER_STREAMED:
                stream(c, peer, heartbeat);
                break;
        }
}

void replication_send_all(Consensus *c, bool heartbeat) {
        for (size_t i = 0; i < c->n_peers; i++)
                replication_send(c, c->peers + i, heartbeat);
}

static uint64_t match(const Peer *peer) {
        return peer->match;
}

static uint64_t probe(const Peer *peer) {
        return peer->probe;
}

/* What a majority has on its disks is decided, if it is of this term: an entry of an older one may
 * be on a majority of the disks and be overwritten yet (figure 8 of the paper). */
void replication_decide(Consensus *c) {
        uint64_t index = consensus_majority(c, c->stored, match);

        if (index <= c->commit || (trail_term(&c->trail, index) != c->term && !MUTANT(FIGURE_8)))
                return;

        c->commit = index;
        change_on_decided(c);
}

static void confirm(Consensus *c) {
        c->confirmed = MAX(c->confirmed, consensus_majority(c, c->probe, probe));
        if (c->probe_again && c->confirmed == c->probe)
                replication_probe(c);
}

void replication_probe(Consensus *c) {
        c->probe++;
        c->probe_again = false;
        c->probe_usec[c->probe % PROBES_KEPT] = c->now;
        replication_send_all(c, true);
        confirm(c);
}

static void on_refused(Consensus *c, Peer *peer, const Message *message) {
        bool is_late = message->index != peer->next - 1;

        /* After one that was lost all are refused that were under way behind it. To begin again
         * once in a while is enough; for each of them it would be a storm. */
        if (peer->state == PEER_STREAMED) {
                is_late = message->index <= peer->match ||
                          c->now < peer->restarted_usec + c->options.heartbeat_usec;
                if (!is_late)
                        peer->restarted_usec = c->now;
        }
        if (peer->state == PEER_BEHIND || is_late)
                return;

        peer->state = PEER_ASKED;
        peer->waiting = false;
        peer->next = MAX(peer->match, MIN(message->hint, message->index - 1)) + 1;
        replication_send(c, peer, true);
}

static void on_accepted(Consensus *c, Peer *peer, const Message *message) {
        if (message->index > trail_last(&c->trail))
                return;

        peer->match = MAX(peer->match, message->index);
        if (peer->state == PEER_BEHIND && peer->match < c->trail.base_index)
                return;
        if (peer->state != PEER_STREAMED)
                peer->next = peer->match + 1;
        peer->state = PEER_STREAMED;
        peer->next = MAX(peer->next, peer->match + 1);
        peer->waiting = false;
}

int replication_on_answer(Consensus *c, const Message *message) {
        Peer *peer = consensus_peer(c, message->from);

        election_see_term(c, message->term);
        if (c->role != CONSENSUS_LEADER || message->term != c->term || !peer)
                return 0;

        peer->heard_usec = c->now;
        peer->probe = MAX(peer->probe, MIN(message->probe, c->probe));
        confirm(c);
        if (message->refused) {
                on_refused(c, peer, message);
                return 0;
        }

        on_accepted(c, peer, message);
        replication_decide(c);
        if (c->role != CONSENSUS_LEADER)
                return 0;
        if (c->transfer == peer->id && peer->match == trail_last(&c->trail))
                (void) consensus_send(
                                c, MESSAGE_CAMPAIGN, peer->id); /* again with its next answer */
        else
                replication_send(c, peer, false);
        return 0;
}

void replication_acknowledge(Consensus *c) {
        Message *answer = consensus_send(c, MESSAGE_APPEND_ANSWER, c->leader);

        assert(answer);
        answer->index = MUTANT(EARLY_ANSWER) ? c->verified : MIN(c->verified, c->stored);
        answer->probe = c->heard_probe;
}

static void refuse(Consensus *c, const Message *message, uint64_t hint) {
        Message *answer = consensus_send(c, MESSAGE_APPEND_ANSWER, message->from);

        assert(answer);
        answer->refused = true;
        answer->index = message->index;
        answer->hint = hint;
        answer->probe = message->term == c->term ? c->heard_probe : 0;
}

/* Returns 0 if the message is of a leader of the past, which is told so. */
static int hear_leader(Consensus *c, const Message *message) {
        election_see_term(c, message->term);
        if (message->term < c->term) {
                refuse(c, message, 0);
                return 0;
        }
        if (c->role == CONSENSUS_LEADER)
                return -EUCLEAN; /* two leaders in a term */

        election_follow(c, message->from);
        c->leader_leases = message->lease;
        c->heard_probe = MAX(c->heard_probe, message->probe);
        return 1;
}

/* Of N entries behind INDEX those that are not in the log; others in their places are cut off.
 * There is room for them. Returns 1 if some were appended. */
static int append(Consensus *c, uint64_t index, const Entry *entries, size_t n) {
        uint64_t first;
        size_t have = 0;

        while (have < n && index + have < trail_last(&c->trail) &&
               (trail_term(&c->trail, index + have + 1) == entries[have].term || MUTANT(NO_CUT)))
                have++;
        if (have == n)
                return 0;

        first = index + have + 1;
        if (first <= c->commit || first <= c->settled_index)
                return -EUCLEAN; /* other entries were decided here */
        if (first <= trail_last(&c->trail)) {
                trail_cut_tail(&c->trail, first);
                change_cut(c, first);
                c->stored = MIN(c->stored, first - 1);
                c->cut = c->writes + 1;
        }
        consensus_append(c, entries + have, n - have);
        return 1;
}

int replication_on_append(Consensus *c, const Message *message) {
        uint64_t index = message->index, index_term = message->index_term,
                 probe_before = c->heard_probe;
        uint64_t base = c->trail.base_index;
        const Entry *entries = message->entries;
        size_t n = message->n;
        int r;

        r = trail_reserve(&c->trail, n);
        if (r < 0)
                return r;
        r = hear_leader(c, message);
        if (r <= 0)
                return r;

        if (index + n <= base) { /* it is all in the database */
                replication_acknowledge(c);
                return 0;
        }
        if (index < base) {
                entries += base - index;
                n -= base - index;
                index = base;
                index_term = c->trail.base_term;
        }
        if (index > trail_last(&c->trail) || trail_term(&c->trail, index) != index_term) {
                refuse(c, message, MAX(c->commit, trail_hint(&c->trail, index)));
                return 0;
        }

        r = append(c, index, entries, n);
        if (r < 0)
                return r;
        c->verified = MAX(c->verified, index + n);
        if (MIN(message->commit, c->verified) > c->commit) {
                c->commit = MIN(message->commit, c->verified);
                change_on_decided(c);
        }
        if (r == 0 || c->heard_probe > probe_before)
                replication_acknowledge(c);
        return 0;
}

int replication_on_behind(Consensus *c, const Message *message) {
        int r;

        r = hear_leader(c, message);
        if (r <= 0)
                return r;

        if (c->commit < message->index)
                c->fetch = message->index;
        c->verified = MAX(c->verified, c->commit);
        replication_acknowledge(c);
        return 0;
}
