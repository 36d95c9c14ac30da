/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <stdatomic.h>
#include <string.h>
#include <sys/random.h>
#define HASH_NONFATAL_OOM 1 /* what was not added has no hh.tbl */
#include <uthash.h>

#include "channel/receiver.h"

typedef struct Taken {
        Incoming incoming;
        Receiver *receiver; /* not owned */
        uint64_t number;
        uint64_t size; /* what it takes of the caller's credit */
        void *payload; /* owned */
        atomic_bool is_abandoned;
        LoopWaker waker;
        OutFrame answer;
        FrameHeader header; /* of the answer */
        Buffer body;        /* of the answer */
        bool is_queued;     /* the connection has the answer */
        UT_hash_handle hh;
} Taken;

struct Receiver {
        ReceiverOptions options;
        Handshake offer, answer;
        Connection *connection; /* owned; while there is one */
        bool is_open;           /* the caller has shown that it has the keys */

        Taken *calls; /* by number: those without an answer, or whose answer is not sent */
        uint64_t last_number;
        uint64_t bytes_in; /* of them */

        OutFrame close;
        char close_reason[FRAME_SENTENCE_MAX];
        bool is_closing;

        int error; /* why there is no connection */
        const char *reason;
};

int receiver_accept(
                const char *offer_text,
                const Handshake *offer,
                const Handshake *answer,
                Signer *signer,
                char ret_text[static HANDSHAKE_TEXT_SIZE],
                SessionKeys *ret_keys) {
        Handshake acceptance = *answer;
        int r;

        acceptance.purpose = offer->purpose;
        acceptance.to = offer->from;
        if (getrandom(acceptance.nonce, sizeof(acceptance.nonce), 0) != sizeof(acceptance.nonce))
                return -EIO;
        r = handshake_accept(&acceptance, offer_text, signer, ret_text);
        if (r < 0)
                return r;
        return handshake_keys(offer_text, ret_text, signer, ret_keys);
}

static void release(Taken *taken) {
        HASH_DEL(taken->receiver->calls, taken);
        taken->receiver->bytes_in -= taken->size;
        free(taken->payload);
        buffer_done(&taken->body);
        free(taken);
}

/* A connection that takes no more calls has no use once all were answered. */
static void finish_if_done(Receiver *receiver) {
        if (receiver->is_closing && !receiver->calls)
                connection_finish(receiver->connection);
}

/* Without a connection, the receiver stays for those who have not answered yet. */
static void free_if_done(Receiver *receiver) {
        if (receiver->connection || receiver->calls)
                return;

        if (receiver->options.on_closed)
                receiver->options.on_closed(
                                receiver, receiver->error, receiver->reason,
                                receiver->options.userdata);
        free(receiver);
}

static void on_sent(OutFrame *frame) {
        Taken *taken = CONTAINER_OF(frame, Taken, answer);
        Receiver *receiver = taken->receiver;

        connection_end(receiver->connection);
        release(taken);
        finish_if_done(receiver);
}

static void send_answer(Taken *taken) {
        Receiver *receiver = taken->receiver;

        if (!receiver->connection) {
                release(taken);
                free_if_done(receiver);
                return;
        }

        frame_header_encode(&taken->header, taken->answer.head);
        taken->answer.head_size = sizeof(taken->answer.head);
        taken->answer.body = taken->body.data;
        taken->answer.body_size = taken->body.size;
        taken->answer.on_sent = on_sent;
        taken->is_queued = true;
        connection_send(receiver->connection, &taken->answer);
}

static void on_answered(LoopWaker *waker) {
        send_answer(CONTAINER_OF(waker, Taken, waker));
}

/* CODE is 0 or a positive errno. */
static void answer(Taken *taken, uint16_t code, const FrameStamp *stamp, Buffer *body) {
        if (body) {
                taken->body = *body;
                *body = (Buffer){};
        }
        taken->header = (FrameHeader){
                .length = (uint32_t) (FRAME_STAMP_SIZE + taken->body.size),
                .type = FRAME_ANSWER,
                .code = code,
                .number = taken->number,
        };
        frame_stamp_encode(stamp, taken->answer.head + FRAME_HEADER_SIZE);
        if (loop_current() == taken->waker.loop)
                send_answer(taken);
        else
                loop_wake(&taken->waker);
}

