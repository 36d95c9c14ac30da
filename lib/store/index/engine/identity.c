/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "store/index/engine/identity.h"

static int get_random(void *ret, size_t size) {
        ssize_t n = getrandom(ret, size, 0);

        return n < 0 ? -errno : (size_t) n != size ? -EIO : 0;
}

int identity_random_leader(uint64_t *ret) {
        int r = 0;

        *ret = 0;
        while (r >= 0 && *ret == 0)
                r = get_random(ret, sizeof(*ret));
        return r;
}

int identity_begin(Identity *identity, Submitter *submitter) {
        IndexIdentity *first = identity->all;
        IndexBeginTerm begin = { .cluster = first->cluster };
        _cleanup_(buffer_done) Buffer buffer = {};
        int r;

        r = environment_get_state(submitter->environment, IDENTITY_STATE, &buffer);
        if (r >= 0)
                r = term_decode(&buffer, first);
        else if (r == -ENOENT)
                r = get_random(first->cluster, sizeof(first->cluster));
        if (r >= 0)
                r = identity_random_leader(&first->leader);
        if (r < 0)
                return r;

        begin.term = ++first->term;
        atomic_store(&identity->current, first);
        return submit_and_wait(submitter, REQUEST_BEGIN_TERM, &begin.request);
}

int identity_load_member(Identity *identity, Submitter *submitter) {
        _cleanup_(buffer_done) Buffer buffer = {};
        IndexIdentity stored;
        int r;

        r = environment_get_state(submitter->environment, IDENTITY_STATE, &buffer);
        if (r >= 0)
                r = term_decode(&buffer, &stored);
        if (r < 0)
                return r == -ENOENT ? -EBADMSG : r;

        memcpy(identity->all[0].cluster, stored.cluster, sizeof(stored.cluster));
        atomic_store(&identity->current, identity->all);
        return 0;
}

/* Threads that have just read the old identity still use it; there are not enough jumps meanwhile
 * for its place to be needed. */
void identity_lead(Identity *identity, uint64_t term, uint64_t leader) {
        const IndexIdentity *old = atomic_load(&identity->current);
        size_t i = (size_t) (old - identity->all + 1) % IDENTITIES;

        identity->all[i] = *old;
        identity->all[i].term = term;
        identity->all[i].leader = leader;
        atomic_store(&identity->current, identity->all + i);
}

void identity_jump(Identity *identity, uint64_t term) {
        identity_lead(identity, term, atomic_load(&identity->current)->leader);
}
