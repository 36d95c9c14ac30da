/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "consensus/consensus-internal.h"

static void begin(Consensus *c, uint64_t now) {
        c->now = MAX(c->now, now);
        c->vote_changed = false;
        c->write = (ConsensusWrite){ 0 };
        c->n_messages = 0;
        c->fetch = 0;
        buffer_clear(&c->own_data);
}

static int end(Consensus *c, ConsensusUpdate *ret) {
        *ret = (ConsensusUpdate){
                .vote_changed = c->vote_changed,
                .term = c->term,
                .vote = c->vote,
                .write = c->write,
                .messages = c->messages,
                .n_messages = c->n_messages,
                .commit = c->commit,
                .role = c->role,
                .leader = c->leader,
                .confirmed = c->role == CONSENSUS_LEADER ? c->confirmed : 0,
                .fetch = c->fetch,
        };
        return 0;
}

Message *consensus_send(Consensus *c, MessageType type, uint64_t to) {
        Message *message = c->messages + c->n_messages;

        if (c->n_messages == MESSAGES_MAX)
                return NULL;

        c->n_messages++;
        *message = (Message){ .type = type, .from = c->options.self, .to = to, .term = c->term };
        memcpy(message->group, c->options.group, sizeof message->group);
        return message;
}

Peer *consensus_peer(Consensus *c, uint64_t id) {
        for (size_t i = 0; i < c->n_peers; i++)
                if (c->peers[i].id == id)
                        return c->peers + i;

        return NULL;
}

static int compare_descending(const void *a, const void *b) {
        uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;

        return (x < y) - (x > y);
}

uint64_t consensus_majority(const Consensus *c, uint64_t own, uint64_t (*value)(const Peer *peer)) {
        uint64_t values[MEMBERS_MAX];
        size_t n = 0;

        if (members_is_voter(&c->members, c->options.self))
                values[n++] = own;
        for (size_t i = 0; i < c->n_peers; i++)
                if (members_is_voter(&c->members, c->peers[i].id))
                        values[n++] = value(c->peers + i);
        if (n == 0)
                return 0;

        qsort(values, n, sizeof *values, compare_descending);
        return values[n / 2];
}

void consensus_append(Consensus *c, const Entry *entries, size_t n) {
        uint64_t first = trail_last(&c->trail) + 1;

        assert(c->write.number == 0);

        for (size_t i = 0; i < n; i++) {
                trail_append(&c->trail, entries + i);
                if (entries[i].type == ENTRY_MEMBERS)
                        change_adopt(c, entries + i, first + i);
        }
        c->write = (ConsensusWrite){
                .number = ++c->writes,
                .first = first,
                .last = first + n - 1,
                .entries = entries,
        };
}

/* The log begins again behind what is in the database. */
static void reset(Consensus *c, const ConsensusApplied *applied) {
        trail_reset(&c->trail, applied->index, applied->term);
        c->members = c->settled = applied->members;
        c->members_index = c->settled_index = applied->members_index;
        c->write = (ConsensusWrite){
                .number = ++c->writes,
                .reset = true,
                .base_term = applied->term,
                .first = applied->index + 1,
                .last = applied->index,
        };
        c->cut = c->writes;
        c->stored = c->verified = applied->index;
}

/* Are these entries that may follow one of TERM in the log of a member in TERM_MAX? */
static bool is_sane(const Entry *entries, size_t n, uint64_t term, uint64_t term_max) {
        for (size_t i = 0; i < n; i++) {
                if (entries[i].term < term || entries[i].term == 0 || entries[i].term > term_max ||
                    entries[i].type == 0 || entries[i].type >= _ENTRY_TYPE_MAX)
                        return false;
                if (entries[i].type == ENTRY_MEMBERS && change_check(entries + i) < 0)
                        return false;
                term = entries[i].term;
        }
        return true;
}

