/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Forward: passes a value on to another volume while it arrives. */

#include "core/call/ticket.h"
#include "core/record.h"
#include "rpc/client.h"
#include "rpc/secret.h"

typedef struct Forward Forward;

typedef struct ForwardEvents {
        void (*writable)(void *userdata); /* there is room again after forward_write() took less
                                             than all */

        /* Called once, after which the forward is not used by its other half any more: 0 and the
         * checksum that the other volume computed, or a negative errno. */
        void (*done)(void *userdata, uint32_t volume, int error, const Checksum *checksum);
        void *userdata;
} ForwardEvents;

/* Starts sending KEY to VOLUME, whose store is STORE (see ticket_store()), at AUTHORITY
 * ("host:port"), as TICKET says. SIZE may be
 * HTTP_SIZE_UNKNOWN. Without progress for PATIENCE_USEC, unless that is 0, it is given up. */
int forward_new(HttpClient *client,
                Secret *secret,
                uint32_t volume,
                uint64_t store,
                const char *authority,
                const char *key,
                const Record *record,
                const Ticket *ticket,
                uint64_t size,
                uint64_t patience_usec,
                const ForwardEvents *events,
                Forward **ret);

/* Ends the sending if it has not ended; done() may come later than this, or during it. */
Forward *forward_free(Forward *forward);
DEFINE_CLEANUP(Forward *, forward_free);

/* Returns how many bytes were taken. A forward that has failed takes everything. */
size_t forward_write(Forward *forward, const void *data, size_t size);

/* That was all. */
void forward_finish(Forward *forward);
