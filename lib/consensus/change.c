/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* How the set of members changes. A set is in force as soon as it is in the log, decided or not;
 * the one before is kept, since a set that is not decided may be cut off again. There is never more
 * than one of these: a leader waits until the last one is decided, and until something of its own
 * term is, for otherwise there may be another one in the log of another machine that nobody here
 * knows. */

#include <string.h>

#include "consensus/consensus-internal.h"

void change_set_peers(Consensus *c) {
        Peer peers[MEMBERS_MAX];
        size_t n = 0;

        for (size_t i = 0; i < c->members.n; i++) {
                uint64_t id = c->members.member[i].id;
                const Peer *known = consensus_peer(c, id);

                if (id == c->options.self)
                        continue;
                peers[n++] = known ? *known
                                   : (Peer){
                                             .id = id,
                                             .next = trail_last(&c->trail) + 1,
                                             .heard_usec = c->now,
                                     };
        }
        memcpy(c->peers, peers, n * sizeof *peers);
        c->n_peers = n;
}

int change_check(const Entry *entry) {
        Members members;

        return members_decode(entry->data, entry->size, &members);
}

void change_adopt(Consensus *c, const Entry *entry, uint64_t index) {
        Members members;
        int r;

        r = members_decode(entry->data, entry->size, &members);
        assert(r >= 0);

        c->settled = c->members;
        c->settled_index = c->members_index;
        c->members = members;
        c->members_index = index;
        change_set_peers(c);
}

void change_cut(Consensus *c, uint64_t index) {
        if (index > c->members_index)
                return;

        c->members = c->settled;
        c->members_index = c->settled_index;
        change_set_peers(c);
}

void change_on_decided(Consensus *c) {
        if (c->role == CONSENSUS_LEADER && c->members_index <= c->commit &&
            !members_is_voter(&c->members, c->options.self))
                election_step_down(c);
}
