/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Dial: opens a channel: address, connection, HTTP request, handshake. Nothing of it blocks the
 * loop. Each step may take DIAL_STEP_USEC.
 *
 * Thread: the loop's. */

#include "channel/handshake.h"
#include "loop/loop.h"

#define DIAL_STEP_USEC (2 * USEC_PER_SEC)

typedef struct Dial Dial;

typedef struct DialResult {
        int error; /* 0, or a negative errno as in ChannelResult */

        /* Of an error: words that end a sentence, or the sentence of the other side. */
        const char *reason;

        /* Without an error; borrowed, but for the descriptor. */
        int fd;
        SessionKeys keys;
        Handshake acceptance;
        const void *data; /* what followed the answer */
        size_t size;
} DialResult;

typedef struct DialOptions {
        Loop *loop;             /* not owned */
        const char *url;        /* in the form of url.h */
        const Handshake *offer; /* all but the nonce; copied */
        Signer *signer;         /* not owned */

        /* Called once. The dial may be freed in it. */
        void (*on_done)(const DialResult *result, void *userdata);
        void *userdata;
} DialOptions;

/* Returns 0, or a negative errno: then on_done() is not called. */
int dial_new(const DialOptions *options, Dial **ret);

/* on_done() is not called any more. */
Dial *dial_free(Dial *dial);
DEFINE_CLEANUP(Dial *, dial_free);
