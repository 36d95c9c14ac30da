/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <unistd.h>

#include "store/index/apply/term.h"
#include "store/index/engine/versions.h"

/* How many may be left when the next ones are reserved. */
#define VERSIONS_LOW (VERSIONS_BLOCK / 2)

/* If the outcome is unknown there is a gap, at worst; the next call asks again. */
static void on_reserved(IndexRequest *request, IndexResult result) {
        IndexReserve *reserve = CONTAINER_OF(request, IndexReserve, request);
        Versions *versions = CONTAINER_OF(reserve, Versions, reserve);

        if (result.outcome == INDEX_DONE && reserve->new_end > atomic_load(&versions->end))
                atomic_store(&versions->end, reserve->new_end);
        if (result.outcome == INDEX_NOT_LEADER && versions->submitter->proposals)
                atomic_store(&versions->is_over, true);
        atomic_store(&versions->is_extending, false);
}

uint64_t versions_next(Versions *versions, VersionUse use) {
        uint64_t n;

        /* Who takes a number before it leads may find it reserved a moment later, but as one that
         * another member has given out. */
        if (atomic_load(&versions->is_over))
                return 0;

        n = atomic_fetch_add(&versions->next, 1);
        for (;;) {
                uint64_t end = atomic_load(&versions->end);

                if (n + VERSIONS_LOW >= end && !atomic_exchange(&versions->is_extending, true))
                        submit_request(versions->submitter, REQUEST_RESERVE,
                                       &versions->reserve.request);
                if (n < end)
                        return 2 * n + use;
                if (atomic_load(&versions->is_over))
                        return 0;

                /* Half a million versions went by while the disk flushed once. */
                (void) usleep(USEC_PER_MSEC);
        }
}

static int load_next(const Submitter *submitter, uint64_t *ret) {
        _cleanup_(buffer_done) Buffer buffer = {};
        int r;

        *ret = 1;
        r = environment_get_state(submitter->environment, VERSIONS_STATE, &buffer);
        if (r >= 0)
                r = versions_decode(&buffer, ret);
        return r == -ENOENT ? 0 : r;
}

static int prepare(Versions *versions, Submitter *submitter, uint64_t *ret_next) {
        versions->submitter = submitter;
        versions->reserve = (IndexReserve){ .request.done = on_reserved, .count = VERSIONS_BLOCK };
        return load_next(submitter, ret_next);
}

int versions_open_member(Versions *versions, Submitter *submitter) {
        uint64_t next;
        int r;

        r = prepare(versions, submitter, &next);
        if (r < 0)
                return r;

        atomic_store(&versions->next, next);
        atomic_store(&versions->is_extending, true);
        atomic_store(&versions->is_over, true);
        return 0;
}

void versions_begin(Versions *versions, uint64_t next, uint64_t count) {
        atomic_store(&versions->next, next);
        atomic_store(&versions->end, next + count);
        atomic_store(&versions->is_over, false);
        atomic_store(&versions->is_extending, false);
}

int versions_open(Versions *versions, Submitter *submitter) {
        uint64_t next;
        int r;

        r = prepare(versions, submitter, &next);
        if (r >= 0)
                r = submit_and_wait(submitter, REQUEST_RESERVE, &versions->reserve.request);
        if (r < 0)
                return r;

        atomic_store(&versions->next, next);
        atomic_store(&versions->end, versions->reserve.new_end);
        versions->is_open = true;
        return 0;
}

/* A backup that is made now has to know how far the versions have come, to the last one: so that a
 * master on it sees by the numbers of a volume what has been stored since. */
void versions_close(Versions *versions) {
        IndexEndVersions end = {};

        if (!versions->is_open)
                return;

        /* If this fails, the next opening leaves a gap, as after a crash. */
        end.next = atomic_load(&versions->next);
        (void) submit_and_wait(versions->submitter, REQUEST_END_VERSIONS, &end.request);
}

void versions_jump(Versions *versions, uint64_t next) {
        atomic_store(&versions->next, next);
        atomic_store(&versions->end, next + VERSIONS_BLOCK);
}
