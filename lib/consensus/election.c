/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Who leads. A candidate asks first whether it would be elected (a pre-vote), so that a member that
 * comes back disturbs nobody by its high term; and who heard of a leader lately does not vote. */

#include "consensus/consensus-internal.h"

/* splitmix64 */
uint64_t election_random(Consensus *c, uint64_t below) {
        uint64_t z = c->random += 0x9e3779b97f4a7c15;

        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return (z ^ (z >> 31)) % below;
}

void election_postpone(Consensus *c) {
        c->election_usec = c->now + c->options.election_usec +
                           election_random(c, c->options.election_usec);
}

void election_step_down(Consensus *c) {
        c->role = CONSENSUS_FOLLOWER;
        c->leader = 0;
        c->transfer = 0;
        election_postpone(c);
}

void election_follow(Consensus *c, uint64_t leader) {
        c->role = CONSENSUS_FOLLOWER;
        c->leader = leader;
        c->stands_usec = c->now + c->options.election_usec;
        election_postpone(c);
}

/* A new term begins for this member: nothing is known of its leader. */
static void enter(Consensus *c, uint64_t term, uint64_t vote) {
        c->term = term;
        c->vote = vote;
        c->vote_changed = true;
        c->leader = 0;
        c->heard_probe = 0;
        c->verified = c->commit;
}

void election_see_term(Consensus *c, uint64_t term) {
        if (term <= c->term)
                return;

        enter(c, term, 0);
        if (c->role != CONSENSUS_FOLLOWER)
                election_step_down(c);
}

static bool is_won(const Consensus *c) {
        size_t votes = members_is_voter(&c->members, c->options.self);

        for (size_t i = 0; i < c->n_peers; i++)
                votes += c->peers[i].voted && members_is_voter(&c->members, c->peers[i].id);
        return votes > members_voters(&c->members) / 2;
}

/* Who is about to lose its vote still stands: it may be the only one that has the entry that says
 * so, and then nobody else is elected. */
bool election_may_stand(const Consensus *c) {
        return members_is_voter(&c->members, c->options.self) ||
               (c->members_index > c->commit && members_is_voter(&c->settled, c->options.self));
}

/* There is room for the entry. */
static void lead(Consensus *c) {
        c->role = CONSENSUS_LEADER;
        c->leader = c->options.self;
        c->term_start = trail_last(&c->trail) + 1;
        c->probe = c->confirmed = 0;
        c->probe_again = c->no_lease = false;
        c->transfer = 0;
        for (size_t i = 0; i < c->n_peers; i++)
                c->peers[i] = (Peer){
                        .id = c->peers[i].id,
                        .next = c->term_start,
                        .heard_usec = c->now,
                        .sent_usec = c->now,
                };

        c->own_entry = (Entry){ .term = c->term, .type = ENTRY_NOTHING };
        consensus_append(c, &c->own_entry, 1);
        replication_send_all(c, true);
}

static void ask_for_votes(Consensus *c, bool force) {
        for (size_t i = 0; i < c->n_peers; i++) {
                Message *message;

                if (!members_is_voter(&c->members, c->peers[i].id))
                        continue;
                message = consensus_send(c, MESSAGE_VOTE, c->peers[i].id);
                if (!message)
                        return;

                message->pre = c->pre;
                message->force = force;
                message->term = c->pre ? c->term + 1 : c->term;
                message->index = trail_last(&c->trail);
                message->index_term = trail_last_term(&c->trail);
        }
}

int election_begin(Consensus *c, bool pre, bool force) {
        int r;

        r = trail_reserve(&c->trail, 1);
        if (r < 0)
                return r;

        c->role = CONSENSUS_CANDIDATE;
        c->pre = pre;
        c->leader = 0;
        for (size_t i = 0; i < c->n_peers; i++)
                c->peers[i].voted = false;
        if (!pre)
                enter(c, c->term + 1, c->options.self);
        election_postpone(c);

        if (!is_won(c))
                ask_for_votes(c, force);
        else if (pre)
                return election_begin(c, false, force);
        else
                lead(c);
        return 0;
}

/* Does the other one have all that may have been decided with our help? */
static bool is_complete(const Consensus *c, const Message *message) {
        uint64_t term = trail_last_term(&c->trail);

        if (MUTANT(SHORT_LOG))
                return true;
        return message->index_term > term ||
               (message->index_term == term && message->index >= trail_last(&c->trail));
}

static bool stands_by_leader(const Consensus *c, const Message *message) {
        return !message->force && (c->role == CONSENSUS_LEADER || c->now < c->stands_usec);
}

int election_on_vote(Consensus *c, const Message *message) {
        bool granted = false;
        Message *answer;

        if (!stands_by_leader(c, message)) {
                if (!message->pre)
                        election_see_term(c, message->term);
                if (message->pre)
                        granted = message->term > c->term && is_complete(c, message);
                else if (message->term == c->term && is_complete(c, message))
                        granted = c->vote == 0 || c->vote == message->from || MUTANT(TWO_VOTES);
        }
        if (granted && !message->pre) {
                c->vote_changed = c->vote_changed || c->vote != message->from;
                c->vote = message->from;
                election_postpone(c);
        }

        answer = consensus_send(c, MESSAGE_VOTE_ANSWER, message->from);
        assert(answer);
        answer->pre = message->pre;
        answer->refused = !granted;
        if (granted)
                answer->term = message->term;
        return 0;
}

int election_on_answer(Consensus *c, const Message *message) {
        Peer *peer = consensus_peer(c, message->from);
        uint64_t asked = c->pre ? c->term + 1 : c->term;

        if (message->refused) {
                election_see_term(c, message->term);
                return 0;
        }
        if (c->role != CONSENSUS_CANDIDATE || message->pre != c->pre || message->term != asked ||
            !peer)
                return 0;

        peer->voted = true;
        if (!is_won(c))
                return 0;
        if (c->pre)
                return election_begin(c, false, false);
        lead(c);
        return 0;
}

int election_on_campaign(Consensus *c, const Message *message) {
        if (message->term != c->term || c->role != CONSENSUS_FOLLOWER || !election_may_stand(c))
                return 0;

        return election_begin(c, false, true);
}
