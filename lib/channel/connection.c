/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "channel/connection.h"

#define READ_SIZE (64 * KIB)

/* As many frames leave at once; a frame has up to three pieces. */
#define GATHER_FRAMES 64
#define FRAME_PIECES  3

/* Silence is looked at so often, and the other side is asked. */
#define TICK_USEC (250 * USEC_PER_MSEC)

/* While nothing is under way, the system asks, after so many seconds and then so often: what is
 * between the two sides remembers the connection, or else it breaks before somebody needs it. */
#define IDLE_SEC       60
#define IDLE_AGAIN_SEC 10
#define IDLE_TIMES     3

struct Connection {
        Loop *loop; /* not owned */
        int fd;
        LoopSource source;
        LoopWaker waker; /* at the end of the turn: tend() */
        bool is_waiting; /* for that */
        ConnectionOwner owner;
        Session *session; /* owned */
        FrameParser parser;
        uint64_t silence_usec;

        bool has_more;     /* to read, as far as is known */
        bool is_at_end;    /* the other side has closed its direction */
        bool is_blocked;   /* the socket takes no more */
        bool is_finishing; /* nothing more is queued */
        OutFrame *queue;   /* not owned */
        OutFrame **queue_end;
        size_t sent; /* of the first frame */

        int error; /* why it is broken; or 0 */
        const char *reason;
        bool is_told;

        LoopTimer timer;
        uint64_t under_way; /* connection_begin() without connection_end() */
        unsigned silent_ticks;
        OutFrame ping, pong;
        bool is_pinging, is_ponging; /* they are in the queue */
};

/* Everything that must not happen in the middle of something else happens at the end of the turn.
 */
static void want_tending(Connection *connection) {
        if (connection->is_waiting)
                return;

        connection->is_waiting = true;
        loop_call_later(&connection->waker);
}

void connection_break(Connection *connection, int error, const char *reason) {
        assert(error < 0);

        if (connection->error < 0)
                return;

        connection->error = error;
        connection->reason = reason;
        loop_timer_clear(&connection->timer);
        loop_remove(connection->loop, connection->fd, &connection->source);
        closep(&connection->fd);
        want_tending(connection);
}

static const char *system_reason(int error) {
        return error == -ECONNRESET || error == -EPIPE ? "it broke the connection"
                                                       : "the connection failed";
}

/* -- Writing -- */

static size_t frame_size(const OutFrame *frame) {
        return frame->head_size + frame->body_size + FRAME_TAG_SIZE;
}

/* Adds what is left of PIECE, of which *SKIP bytes at most were sent. */
static void add_piece(
                struct iovec *pieces, size_t *n, const void *piece, size_t size, size_t *skip) {
        size_t skipped = MIN(size, *skip);

        *skip -= skipped;
        if (size > skipped)
                pieces[(*n)++] = (struct iovec){ (uint8_t *) piece + skipped, size - skipped };
}

/* Returns how many pieces there are. */
static size_t gather(const Connection *connection, struct iovec *ret) {
        size_t n = 0, skip = connection->sent, n_frames = 0;

        for (const OutFrame *frame = connection->queue; frame && n_frames < GATHER_FRAMES;
             frame = frame->next, n_frames++) {
                add_piece(ret, &n, frame->head, frame->head_size, &skip);
                add_piece(ret, &n, frame->body, frame->body_size, &skip);
                add_piece(ret, &n, frame->tag, FRAME_TAG_SIZE, &skip);
        }
        return n;
}

/* SIZE more bytes are gone. */
static void advance(Connection *connection, size_t size) {
        connection->sent += size;
        connection->owner.counters->bytes_out += size;
        while (connection->queue && connection->sent >= frame_size(connection->queue)) {
                OutFrame *frame = connection->queue;

                connection->sent -= frame_size(frame);
                connection->queue = frame->next;
                if (!connection->queue)
                        connection->queue_end = &connection->queue;
                connection->owner.counters->frames_out++;
                if (frame == &connection->ping)
                        connection->is_pinging = false;
                else if (frame == &connection->pong)
                        connection->is_ponging = false;
                else if (frame->on_sent)
                        frame->on_sent(frame);
        }
}

