/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Outbox: small objects on their way to volumes, many to a request.
 *
 * Each volume has a queue; what gathers while a request is under way goes with the next one.
 * Nothing waits for a timer, unless the volume has to report first since it, or the master, was
 * just started: then requests are repeated for up to a second. */

#include <stddef.h>
#include <stdint.h>

#include "base/macro.h"
#include "master/cluster/volumes.h"
#include "rpc/client.h"

typedef struct Outbox Outbox;
typedef struct OutboxItem OutboxItem;

struct OutboxItem {
        const void *data; /* what object_encode() wrote; stays the caller's until done() */
        size_t size;

        /* On the client's thread (or the submitter's, if nothing could be sent): 0 if the volume
         * has stored the object durably, or a negative errno; it may have been stored nevertheless.
         */
        void (*done)(OutboxItem *item, int error);

        OutboxItem *next; /* private */
};

/* Neither CLIENT nor VOLUMES is owned. */
int outbox_new(HttpClient *client, Volumes *volumes, Outbox **ret);

/* The client must have been freed before. */
Outbox *outbox_free(Outbox *outbox);
DEFINE_CLEANUP(Outbox *, outbox_free);

/* From any thread. */
void outbox_submit(Outbox *outbox, uint32_t volume, OutboxItem *item);

/* Lets the volume know, with the next request, that a version was committed, so that it need not
 * ask. A hint: it may get lost. */
void outbox_confirm(Outbox *outbox, uint32_t volume, uint64_t version);

/* Sends what is confirmed now, though there may be nothing to store. */
void outbox_flush(Outbox *outbox, uint32_t volume);
