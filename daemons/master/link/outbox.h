/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Outbox: small objects on their way to volumes, many to a call.
 *
 * Each volume has a tray on each loop; what gathers while a call is under way goes with the next
 * one, and what comes while none is goes once the loop has nothing else to do. No object waits for
 * a timer, unless the volume has to report first since it, or the master, was just started: then
 * calls are repeated for up to a second.
 *
 * What a loop submits is sent, answered and done on that loop, without a lock; what other threads
 * submit, on the first one. */

#include <stddef.h>
#include <stdint.h>

#include "base/macro.h"
#include "master/cluster/volumes.h"
#include "rpc/peers.h"

typedef struct Outbox Outbox;
typedef struct OutboxItem OutboxItem;

struct OutboxItem {
        const void *data; /* what object_encode() wrote; stays the caller's until done() */
        size_t size;

        /* On the loop (or the submitter's thread, if there is no memory): 0 if the volume has
         * stored the object durably, or a negative errno; it may have been stored nevertheless. */
        void (*done)(OutboxItem *item, int error);

        OutboxItem *next; /* private */
};

/* Neither PEERS nor VOLUMES is owned. */
int outbox_new(Peers *peers, Volumes *volumes, Outbox **ret);

/* The peers must have been stopped, and the loops run. What waits in a tray is not done any more:
 * so all requests that have submitted something must have ended before the peers were stopped.
 * Thread: any but a loop's. */
Outbox *outbox_free(Outbox *outbox);
DEFINE_CLEANUP(Outbox *, outbox_free);

/* From any thread. */
void outbox_submit(Outbox *outbox, uint32_t volume, OutboxItem *item);

/* Lets the volume know that a version was committed, so that it need not ask: with the next call of
 * this loop, or after a second without one. A hint: it may get lost. From any thread. */
void outbox_confirm(Outbox *outbox, uint32_t volume, uint64_t version);

/* Sends what this loop, or the first one for a thread that is none, has confirmed, though there may
 * be nothing to store. From any thread. */
void outbox_flush(Outbox *outbox, uint32_t volume);
