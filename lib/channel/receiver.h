/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Receiver: the end of a channel that is called. channel.h is the other end.
 *
 * It begins as a request for HANDSHAKE_PATH. Its handler reads the offer (handshake_read_offer()),
 * decides whether this is the daemon that it is for, accepts it (receiver_accept()), and has the
 * HTTP server give the socket away; with that a receiver is made.
 *
 * Each call is handed to on_call() and stays until it is answered, from any thread, exactly once.
 * It must be answered even if the caller is gone or has given it up, which
 * incoming_is_abandoned() tells: until then the call keeps its place among those that are taken at
 * a time, and the receiver its memory.
 *
 * Thread: the loop's, unless a function says otherwise. */

#include "base/buffer.h"
#include "channel/channel.h"

/* Makes the answer to an offer: ANSWER says who accepts, which cluster this is, and how much is
 * taken at a time; the rest is set here. Returns 0, -ENOMEM or -EIO. */
int receiver_accept(
                const char *offer_text,
                const Handshake *offer,
                const Handshake *answer,
                Signer *signer,
                char ret_text[static HANDSHAKE_TEXT_SIZE],
                SessionKeys *ret_keys);

typedef struct Receiver Receiver;

/* A call that waits for its answer. All of it may be read until then. */
typedef struct Incoming {
        uint16_t kind;
        FrameStamp stamp;
        const uint8_t *body;
        size_t body_size;
        const Handshake *caller; /* its offer: who calls */
        void *userdata;          /* ReceiverOptions.userdata */
} Incoming;

typedef struct ReceiverOptions {
        Loop *loop; /* not owned */
        const SessionKeys *keys;
        const Handshake *offer, *answer; /* copied */
        const ChannelCallType *types;    /* not owned */
        size_t n_types;
        uint64_t silence_usec; /* after which the caller is given up; 0 for
                                * CONNECTION_SILENCE_USEC */

        /* A call of a kind that is in the table. */
        void (*on_call)(Incoming *incoming, void *userdata);

        /* The connection is gone, and all calls were answered: the receiver frees itself after
         * this. Optional. REASON ends a sentence. */
        void (*on_closed)(Receiver *receiver, int error, const char *reason, void *userdata);
        void *userdata;
        ChannelCounters *counters; /* not owned; outlives the receiver */
} ReceiverOptions;

/* FD is taken over on success, also if the connection breaks at once. DATA is what was read from it
 * behind the request. Returns 0 or a negative errno. */
int receiver_new(
                const ReceiverOptions *options,
                int fd,
                const void *data,
                size_t size,
                Receiver **ret);

/* Takes no more calls, for which the caller is told the REASON, a sentence; the connection ends
 * when those that were taken are answered. */
void receiver_close(Receiver *receiver, const char *reason);

/* Breaks the connection. As always, on_closed() comes once all calls were answered. */
void receiver_cut(Receiver *receiver);

/* Answers. Those of one thread between loop_hold() and loop_release() leave together. BODY is taken
 * over; NULL for an empty one. The call must not be touched afterwards. Thread: any. */
void incoming_answer(Incoming *incoming, const FrameStamp *stamp, Buffer *body);

/* Answers that the call fails: ERROR is a negative errno, and SENTENCE, which is copied, says why.
 * Thread: any. */
void incoming_refuse(Incoming *incoming, int error, const char *sentence);

/* Whether nobody waits for the answer any more. Thread: any, before the answer. */
bool incoming_is_abandoned(const Incoming *incoming);
