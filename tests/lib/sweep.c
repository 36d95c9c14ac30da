/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <stdatomic.h>
#include <stdio.h>

#include "sweep.h"

#define RUNS_MAX 1000 /* a scene that makes more requests than this never ends */

struct Sweep {
        Interception way;
        unsigned n; /* the request that is visited, from 1 */
        atomic_uint n_seen;
        atomic_uint met; /* its type */
};

/* On any thread. */
static Interception intercept(const IndexRequest *request, void *userdata) {
        Sweep *sweep = userdata;

        if (atomic_fetch_add(&sweep->n_seen, 1) + 1 != sweep->n)
                return INTERCEPT_NOT;
        atomic_store(&sweep->met, request->type);
        return sweep->way;
}

void sweep_begin(Sweep *sweep, Index *index) {
        submit_intercept(&index->submitter, intercept, sweep);
}

void sweep_end(Sweep *sweep, Index *index) {
        submit_intercept(&index->submitter, NULL, NULL);
}

Interception sweep_way(const Sweep *sweep) {
        return sweep->way;
}

RequestType sweep_met(const Sweep *sweep) {
        return (RequestType) atomic_load(&sweep->met);
}

bool sweep_is_made(const Sweep *sweep, RequestType type) {
        return sweep_met(sweep) != type || sweep->way == INTERCEPT_LOSE_ANSWER;
}

static unsigned sweep_way_of(
                Interception way, void (*scene)(Sweep *sweep, void *userdata), void *userdata) {
        for (unsigned n = 1; n <= RUNS_MAX; n++) {
                Sweep sweep = { .way = way, .n = n };

                scene(&sweep, userdata);
                if (sweep_met(&sweep) == 0)
                        return n - 1;
        }
        (void) fprintf(stderr, "The scene makes more than %u requests.\n", RUNS_MAX);
        abort();
}

unsigned sweep_index(void (*scene)(Sweep *sweep, void *userdata), void *userdata) {
        static const Interception ways[] = {
                INTERCEPT_LOSE,
                INTERCEPT_LOSE_ANSWER,
                INTERCEPT_NOT_LEADER,
        };
        unsigned least = RUNS_MAX;

        for (size_t i = 0; i < ELEMENTSOF(ways); i++)
                least = MIN(least, sweep_way_of(ways[i], scene, userdata));
        return least;
}
