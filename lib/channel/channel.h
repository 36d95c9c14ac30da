/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Channel: the caller's end of a long-lived connection to another daemon, which carries many calls
 * at a time. receiver.h is the other end.
 *
 * - Calls leave in the order in which they are made; those of one turn of the loop leave together.
 *   Answers come in any order.
 * - Each call has exactly one outcome, and it says whether the other side can have seen the call.
 * - The receiver says how many calls and bytes it takes at a time. What goes beyond that waits
 *   here, and what waits is limited, too. A slow receiver holds up nobody but its own callers.
 * - The connection is made when there is something to say. If that fails, calls fail at once for a
 *   while, twice as long each time, or until channel_hurry(). When it breaks, what is under way
 *   fails, and the next call makes a new one.
 *
 * A receiver is on one loop, so is a channel: daemons have one for each receiver and loop.
 *
 * Thread: all functions are the loop's, and so are all callbacks. */

#include "base/buffer.h"
#include "channel/connection.h"
#include "channel/handshake.h"

/* A row for each kind of call; the receiver has the same table. */
typedef struct ChannelCallType {
        uint64_t body_max, answer_max; /* bytes */
} ChannelCallType;

typedef struct ChannelOptions {
        Loop *loop;                   /* not owned */
        const char *url;              /* "http://HOST:PORT"; copied */
        Signer *signer;               /* of the loop's thread; not owned */
        uint8_t purpose;              /* what the numbers of calls mean */
        const ChannelCallType *types; /* not owned */
        size_t n_types;
        uint64_t waiting_max;  /* bytes of calls that wait; 0 for 64 MiB */
        uint64_t silence_usec; /* after which the receiver is given up; 0 for
                                * CONNECTION_SILENCE_USEC */

        /* Before each connection: who calls whom. The offer's purpose is set. */
        void (*introduce)(Handshake *offer, void *userdata);

        /* A connection is open; ACCEPTANCE says which store it is, and in which run. Optional. */
        void (*on_open)(const Handshake *acceptance, void *userdata);
        void *userdata;
} ChannelOptions;

typedef struct Channel Channel;

/* Returns 0, -EINVAL for a URL that url_normalize() does not make, or -ENOMEM. */
int channel_new(const ChannelOptions *options, Channel **ret);

/* Ends all calls with -ECANCELED before it returns. Not from a callback of this channel. */
Channel *channel_free(Channel *channel);
DEFINE_CLEANUP(Channel *, channel_free);

typedef struct ChannelResult {
        /* 0 if there is an answer. Else a negative errno: -EHOSTDOWN (no connection), -EACCES,
         * -EPROTO or -EREMOTE (the handshake failed: another secret, another release, somebody
         * else), -EOPNOTSUPP (it does not speak this, or does not know this call), -ECONNRESET,
         * -ETIMEDOUT, -ESHUTDOWN (it is being stopped), -ECANCELED, -EMSGSIZE, -EBADMSG, or what
         * the other side refused the call with. */
        int error;
        const char *reason; /* of an error: words that end a sentence ("it refuses connections"), or
                             * the sentence of the other side; during the callback. Never NULL */

        bool is_refusal; /* the error is the other side's answer */

        /* With an error: nobody can have seen the call, so that it may be made again, or to
         * somebody else. */
        bool is_unsent;

        FrameStamp stamp;    /* of an answer */
        const uint8_t *body; /* borrowed, during the callback */
        size_t body_size;
} ChannelResult;

typedef struct ChannelCall {
        uint16_t kind; /* in ChannelOptions.types */
        FrameStamp stamp;
        Buffer *body;          /* taken over on success; NULL for an empty one */
        uint64_t timeout_usec; /* from now; by up to 0.25 s later; 0 for none but silence */

        /* Called exactly once if channel_call() returns 0, and not before that. */
        void (*on_answer)(const ChannelResult *result, void *userdata);
        void *userdata;
} ChannelCall;

/* Makes a call. RET_ID, which may be NULL, is for channel_cancel(). Returns 0, or a negative errno,
 * with which nothing was sent: -EHOSTDOWN and others, see ChannelResult.error, if there was no
 * connection a moment ago, for which channel_reason() has the words; -EBUSY if too much waits;
 * -EMSGSIZE if the body is larger than its kind allows; -ENOMEM. */
int channel_call(Channel *channel, const ChannelCall *what, uint64_t *ret_id);

/* Ends a call with -ECANCELED before it returns, and tells the other side. Returns 0, or -ENOENT if
 * it has ended. */
int channel_cancel(Channel *channel, uint64_t id);

/* Why there was no connection, the last time; "" if there was one. Valid until the next call. */
const char *channel_reason(const Channel *channel);

/* There is reason to believe that the other side is up: the next call may try at once. */
void channel_hurry(Channel *channel);

/* Breaks the connection if the other side has been silent for so long, in steps of 0.25 s, although
 * something is under way; or ends the attempt to make one that has taken so long. */
void channel_end_silent(Channel *channel, uint64_t usec);

/* Thread: any. */
const ChannelCounters *channel_counters(const Channel *channel);
