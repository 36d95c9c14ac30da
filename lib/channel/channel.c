/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#define HASH_NONFATAL_OOM 1 /* what was not added has no hh.tbl */
#include <uthash.h>
#include <utlist.h>

#include "channel/channel.h"
#include "channel/dial.h"
#include "core/url.h"

#define WAITING_MAX (64 * MIB)
#define ERRNO_MAX   4095

/* Deadlines are looked at so often. They are counted in this, since no time passes for a process
 * that is stopped. */
#define TICK_USEC (250 * USEC_PER_MSEC)

#define BACKOFF_MIN_USEC (50 * USEC_PER_MSEC)
#define BACKOFF_MAX_USEC USEC_PER_SEC

/* A call stays until it is answered, even if it has had its outcome before: until then it has its
 * place at the other side. */
typedef struct Call {
        uint64_t id;      /* and its number */
        Channel *channel; /* not owned */
        OutFrame frame, cancel;
        bool is_waiting;    /* for a connection, or for credit */
        bool is_sent;       /* all of it */
        bool is_cancelling; /* the connection has its frame CANCEL */
        bool is_answered;   /* and stays only for that one */
        uint16_t kind;
        uint64_t size;       /* what it takes of the receiver's credit */
        Buffer body;         /* until it is sent */
        uint64_t ticks_left; /* UINT64_MAX for no end */
        void (*on_answer)(const ChannelResult *result, void *userdata); /* NULL after the outcome */
        void *userdata;
        UT_hash_handle hh;
        struct Call *prev, *next; /* of those that wait */
} Call;

struct Channel {
        ChannelOptions options;
        char *url; /* owned */
        ChannelCounters counters;

        Call *calls; /* by id, the oldest first */
        uint64_t last_id;
        Call *waiting;
        uint64_t waiting_bytes;
        LoopTimer timer; /* while there are calls */

        Dial *dial;                    /* owned; while a connection is being made */
        uint64_t dialed_at;            /* when that began */
        Connection *connection;        /* owned; while there is one */
        Handshake acceptance;          /* of the connection */
        OutFrame open;                 /* its first frame */
        uint64_t calls_out, bytes_out; /* that were sent and not answered */
        bool has_answered;             /* the other side, on this connection */
        bool is_closing;               /* the other side takes no more calls, but up to this one */
        uint64_t close_number;

        uint64_t backoff_usec, retry_at;
        int error; /* why there is no connection; or 0 */
        char reason[FRAME_SENTENCE_MAX + 1];
        bool is_freed;
};

/* -- Calls -- */

static void stop_waiting(Call *call) {
        Channel *channel = call->channel;

        if (!call->is_waiting)
                return;

        DL_DELETE(channel->waiting, call);
        channel->waiting_bytes -= call->size;
        call->is_waiting = false;
}

/* The connection must not have frames of it any more. */
static void free_call(Call *call) {
        stop_waiting(call);
        HASH_DEL(call->channel->calls, call);
        buffer_done(&call->body);
        free(call);
}

/* Tells the outcome, once; the call may be gone afterwards, as others may be. */
static void settle(Call *call, const ChannelResult *result) {
        void (*on_answer)(const ChannelResult *, void *) = call->on_answer;
        void *userdata = call->userdata;
        bool is_done = !call->channel->connection || call->is_waiting || call->is_answered;

        call->on_answer = NULL;
        if (is_done && !(call->channel->connection && call->is_cancelling))
                free_call(call);
        if (on_answer)
                on_answer(result, userdata);
}

/* What is in the connection's queue may still be sent, unless there is no connection any more. */
static void settle_failed(Call *call, int error, const char *reason) {
        ChannelResult result = {
                .error = error,
                .reason = reason,
                .is_unsent = call->is_waiting || (!call->channel->connection && !call->is_sent),
        };

        settle(call, &result);
}