static int load(Consensus *c, const ConsensusDisk *disk) {
        const ConsensusApplied *applied = disk->applied;
        int r;

        if (applied->index < disk->base_index ||
            !is_sane(disk->entries, disk->n, disk->base_term, disk->term))
                return -EBADMSG;
        r = trail_reserve(&c->trail, disk->n);
        if (r < 0)
                return r;

        trail_reset(&c->trail, disk->base_index, disk->base_term);
        for (size_t i = 0; i < disk->n; i++)
                trail_append(&c->trail, disk->entries + i);
        c->stored = trail_last(&c->trail);
        c->members = c->settled = applied->members;
        c->members_index = c->settled_index = applied->members_index;
        for (size_t i = 0; i < disk->n; i++)
                if (disk->entries[i].type == ENTRY_MEMBERS &&
                    disk->base_index + 1 + i > applied->members_index)
                        change_adopt(c, disk->entries + i, disk->base_index + 1 + i);

        if (applied->index > c->stored || trail_term(&c->trail, applied->index) != applied->term)
                reset(c, applied);
        change_set_peers(c);
        c->commit = c->verified = applied->index;
        return 0;
}

int consensus_new(
                const ConsensusOptions *options,
                uint64_t now,
                const ConsensusDisk *disk,
                Consensus **ret,
                ConsensusUpdate *ret_update) {
        _cleanup_(consensus_freep) Consensus *c = calloc(1, sizeof *c);
        int r;

        assert(options->self > 0 && options->heartbeat_usec > 0);
        assert(options->heartbeat_usec <= options->election_usec / 3);

        if (!c)
                return -ENOMEM;

        c->options = *options;
        c->random = options->seed;
        c->term = disk->term;
        c->vote = disk->vote;
        begin(c, now);
        r = load(c, disk);
        if (r < 0)
                return r;

        election_see_term(c, disk->applied->term);
        election_postpone(c);

        /* Who was started again does not know what it has promised to a leader just before. */
        c->stands_usec = MUTANT(FORGOTTEN_VOTE) ? 0 : now + options->election_usec;
        if (members_voters(&c->members) == 1 && members_is_voter(&c->members, options->self))
                c->election_usec = now;

        end(c, ret_update);
        *ret = TAKE_PTR(c);
        return 0;
}

Consensus *consensus_free(Consensus *c) {
        if (!c)
                return NULL;

        trail_done(&c->trail);
        buffer_done(&c->own_data);
        free(c);
        return NULL;
}

static uint64_t heard(const Peer *peer) {
        return peer->heard_usec;
}

uint64_t consensus_deadline(const Consensus *c) {
        uint64_t deadline = UINT64_MAX;

        if (c->role != CONSENSUS_LEADER)
                return c->election_usec;

        for (size_t i = 0; i < c->n_peers; i++)
                deadline = MIN(deadline, c->peers[i].sent_usec + c->options.heartbeat_usec);
        return deadline;
}

/* Sends heartbeats; they carry a probe, which makes them proofs of the lead. */
static void beat(Consensus *c) {
        if (consensus_deadline(c) > c->now)
                return;
        if (c->probe == c->confirmed) {
                replication_probe(c);
                return;
        }

        for (size_t i = 0; i < c->n_peers; i++)
                if (c->peers[i].sent_usec + c->options.heartbeat_usec <= c->now)
                        replication_send(c, c->peers + i, true);
}

int consensus_tick(Consensus *c, uint64_t now, ConsensusUpdate *ret) {
        int r;

        begin(c, now);
        if (c->role == CONSENSUS_LEADER) {
                if (consensus_majority(c, c->now, heard) + c->options.election_usec < c->now) {
                        election_step_down(c);
                        return end(c, ret);
                }
                if (c->transfer > 0 && c->now >= c->transfer_end_usec)
                        c->transfer = 0;
                beat(c);
                return end(c, ret);
        }

        if (c->now >= c->election_usec) {
                if (election_may_stand(c)) {
                        r = election_begin(c, true, false);
                        if (r < 0)
                                return r;
                } else
                        election_postpone(c);
        }
        return end(c, ret);
}

