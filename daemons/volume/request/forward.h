/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Forward: passes a value on to another volume while it arrives. */

#include "core/call/ticket.h"
#include "core/record.h"
#include "http/pipe.h"
#include "rpc/client.h"
#include "rpc/secret.h"

/* What stands in front of the key's path in the URL of a copy. */
#define FORWARD_PREFIX "/-/copy"

/* What a forward keeps in memory while its receiver is slower than the client, in bytes; a smaller
 * value takes no more than its size. */
#define FORWARD_BUFFER_SIZE (1 * MIB)

typedef struct Forward Forward;

typedef struct ForwardEvents {
        /* There is room again after forward_write() took less than all. */
        void (*writable)(void *userdata);

        /* Called once, on the client's thread; the last that the call does with the forward. ERROR
         * is 0 and CHECKSUM the one that the other volume computed; or ERROR is a negative errno
         * and CHECKSUM NULL. */
        void (*done)(void *userdata, uint32_t volume, int error, const Checksum *checksum);
        void *userdata;
} ForwardEvents;

/* Needed only while forward_new() runs, but for the client and the budget. */
typedef struct ForwardOptions {
        HttpClient *client;
        PipeBudget *budget; /* of all forwards; outlives them */
        Secret *secret;
        uint32_t volume;       /* the receiver */
        uint64_t store;        /* which store of it is meant: see ticket_store() */
        const char *authority; /* where it is: "host:port" */
        const char *key;
        const Record *record;        /* type and metadata */
        const Ticket *ticket;        /* of the client, who writes here */
        uint64_t size;               /* bytes; HTTP_SIZE_UNKNOWN is possible */
        uint64_t stall_timeout_usec; /* without progress for so long it is given up; 0 for the
                                        client's */
        ForwardEvents events;
} ForwardOptions;

/* Starts sending. Returns 0, -EAGAIN if the budget is used up, or another negative errno; after a
 * failure no event comes. */
int forward_new(const ForwardOptions *options, Forward **ret);

/* Ends the sending if it has not ended; done() may come later than this, or during it. */
Forward *forward_free(Forward *forward);
DEFINE_CLEANUP(Forward *, forward_free);

/* Returns how many bytes were taken. A forward that has failed takes everything. */
size_t forward_write(Forward *forward, const void *data, size_t size);

/* That was all. */
void forward_finish(Forward *forward);