static Call *find_call(Channel *channel, uint64_t id) {
        Call *call;

        HASH_FIND(hh, channel->calls, &id, sizeof(id), call);
        return call;
}

static void on_cancel_sent(OutFrame *frame) {
        Call *call = CONTAINER_OF(frame, Call, cancel);

        call->is_cancelling = false;
        if (call->is_answered)
                free_call(call);
}

/* Nobody waits for the answer any more. */
static void give_up(Call *call, int error, const char *reason) {
        Channel *channel = call->channel;
        FrameHeader header = { .type = FRAME_CANCEL, .number = call->id };

        if (channel->connection && !call->is_waiting) {
                call->is_cancelling = true;
                call->cancel = (OutFrame){ .head_size = FRAME_HEADER_SIZE,
                                           .on_sent = on_cancel_sent };
                frame_header_encode(&header, call->cancel.head);
                connection_send(channel->connection, &call->cancel);
        }
        settle_failed(call, error, reason);
}

static Call *find_late(Channel *channel) {
        for (Call *call = channel->calls; call; call = call->hh.next)
                if (call->on_answer && call->ticks_left == 0)
                        return call;
        return NULL;
}

static void on_tick(LoopTimer *timer) {
        Channel *channel = CONTAINER_OF(timer, Channel, timer);
        Call *late;

        for (Call *call = channel->calls; call; call = call->hh.next)
                if (call->ticks_left != UINT64_MAX && call->ticks_left > 0)
                        call->ticks_left--;
        while ((late = find_late(channel)))
                give_up(late, -ETIMEDOUT, "it does not answer in time");
        if (channel->calls && !loop_timer_is_set(timer))
                loop_timer_set_after(channel->options.loop, timer, TICK_USEC);
}

/* -- Sending -- */

static void on_call_sent(OutFrame *frame) {
        Call *call = CONTAINER_OF(frame, Call, frame);

        call->is_sent = true;
        buffer_done(&call->body);
}

static void send_call(Channel *channel, Call *call) {
        channel->calls_out++;
        channel->bytes_out += call->size;
        stop_waiting(call);
        connection_begin(channel->connection);
        connection_send(channel->connection, &call->frame);
}

static bool has_credit(const Channel *channel, const Call *call) {
        return channel->calls_out < channel->acceptance.calls_max &&
               channel->bytes_out + call->size <= channel->acceptance.bytes_max;
}

static void send_waiting(Channel *channel) {
        while (channel->connection && !channel->is_closing && channel->waiting &&
               has_credit(channel, channel->waiting))
                send_call(channel, channel->waiting);
}

/* -- The connection -- */

static void set_reason(Channel *channel, int error, const char *reason) {
        channel->error = error;
        (void) snprintf(channel->reason, sizeof(channel->reason), "%s", reason);
}

/* A connection could not be made, or was of no use. */
static void back_off(Channel *channel) {
        uint64_t usec = channel->backoff_usec;
        uint32_t random = 0;

        (void) !getrandom(&random, sizeof(random), 0); /* without, all come back at the same time */
        channel->backoff_usec = MIN(MAX(2 * usec, BACKOFF_MIN_USEC), BACKOFF_MAX_USEC);
        channel->retry_at = loop_now(channel->options.loop) + channel->backoff_usec / 2 +
                            channel->backoff_usec * (random % 1024) / 2048;
}

/* There is no connection: all calls that were made until now fail, with the channel's error. */
static void fail_all(Channel *channel) {
        char reason[sizeof(channel->reason)];
        uint64_t last = channel->last_id;
        int error = channel->error;

        assert(!channel->connection);

        memcpy(reason, channel->reason, sizeof(reason)); /* callbacks may change it */
        channel->calls_out = channel->bytes_out = 0;
        channel->is_closing = false;
        while (channel->calls && channel->calls->id <= last)
                settle_failed(channel->calls, error, reason);
}