void incoming_refuse(Incoming *incoming, int error, const char *sentence) {
        Taken *taken = CONTAINER_OF(incoming, Taken, incoming);
        Buffer body = {};

        assert(error < 0);

        buffer_put(&body, sentence, MIN(strlen(sentence), FRAME_SENTENCE_MAX));
        if (buffer_error(&body) < 0)
                buffer_done(&body); /* without words, then */
        answer(taken, (uint16_t) -error, &(FrameStamp){}, &body);
}

void incoming_answer(Incoming *incoming, const FrameStamp *stamp, Buffer *body) {
        Taken *taken = CONTAINER_OF(incoming, Taken, incoming);
        const Receiver *receiver = taken->receiver;

        if (body && buffer_error(body) < 0) {
                buffer_done(body);
                incoming_refuse(incoming, -ENOMEM, "There is no memory for the answer.");
        } else if (body && body->size > receiver->options.types[incoming->kind].answer_max) {
                buffer_done(body);
                incoming_refuse(incoming, -EMSGSIZE, "The answer is too long.");
        } else {
                answer(taken, 0, stamp, body);
        }
}

bool incoming_is_abandoned(const Incoming *incoming) {
        const Taken *taken = (const Taken *) ((const char *) incoming - offsetof(Taken, incoming));

        return atomic_load(&taken->is_abandoned);
}

/* -- What the caller sends -- */

static int64_t call_max(const Receiver *receiver, const FrameHeader *header) {
        uint64_t bytes_left = receiver->answer.bytes_max - receiver->bytes_in;

        if (header->number <= receiver->last_number || header->length < FRAME_STAMP_SIZE)
                return -EPROTO;
        if (receiver->is_closing) /* it is thrown away */
                return receiver->answer.bytes_max;
        if (HASH_COUNT(receiver->calls) >= receiver->answer.calls_max)
                return -ENOBUFS;
        if (header->code >= receiver->options.n_types)
                return (int64_t) bytes_left;
        return (int64_t) MIN(
                        bytes_left,
                        FRAME_STAMP_SIZE + receiver->options.types[header->code].body_max);
}

static int64_t length_max(const FrameHeader *header, void *userdata) {
        const Receiver *receiver = userdata;

        switch (header->type) {
        case FRAME_OPEN:
                return receiver->is_open ? -EPROTO : 0;
        case FRAME_CALL:
                return receiver->is_open ? call_max(receiver, header) : -EPROTO;
        case FRAME_CANCEL:
                return header->number <= receiver->last_number || receiver->is_closing ? 0
                                                                                       : -EPROTO;
        default:
                return -EPROTO;
        }
}

static int take_call(Receiver *receiver, const Frame *frame, FrameParser *parser) {
        Taken *taken = malloc(sizeof(*taken));

        if (!taken)
                return -ENOMEM;

        *taken = (Taken){
                .receiver = receiver,
                .number = frame->header.number,
                .size = frame->header.length,
                .waker = { .on_wake = on_answered, .loop = receiver->options.loop },
                .incoming.kind = frame->header.code,
                .incoming.body_size = frame->header.length - FRAME_STAMP_SIZE,
                .incoming.caller = &receiver->offer,
                .incoming.userdata = receiver->options.userdata,
        };
        frame_stamp_decode(frame->payload, &taken->incoming.stamp);
        taken->payload = frame_parser_take(parser, frame);
        if (taken->payload)
                HASH_ADD(hh, receiver->calls, number, sizeof(taken->number), taken);
        if (!taken->payload || !taken->hh.tbl) {
                free(taken->payload);
                free(taken);
                return -ENOMEM;
        }

        taken->incoming.body = (const uint8_t *) taken->payload + FRAME_STAMP_SIZE;
        receiver->bytes_in += taken->size;
        receiver->last_number = taken->number;
        connection_begin(receiver->connection);
        if (taken->incoming.kind < receiver->options.n_types)
                receiver->options.on_call(&taken->incoming, receiver->options.userdata);
        else
                incoming_refuse(&taken->incoming, -EOPNOTSUPP,
                                "This daemon does not know this call.");
        return 0;
}

