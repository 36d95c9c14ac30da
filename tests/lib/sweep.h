/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Sweep: what a caller of the index does when it gets no proper answer.
 *
 * A scene is run again and again. In each run one request to the index has another outcome than it
 * should: in the first run the first request, in the second one the second, until a run makes fewer
 * requests than that. All of this is done for each way in which a request can fail to be answered.
 * The scene, which makes a world of its own in each run, asserts what its caller promises. */

#include "store/index/engine/index-internal.h"

typedef struct Sweep Sweep;

/* Runs the scene. Returns how many requests were visited in each way: at least 1, or the scene has
 * shown nothing. */
unsigned sweep_index(void (*scene)(Sweep *sweep, void *userdata), void *userdata);

/* In a scene: requests to INDEX count from now on, and no longer. */
void sweep_begin(Sweep *sweep, Index *index);
void sweep_end(Sweep *sweep, Index *index);

/* What the request that is visited in this run meets: INTERCEPT_LOSE, INTERCEPT_LOSE_ANSWER or
 * INTERCEPT_NOT_LEADER. */
Interception sweep_way(const Sweep *sweep);

/* Whether it was met in this run, and its type if so, else 0. */
RequestType sweep_met(const Sweep *sweep);

/* Whether the request of this type, of which there is one in a run, takes effect in this run. */
bool sweep_is_made(const Sweep *sweep, RequestType type);
