/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Connection: the frames of one open channel on their way into and out of a socket; the part that
 * both ends have in common. Users of a channel see channel.h or receiver.h.
 *
 * - Reading: one recv() whenever something came, all frames in it are handed out. Only frames with
 *   the right tag are.
 * - Writing: the frames that were queued in one turn of the loop leave with one sendmsg(), in the
 *   order in which they were queued. Nothing is copied: a frame belongs to who queued it, and must
 *   stay until on_sent() or on_broken().
 * - Silence: while something is under way, the other side is asked now and then whether it is
 *   there, and is given up if it stays silent. Time counts only while this process runs. While
 *   nothing is, the system sees to it that the connection is known on the way, or breaks.
 *
 * Thread: all functions and callbacks are the loop's. Callbacks come from the loop, not from within
 * a function, but for connection_feed() and connection_flush(): a connection that is broken
 * meanwhile is told a moment later. */

#include "channel/frame.h"
#include "channel/session.h"
#include "loop/loop.h"

/* Unless the user of a channel has another limit; which is 0.5 s at least. */
#define CONNECTION_SILENCE_USEC (3 * USEC_PER_SEC)

typedef struct OutFrame {
        uint8_t head[FRAME_HEADER_SIZE + FRAME_STAMP_SIZE]; /* the latter if there is one */
        size_t head_size;
        const void *body; /* the rest of the payload; not owned */
        size_t body_size;

        /* The system has all of it, and the frame may go. Optional. */
        void (*on_sent)(struct OutFrame *frame);

        /* For the connection */
        uint8_t tag[FRAME_TAG_SIZE];
        struct OutFrame *next;
} OutFrame;

/* What happened on a connection, or on all of a channel so far. Anybody may read it at any time. */
typedef struct ChannelCounters {
        _Atomic uint64_t opened, broken; /* connections */
        _Atomic uint64_t frames_in, frames_out, bytes_in, bytes_out;
        _Atomic uint64_t receives, sends; /* system calls */
} ChannelCounters;

typedef struct ConnectionOwner {
        /* See FrameParser. */
        int64_t (*length_max)(const FrameHeader *header, void *userdata);

        /* A frame is there; PARSER is for frame_parser_take(). A negative errno breaks the
         * connection, with REASON if that was set. */
        int (*on_frame)(const Frame *frame,
                        FrameParser *parser,
                        const char **ret_reason,
                        void *userdata);

        /* The connection is broken, once: ERROR is a negative errno, and the reason, in words that
         * end a sentence, a constant. It was and remains the owner's. */
        void (*on_broken)(int error, const char *reason, void *userdata);
        void *userdata;
        ChannelCounters *counters; /* not owned; outlives the connection */
} ConnectionOwner;

typedef struct Connection Connection;

/* Makes an open channel of a connected socket. FD and SESSION are taken over on success. */
int connection_new(
                Loop *loop,
                int fd,
                Session *session,
                uint64_t silence_usec,
                const ConnectionOwner *owner,
                Connection **ret);

/* Closes the socket. No callback comes after this, and what was queued is not sent. Not from
 * on_frame() or on_sent(). */
Connection *connection_free(Connection *connection);
DEFINE_CLEANUP(Connection *, connection_free);

/* Takes what was read from the socket before the connection was made. */
void connection_feed(Connection *connection, const void *data, size_t size);

/* Queues a frame, whose header and stamp are in HEAD already. */
void connection_send(Connection *connection, OutFrame *frame);

/* Sends what is queued as far as the socket takes it, without waiting for the end of the turn. */
void connection_flush(Connection *connection);

/* Something begins or ends for which the other side must be there. */
void connection_begin(Connection *connection);
void connection_end(Connection *connection);

/* For how long the other side has been silent while something is under way; 0 otherwise. */
uint64_t connection_silence(const Connection *connection);

/* Breaks the connection; REASON is a constant. */
void connection_break(Connection *connection, int error, const char *reason);

/* Closes our direction once what is queued is sent; what is queued from now on is not. The other
 * side may still send. */
void connection_finish(Connection *connection);
