/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Store check: compares the store of a volume with what the index names there, and marks the copies
 * that it lacks (store/index/damage.h).
 *
 * It goes over the index page by page, and blocks while the volume answers and the marks are made:
 * one thread does it, which another one can stop. */

#include "master/cluster/volumes.h"
#include "rpc/peers.h"

typedef struct StoreCheck StoreCheck;

/* None of it is owned. */
typedef struct StoreCheckOptions {
        Index *index;
        Volumes *volumes;
        Peers *peers; /* for calls that take long */
} StoreCheckOptions;

int store_check_new(const StoreCheckOptions *options, StoreCheck **ret);
StoreCheck *store_check_free(StoreCheck *check);
DEFINE_CLEANUP(StoreCheck *, store_check_free);

/* Starts over at the first page, for this volume. */
void store_check_begin(StoreCheck *check, uint32_t volume);

/* Checks the next page. Returns 1 if there is another one, 0 if this was the last, -ESHUTDOWN once
 * stopped, or another negative errno: then nothing of the page counts, and it is checked again the
 * next time. */
int store_check_page(StoreCheck *check);

/* From any thread: ends the page that is being checked soon, and all that follow at once. Comes
 * before the end of the peers and of the index. */
void store_check_stop(StoreCheck *check);