static void on_broken(int error, const char *reason, void *userdata) {
        Channel *channel = userdata;

        channel->connection = connection_free(channel->connection);
        if (!channel->has_answered || channel->is_closing)
                back_off(channel);
        if (!channel->is_closing)
                set_reason(channel, error, reason);
        fail_all(channel);
}

static int64_t length_max(const FrameHeader *header, void *userdata) {
        Channel *channel = userdata;
        const Call *call;

        if (header->type == FRAME_CLOSE)
                return FRAME_SENTENCE_MAX;
        if (header->type != FRAME_ANSWER || header->code > ERRNO_MAX)
                return -EPROTO;

        call = find_call(channel, header->number);
        if (!call || !call->is_sent || call->is_answered || header->length < FRAME_STAMP_SIZE)
                return -EPROTO;
        return (int64_t) (FRAME_STAMP_SIZE + (header->code == 0 ? channel->options.types[call->kind].answer_max : FRAME_SENTENCE_MAX));
}

/* Once the calls that it takes are answered, a connection that is closing has no use. */
static void end_if_closed(Channel *channel) {
        if (!channel->is_closing)
                return;
        for (const Call *call = channel->calls; call && call->id <= channel->close_number;
             call = call->hh.next)
                if (!call->is_answered)
                        return;
        connection_break(channel->connection, -ESHUTDOWN, "it is being stopped");
}

/* Without its 0, SENTENCE may hold anything. */
static void copy_sentence(const void *data, size_t size, char ret[static FRAME_SENTENCE_MAX + 1]) {
        memcpy(ret, data, size);
        ret[size] = '\0';
        for (size_t i = 0; i < size; i++)
                if ((unsigned char) ret[i] < ' ')
                        ret[i] = ' ';
}

static void take_answer(Channel *channel, const Frame *frame) {
        Call *call = find_call(channel, frame->header.number);
        char sentence[FRAME_SENTENCE_MAX + 1];
        ChannelResult result = {
                .error = -frame->header.code,
                .is_refusal = frame->header.code > 0,
                .reason = "",
                .body = frame->payload + FRAME_STAMP_SIZE,
                .body_size = frame->header.length - FRAME_STAMP_SIZE,
        };

        frame_stamp_decode(frame->payload, &result.stamp);
        if (result.error < 0) {
                copy_sentence(result.body, result.body_size, sentence);
                result.reason = sentence;
                result.body = NULL;
                result.body_size = 0;
        }

        channel->has_answered = true;
        channel->backoff_usec = 0;
        channel->calls_out--;
        channel->bytes_out -= call->size;
        connection_end(channel->connection);
        call->is_answered = true;
        settle(call, &result);
}

static Call *find_behind(Channel *channel, uint64_t number) {
        for (Call *call = channel->calls; call; call = call->hh.next)
                if (call->on_answer && call->id > number)
                        return call;
        return NULL;
}

/* What the other side will not look at may be made again elsewhere. */
static void take_close(Channel *channel, const Frame *frame) {
        char reason[FRAME_SENTENCE_MAX + 1];
        ChannelResult result = { .error = -ESHUTDOWN, .reason = reason, .is_unsent = true };
        Call *call;

        if (channel->is_closing) /* what was said first counts */
                return;

        copy_sentence(frame->payload, frame->header.length, reason);
        set_reason(channel, -ESHUTDOWN, reason);
        channel->is_closing = true;
        channel->close_number = frame->header.number;
        while ((call = find_behind(channel, channel->close_number)))
                settle(call, &result);
}

static int on_frame(
                const Frame *frame, FrameParser *parser, const char **ret_reason, void *userdata) {
        Channel *channel = userdata;

        if (frame->header.type == FRAME_CLOSE)
                take_close(channel, frame);
        else
                take_answer(channel, frame);
        end_if_closed(channel);
        send_waiting(channel);
        return 0;
}