int consensus_receive(Consensus *c, uint64_t now, const Message *message, ConsensusUpdate *ret) {
        int r = -EBADMSG;

        if (message->to != c->options.self || message->from == c->options.self ||
            memcmp(message->group, c->options.group, GROUP_ID_SIZE) != 0)
                return -EXDEV;
        if (message->from == 0 || message->term == 0 ||
            (message->n > 0 && message->type != MESSAGE_APPEND) ||
            !is_sane(message->entries, message->n, message->index_term, message->term))
                return -EBADMSG;

        begin(c, now);
        switch (message->type) {
        case MESSAGE_VOTE:
                r = election_on_vote(c, message);
                break;
        case MESSAGE_VOTE_ANSWER:
                r = election_on_answer(c, message);
                break;
        case MESSAGE_APPEND:
                r = replication_on_append(c, message);
                break;
        case MESSAGE_APPEND_ANSWER:
                r = replication_on_answer(c, message);
                break;
        case MESSAGE_BEHIND:
                r = replication_on_behind(c, message);
                break;
        case MESSAGE_CAMPAIGN:
                r = election_on_campaign(c, message);
                break;
        default:
                break;
        }
        return r < 0 ? r : end(c, ret);
}

int consensus_disconnected(Consensus *c, uint64_t now, uint64_t member, ConsensusUpdate *ret) {
        Peer *peer = consensus_peer(c, member);

        begin(c, now);
        if (c->role == CONSENSUS_LEADER && peer && peer->state == PEER_STREAMED) {
                peer->state = PEER_ASKED;
                peer->waiting = false;
                peer->next = peer->match + 1;
        }
        if (c->role == CONSENSUS_FOLLOWER && c->leader == member) {
                uint64_t wait = TAKE_OVER_USEC;

                c->leader = 0;
                if (!c->leader_leases)
                        c->stands_usec = 0;
                else if (c->stands_usec > c->now)
                        wait += c->stands_usec - c->now;
                c->election_usec = MIN(c->election_usec, c->now + election_random(c, wait));
        }
        return end(c, ret);
}

int consensus_written(
                Consensus *c, uint64_t now, const ConsensusWrite *write, ConsensusUpdate *ret) {
        begin(c, now);

        /* What was cut off since may have been on the disk, and another write of the same entry
         * not. */
        if (write->number < c->cut && !MUTANT(STALE_WRITTEN))
                return end(c, ret);

        c->stored = MAX(c->stored, MIN(write->last, trail_last(&c->trail)));
        if (c->role == CONSENSUS_LEADER)
                replication_decide(c);
        else if (c->leader > 0)
                replication_acknowledge(c);
        return end(c, ret);
}

int consensus_propose(Consensus *c, uint64_t now, Entry *entries, size_t n, ConsensusUpdate *ret) {
        uint64_t last = trail_last(&c->trail), size = trail_size(&c->trail, c->commit, last);
        int r;

        if (c->role != CONSENSUS_LEADER)
                return -EOWNERDEAD;
        if (c->transfer > 0)
                return -EBUSY;
        for (size_t i = 0; i < n; i++) {
                if (entries[i].size > ENTRY_SIZE_MAX)
                        return -EFBIG;
                entries[i].term = c->term;
                entries[i].type = ENTRY_REQUESTS;
                size += entries[i].size;
        }
        if (size > c->options.backlog_size && last > c->commit)
                return -EAGAIN;
        r = trail_reserve(&c->trail, n);
        if (r < 0)
                return r;

        begin(c, now);
        consensus_append(c, entries, n);
        replication_send_all(c, false);
        return end(c, ret);
}