void connection_flush(Connection *connection) {
        while (connection->queue && connection->error == 0 && !connection->is_blocked) {
                struct iovec pieces[GATHER_FRAMES * FRAME_PIECES];
                struct msghdr message = { .msg_iov = pieces };
                ssize_t n;

                message.msg_iovlen = gather(connection, pieces);
                n = sendmsg(connection->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
                if (n < 0 && errno == EINTR)
                        continue;
                connection->owner.counters->sends++;
                if (n < 0 && errno == EAGAIN)
                        connection->is_blocked = true;
                else if (n < 0)
                        connection_break(connection, -errno, system_reason(-errno));
                else
                        advance(connection, (size_t) n);
        }

        if (connection->is_finishing && !connection->queue && connection->error == 0)
                (void) shutdown(connection->fd, SHUT_WR);
}

void connection_send(Connection *connection, OutFrame *frame) {
        int r;

        if (connection->error < 0 || connection->is_finishing)
                return;

        r = session_seal(
                        connection->session, frame->head, frame->head_size, frame->body,
                        frame->body_size, frame->tag);
        if (r < 0) {
                connection_break(connection, r, "a frame could not be signed");
                return;
        }

        frame->next = NULL;
        *connection->queue_end = frame;
        connection->queue_end = &frame->next;
        if (!connection->is_blocked)
                want_tending(connection);
}

/* -- Silence -- */

static void send_small(Connection *connection, OutFrame *frame, FrameType type, bool *is_queued) {
        if (*is_queued)
                return;

        *is_queued = true;
        *frame = (OutFrame){ .head_size = FRAME_HEADER_SIZE };
        frame_header_encode(&(FrameHeader){ .type = type }, frame->head);
        connection_send(connection, frame);
}

static void on_tick(LoopTimer *timer) {
        Connection *connection = CONTAINER_OF(timer, Connection, timer);

        if (connection->under_way == 0)
                return;

        connection->silent_ticks++;
        if (connection_silence(connection) >= connection->silence_usec) {
                connection_break(
                                connection, -ETIMEDOUT,
                                "it takes connections and does not answer in time");
                return;
        }

        send_small(connection, &connection->ping, FRAME_PING, &connection->is_pinging);
        loop_timer_set_after(connection->loop, timer, TICK_USEC);
}

void connection_begin(Connection *connection) {
        if (connection->under_way++ > 0 || connection->error < 0)
                return;

        connection->silent_ticks = 0;
        if (!loop_timer_is_set(&connection->timer))
                loop_timer_set_after(connection->loop, &connection->timer, TICK_USEC);
}

void connection_end(Connection *connection) {
        assert(connection->under_way > 0);

        connection->under_way--;
}

uint64_t connection_silence(const Connection *connection) {
        return connection->under_way > 0 ? connection->silent_ticks * TICK_USEC : 0;
}

/* -- Reading -- */

static int take_frame(Connection *connection, const Frame *frame, const char **ret_reason) {
        int r;

        r = session_check(connection->session, frame);
        if (r < 0) {
                *ret_reason = "what came from it was altered on its way";
                return r;
        }

        connection->owner.counters->frames_in++;
        if (frame->header.type == FRAME_PING || frame->header.type == FRAME_PONG) {
                if (frame->header.type == FRAME_PING)
                        send_small(connection, &connection->pong, FRAME_PONG,
                                   &connection->is_ponging);
                return 0;
        }
        return connection->owner.on_frame(
                        frame, &connection->parser, ret_reason, connection->owner.userdata);
}

static int64_t length_max(const FrameHeader *header, void *userdata) {
        Connection *connection = userdata;

        if (header->type == FRAME_PING || header->type == FRAME_PONG)
                return header->code == 0 && header->number == 0 ? 0 : -EPROTO;
        return connection->owner.length_max(header, connection->owner.userdata);
}

void connection_feed(Connection *connection, const void *data, size_t size) {
        const char *reason = "what it sends is no channel that dkv knows";

        connection->owner.counters->bytes_in += size;
        connection->silent_ticks = 0;
        while (size > 0 && connection->error == 0) {
                bool is_complete;
                Frame frame;
                ssize_t n;

                n = frame_parser_feed(&connection->parser, data, size, &frame, &is_complete);
                if (n >= 0 && is_complete) {
                        int r = take_frame(connection, &frame, &reason);

                        n = r < 0 ? r : n;
                }
                if (n < 0) {
                        connection_break(connection, (int) n, reason);
                        return;
                }
                data = (const uint8_t *) data + n;
                size -= (size_t) n;
        }
}

/* The other side will send nothing more. */
static void end(Connection *connection) {
        connection_break(
                        connection, -ECONNRESET,
                        frame_parser_is_inside(&connection->parser)
                                        ? "it broke the connection in the middle of a frame"
                                        : "it broke the connection");
}

static void receive(Connection *connection) {
        uint8_t buffer[READ_SIZE];
        ssize_t n;

        do
                n = recv(connection->fd, buffer, sizeof(buffer), MSG_DONTWAIT);
        while (n < 0 && errno == EINTR);

        connection->owner.counters->receives++;
        if (n < 0) {
                connection->has_more = false;
                if (errno != EAGAIN)
                        connection_break(connection, -errno, system_reason(-errno));
                return;
        }
        if (n == 0) {
                end(connection);
                return;
        }

        /* A buffer that was not filled was all that there is, but for the end. */
        connection->has_more = (size_t) n == sizeof(buffer) || connection->is_at_end;
        connection_feed(connection, buffer, (size_t) n);
        if (connection->has_more)
                want_tending(connection); /* after others had their turn */
}

static void on_event(LoopSource *source, uint32_t events) {
        Connection *connection = CONTAINER_OF(source, Connection, source);

        if (connection->error < 0)
                return;

        if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
                connection->is_at_end = true;
        if (events & EPOLLOUT && connection->is_blocked) {
                connection->is_blocked = false;
                want_tending(connection);
        }
        if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
                receive(connection);
}

static void tend(LoopWaker *waker) {
        Connection *connection = CONTAINER_OF(waker, Connection, waker);

        connection->is_waiting = false;
        if (connection->error == 0 && connection->has_more)
                receive(connection);
        if (connection->error == 0)
                connection_flush(connection);
        if (connection->error < 0 && !connection->is_told) {
                connection->is_told = true;
                connection->owner.counters->broken++;
                connection->owner.on_broken(/* which may free it */
                                            connection->error, connection->reason,
                                            connection->owner.userdata);
        }
}

/* It may be no TCP, which knows of none of this and does without. */
static void tune(int fd) {
        static const int on = 1, idle = IDLE_SEC, again = IDLE_AGAIN_SEC, times = IDLE_TIMES;

        (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        (void) setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
        (void) setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &again, sizeof(again));
        (void) setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &times, sizeof(times));
        (void) setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

int connection_new(
                Loop *loop,
                int fd,
                Session *session,
                uint64_t silence_usec,
                const ConnectionOwner *owner,
                Connection **ret) {
        Connection *connection;
        int r;

        assert(owner->counters);

        connection = malloc(sizeof(*connection));
        if (!connection)
                return -ENOMEM;

        *connection = (Connection){
                .loop = loop,
                .fd = fd,
                .source.on_event = on_event,
                .waker = { .on_wake = tend, .loop = loop },
                .owner = *owner,
                .silence_usec = silence_usec,
                .timer.on_timeout = on_tick,
        };
        connection->queue_end = &connection->queue;
        frame_parser_init(&connection->parser, length_max, connection);

        r = loop_add(loop, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, &connection->source);
        if (r < 0) {
                free(connection);
                return r;
        }

        tune(fd);
        connection->session = session;
        owner->counters->opened++;
        *ret = connection;
        return 0;
}

Connection *connection_free(Connection *connection) {
        if (!connection)
                return NULL;

        connection_break(connection, -ECANCELED, "it was closed here");
        if (connection->is_waiting)
                loop_cancel(&connection->waker);
        session_free(connection->session);
        frame_parser_done(&connection->parser);
        free(connection);
        return NULL;
}

void connection_finish(Connection *connection) {
        connection->is_finishing = true;
        if (connection->error == 0)
                want_tending(connection);
}