static int open_connection(Channel *channel, const DialResult *dialed) {
        const ConnectionOwner owner = {
                .length_max = length_max,
                .on_frame = on_frame,
                .on_broken = on_broken,
                .userdata = channel,
                .counters = &channel->counters,
        };
        Session *session;
        int r;

        r = session_new_caller(&dialed->keys, &session);
        if (r < 0)
                return r;
        r = connection_new(
                        channel->options.loop, dialed->fd, session, channel->options.silence_usec,
                        &owner, &channel->connection);
        if (r < 0) {
                (void) session_free(session);
                return r;
        }

        channel->acceptance = dialed->acceptance;
        channel->has_answered = false;
        channel->error = 0;
        channel->reason[0] = '\0';
        channel->open = (OutFrame){ .head_size = FRAME_HEADER_SIZE };
        frame_header_encode(&(FrameHeader){ .type = FRAME_OPEN }, channel->open.head);
        connection_send(channel->connection, &channel->open);
        return 0;
}

static Call *find_too_large(Channel *channel) {
        for (Call *call = channel->waiting; call; call = call->next)
                if (call->size > channel->acceptance.bytes_max)
                        return call;
        return NULL;
}

static void fail_dial(Channel *channel, int error, const char *reason) {
        set_reason(channel, error, reason);
        channel->dial = dial_free(channel->dial);
        back_off(channel);
        fail_all(channel);
}

static void on_dialed(const DialResult *result, void *userdata) {
        Channel *channel = userdata;
        _cleanup_close_ int fd = result->fd;
        int r = result->error;
        Call *call;

        if (r == 0)
                r = open_connection(channel, result);
        if (r < 0) {
                fail_dial(channel, r,
                          result->error < 0 ? result->reason : "there is no memory for it");
                return;
        }

        (void) TAKE_FD(fd);
        if (channel->options.on_open)
                channel->options.on_open(&channel->acceptance, channel->options.userdata);
        while ((call = find_too_large(channel)))
                settle_failed(call, -EMSGSIZE, "it does not take calls of this size");
        send_waiting(channel);
        connection_feed(channel->connection, result->data, result->size);
        channel->dial = dial_free(channel->dial);
}

/* Sees to it that there is a connection, or will be. */
static int want_connection(Channel *channel) {
        DialOptions dial = {
                .loop = channel->options.loop,
                .url = channel->url,
                .signer = channel->options.signer,
                .on_done = on_dialed,
                .userdata = channel,
        };
        Handshake offer = { .purpose = channel->options.purpose };
        int r;

        if (channel->is_closing)
                return -ESHUTDOWN;
        if (channel->connection || channel->dial)
                return 0;
        if (loop_now(channel->options.loop) < channel->retry_at)
                return channel->error;

        channel->options.introduce(&offer, channel->options.userdata);
        dial.offer = &offer;
        channel->dialed_at = loop_now(channel->options.loop);
        r = dial_new(&dial, &channel->dial);
        if (r < 0)
                set_reason(channel, r, "there is no memory for it");
        return r;
}

/* -- The channel -- */

int channel_new(const ChannelOptions *options, Channel **ret) {
        _cleanup_(channel_freep) Channel *channel = NULL;
        Address address;

        assert(options->introduce);

        if (url_host(options->url, &address) < 0)
                return -EINVAL;

        channel = malloc(sizeof(*channel));
        if (!channel)
                return -ENOMEM;

        *channel = (Channel){ .options = *options, .timer.on_timeout = on_tick };
        if (channel->options.waiting_max == 0)
                channel->options.waiting_max = WAITING_MAX;
        if (channel->options.silence_usec == 0)
                channel->options.silence_usec = CONNECTION_SILENCE_USEC;
        channel->url = strdup(options->url);
        if (!channel->url)
                return -ENOMEM;

        *ret = TAKE_PTR(channel);
        return 0;
}