static void take_cancel(Receiver *receiver, uint64_t number) {
        Taken *taken;

        HASH_FIND(hh, receiver->calls, &number, sizeof(number), taken);
        if (taken)
                atomic_store(&taken->is_abandoned, true);
}

static int on_frame(
                const Frame *frame, FrameParser *parser, const char **ret_reason, void *userdata) {
        Receiver *receiver = userdata;

        switch (frame->header.type) {
        case FRAME_OPEN:
                receiver->is_open = true;
                connection_end(receiver->connection);
                return 0;
        case FRAME_CANCEL:
                take_cancel(receiver, frame->header.number);
                return 0;
        default:
                if (receiver->is_closing)
                        return 0;
                *ret_reason = "there is no memory for its calls";
                return take_call(receiver, frame, parser);
        }
}

static void on_broken(int error, const char *reason, void *userdata) {
        Receiver *receiver = userdata;
        Taken *taken, *next;

        receiver->connection = connection_free(receiver->connection);
        receiver->error = error;
        receiver->reason = reason;
        HASH_ITER(hh, receiver->calls, taken, next) {
                if (taken->is_queued)
                        release(taken);
                else
                        atomic_store(&taken->is_abandoned, true);
        }
        free_if_done(receiver);
}

int receiver_new(
                const ReceiverOptions *options,
                int fd,
                const void *data,
                size_t size,
                Receiver **ret) {
        ConnectionOwner owner = {
                .length_max = length_max,
                .on_frame = on_frame,
                .on_broken = on_broken,
                .counters = options->counters,
        };
        uint64_t silence_usec = options->silence_usec > 0 ? options->silence_usec
                                                          : CONNECTION_SILENCE_USEC;
        _cleanup_(session_freep) Session *session = NULL;
        _cleanup_free_ Receiver *receiver = NULL;
        int r;

        assert(options->on_call);

        r = session_new_receiver(options->keys, &session);
        if (r < 0)
                return r;
        receiver = malloc(sizeof(*receiver));
        if (!receiver)
                return -ENOMEM;

        *receiver = (Receiver){
                .options = *options,
                .offer = *options->offer,
                .answer = *options->answer,
        };
        owner.userdata = receiver;
        r = connection_new(options->loop, fd, session, silence_usec, &owner, &receiver->connection);
        if (r < 0)
                return r;

        (void) TAKE_PTR(session);
        connection_begin(receiver->connection); /* the caller is to show that it has the keys */
        *ret = receiver;
        connection_feed(receiver->connection, data, size);
        (void) TAKE_PTR(receiver);
        return 0;
}

void receiver_close(Receiver *receiver, const char *reason) {
        FrameHeader header = { .type = FRAME_CLOSE, .number = receiver->last_number };

        if (receiver->is_closing || !receiver->connection)
                return;

        receiver->is_closing = true;
        header.length = (uint32_t) MIN(strlen(reason), sizeof(receiver->close_reason));
        memcpy(receiver->close_reason, reason, header.length);
        receiver->close = (OutFrame){
                .head_size = FRAME_HEADER_SIZE,
                .body = receiver->close_reason,
                .body_size = header.length,
        };
        frame_header_encode(&header, receiver->close.head);
        connection_begin(receiver->connection); /* the caller is to close its side */
        connection_send(receiver->connection, &receiver->close);
        finish_if_done(receiver);
}

void receiver_cut(Receiver *receiver) {
        if (receiver->connection)
                connection_break(receiver->connection, -ECANCELED, "it was closed here");
}