int consensus_probe(Consensus *c, uint64_t now, uint64_t *ret_number, ConsensusUpdate *ret) {
        if (c->role != CONSENSUS_LEADER)
                return -EOWNERDEAD;
        if (c->commit < c->term_start)
                return -EAGAIN;

        begin(c, now);
        if (c->probe > c->confirmed) {
                c->probe_again = true;
                *ret_number = c->probe + 1;
        } else {
                *ret_number = c->probe + 1;
                replication_probe(c);
        }
        return end(c, ret);
}

uint64_t consensus_lease_end(const Consensus *c) {
        if (c->role != CONSENSUS_LEADER || !c->options.lease || c->no_lease ||
            c->commit < c->term_start || c->confirmed == 0 ||
            c->probe - c->confirmed >= PROBES_KEPT)
                return 0;

        return c->probe_usec[c->confirmed % PROBES_KEPT] + c->options.election_usec / 2;
}

int consensus_change(
                Consensus *c,
                uint64_t now,
                const MemberChange *change,
                uint64_t *ret_index,
                ConsensusUpdate *ret) {
        const Peer *peer = consensus_peer(c, change->id);
        Members changed;
        int r;

        if (c->role != CONSENSUS_LEADER)
                return -EOWNERDEAD;
        if (c->transfer > 0 || (c->members_index > c->commit && !MUTANT(TWO_CHANGES)) ||
            (c->commit < c->term_start && !MUTANT(EARLY_CHANGE)))
                return -EBUSY;
        r = members_change(&c->members, change, &changed);
        if (r < 0)
                return r;
        if (change->type == MEMBER_PROMOTE && (!peer || peer->match < c->commit))
                return -EAGAIN;
        r = trail_reserve(&c->trail, 1);
        if (r < 0)
                return r;

        begin(c, now);
        members_encode(&changed, &c->own_data);
        r = buffer_error(&c->own_data);
        if (r < 0)
                return r;

        c->own_entry = (Entry){ c->term, ENTRY_MEMBERS, (uint32_t) c->own_data.size,
                                c->own_data.data };
        consensus_append(c, &c->own_entry, 1);
        replication_send_all(c, false);
        *ret_index = c->write.last;
        return end(c, ret);
}

int consensus_transfer(Consensus *c, uint64_t now, uint64_t member, ConsensusUpdate *ret) {
        Peer *peer = consensus_peer(c, member);

        if (c->role != CONSENSUS_LEADER)
                return -EOWNERDEAD;
        if (c->transfer > 0)
                return -EBUSY;
        if (!peer || !members_is_voter(&c->members, member))
                return -EINVAL;

        begin(c, now);
        c->transfer = member;
        c->transfer_end_usec = c->now + c->options.election_usec;
        c->no_lease = !MUTANT(LEASE_OF_TWO);
        replication_send(c, peer, true);
        return end(c, ret);
}

uint64_t consensus_compact(Consensus *c, uint64_t index) {
        index = MIN(index, MIN(c->commit, c->stored));
        if (index > c->trail.base_index)
                trail_cut_head(&c->trail, index);
        return c->trail.base_index;
}

int consensus_installed(
                Consensus *c, uint64_t now, const ConsensusApplied *applied, ConsensusUpdate *ret) {
        if (applied->index <= c->commit)
                return -EALREADY;

        begin(c, now);
        election_see_term(c, applied->term);
        if (trail_term(&c->trail, applied->index) == applied->term)
                c->stored = MAX(c->stored, applied->index);
        else {
                reset(c, applied);
                change_set_peers(c);
        }
        c->commit = applied->index;
        c->verified = MAX(c->verified, applied->index);
        if (c->leader > 0)
                replication_acknowledge(c);
        return end(c, ret);
}

const Members *consensus_members(const Consensus *c, bool *ret_decided) {
        *ret_decided = c->members_index <= c->commit;
        return &c->members;
}

uint64_t consensus_match(const Consensus *c, uint64_t member) {
        const Peer *peer = consensus_peer((Consensus *) c, member);

        if (member == c->options.self)
                return c->stored;
        return peer && c->role == CONSENSUS_LEADER ? peer->match : 0;
}