Channel *channel_free(Channel *channel) {
        if (!channel)
                return NULL;

        channel->is_freed = true;
        channel->dial = dial_free(channel->dial);
        channel->connection = connection_free(channel->connection);
        set_reason(channel, -ECANCELED, "the call was ended here");
        fail_all(channel);
        loop_timer_clear(&channel->timer);
        free(channel->url);
        free(channel);
        return NULL;
}

static Call *new_call(Channel *channel, const ChannelCall *what) {
        uint64_t size = FRAME_STAMP_SIZE + (what->body ? what->body->size : 0);
        FrameHeader header = { (uint32_t) size, FRAME_CALL, what->kind, channel->last_id + 1 };
        Call *call = malloc(sizeof(*call));

        if (!call)
                return NULL;

        *call = (Call){
                .id = header.number,
                .channel = channel,
                .is_waiting = true,
                .kind = what->kind,
                .size = size,
                .frame = { .head_size = FRAME_HEADER_SIZE + FRAME_STAMP_SIZE,
                           .on_sent = on_call_sent },
                .ticks_left = what->timeout_usec == 0 ? UINT64_MAX
                                                      : what->timeout_usec / TICK_USEC + 1,
                .on_answer = what->on_answer,
                .userdata = what->userdata,
        };
        frame_header_encode(&header, call->frame.head);
        frame_stamp_encode(&what->stamp, call->frame.head + FRAME_HEADER_SIZE);
        HASH_ADD(hh, channel->calls, id, sizeof(call->id), call);
        if (!call->hh.tbl) {
                free(call);
                return NULL;
        }

        channel->last_id++;
        channel->waiting_bytes += size;
        DL_APPEND(channel->waiting, call);
        return call;
}

static void take_body(Call *call, Buffer *body) {
        if (!body)
                return;

        call->body = *body;
        *body = (Buffer){};
        call->frame.body = call->body.data;
        call->frame.body_size = call->body.size;
}

int channel_call(Channel *channel, const ChannelCall *what, uint64_t *ret_id) {
        uint64_t size = FRAME_STAMP_SIZE + (what->body ? what->body->size : 0);
        Call *call;
        int r;

        assert(what->kind < channel->options.n_types);
        assert(what->on_answer);

        if (channel->is_freed)
                return -ECANCELED;
        if (size > FRAME_STAMP_SIZE + channel->options.types[what->kind].body_max ||
            (channel->connection && size > channel->acceptance.bytes_max))
                return -EMSGSIZE;
        if (what->body && buffer_error(what->body) < 0)
                return -ENOMEM;
        if (channel->waiting && channel->waiting_bytes + size > channel->options.waiting_max)
                return -EBUSY;
        r = want_connection(channel);
        if (r < 0)
                return r;
        call = new_call(channel, what);
        if (!call)
                return -ENOMEM;

        take_body(call, what->body);
        if (!loop_timer_is_set(&channel->timer))
                loop_timer_set_after(channel->options.loop, &channel->timer, TICK_USEC);
        if (ret_id)
                *ret_id = call->id;
        send_waiting(channel);
        return 0;
}

int channel_cancel(Channel *channel, uint64_t id) {
        Call *call = find_call(channel, id);

        if (!call || !call->on_answer)
                return -ENOENT;

        give_up(call, -ECANCELED, "the call was ended here");
        return 0;
}

const char *channel_reason(const Channel *channel) {
        return channel->reason;
}

void channel_hurry(Channel *channel) {
        channel->retry_at = 0;
        channel->backoff_usec = 0;
}

void channel_end_silent(Channel *channel, uint64_t usec) {
        if (channel->dial && loop_now(channel->options.loop) >= channel->dialed_at + usec)
                fail_dial(channel, -EHOSTDOWN, "it does not answer");
        if (channel->connection && connection_silence(channel->connection) >= usec)
                connection_break(
                                channel->connection, -ETIMEDOUT,
                                "it takes connections and does not answer in time");
}

const ChannelCounters *channel_counters(const Channel *channel) {
        return &channel->counters;
}
