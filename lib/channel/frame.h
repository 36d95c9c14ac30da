/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Frame: what goes over a channel once it is open; bytes in, frames out.
 *
 * A frame is a header, a payload and a tag (session.h). The parser takes what arrived in pieces of
 * any size; what it makes of them depends on the bytes alone. It asks for the limit of each payload
 * before it keeps any of it, allocates nothing but the payload that comes in pieces, and does no
 * I/O. It does not check tags: nothing of a frame may be believed before that was done. */

#include <sys/types.h>

#include "base/macro.h"
#include "core/call/identity.h"

#define FRAME_HEADER_SIZE ((size_t) 16)
#define FRAME_TAG_SIZE    ((size_t) 16)

typedef enum FrameType {
        FRAME_OPEN = 1, /* the caller's first: its tag proves that it has the secret */
        FRAME_CALL,
        FRAME_ANSWER, /* to the call of this number; each gets exactly one */
        FRAME_CANCEL, /* nobody waits for the answer to this call any more */
        FRAME_PING,   /* says: show that you are there */
        FRAME_PONG,
        FRAME_CLOSE, /* no call after this number was or will be looked at; the payload says why */
        _FRAME_TYPE_MAX,
} FrameType;

typedef struct FrameHeader {
        uint32_t length; /* of the payload */
        FrameType type;
        uint16_t code;   /* of a call: its kind; of an answer: 0 or a positive errno */
        uint64_t number; /* of the call; of FRAME_CLOSE, the last one that was looked at */
} FrameHeader;

void frame_header_encode(const FrameHeader *header, uint8_t ret[static FRAME_HEADER_SIZE]);

/* Returns 0, or -EPROTO for a type that there is not, or a field that must be 0 and is not. */
int frame_header_decode(const uint8_t data[static FRAME_HEADER_SIZE], FrameHeader *ret);

/* How the payload of each call and answer begins: what changes from one call to the next, and what
 * the handshake therefore cannot say. */
#define FRAME_STAMP_SIZE ((size_t) 48)

typedef struct FrameStamp {
        Leadership lead;   /* that calls, or that the caller follows or last followed */
        uint64_t sequence; /* as in Parties */
        uint64_t revision; /* of the index: the highest that the sender knows to be durable */
} FrameStamp;

void frame_stamp_encode(const FrameStamp *stamp, uint8_t ret[static FRAME_STAMP_SIZE]);
void frame_stamp_decode(const uint8_t data[static FRAME_STAMP_SIZE], FrameStamp *ret);

/* The longest sentence of a refusal or of FRAME_CLOSE, in bytes. */
#define FRAME_SENTENCE_MAX ((size_t) 512)

/* A complete frame. All pointers are valid until the parser is fed again. */
typedef struct Frame {
        FrameHeader header;
        const uint8_t *head; /* the header as it came */
        const uint8_t *payload, *tag;
} Frame;

typedef struct FrameParser {
        /* How long the payload of this frame may be, or a negative errno to end it all. */
        int64_t (*length_max)(const FrameHeader *header, void *userdata);
        void *userdata;

        /* For the parser */
        FrameHeader header;
        uint8_t head[FRAME_HEADER_SIZE];
        uint8_t *rest; /* payload and tag, if they come in pieces; owned */
        size_t filled; /* of the head and the rest */
        int error;
} FrameParser;

void frame_parser_init(
                FrameParser *parser,
                int64_t (*length_max)(const FrameHeader *header, void *userdata),
                void *userdata);
void frame_parser_done(FrameParser *parser);

/* Consumes up to SIZE bytes, up to and including the end of the next frame. Returns how many. With
 * *RET_IS_COMPLETE, there is a frame in RET; without, all bytes were consumed. Returns a negative
 * errno, once and for all: -EPROTO, -EMSGSIZE for a payload beyond its limit, what length_max()
 * returned, or -ENOMEM. */
ssize_t frame_parser_feed(
                FrameParser *parser,
                const void *data,
                size_t size,
                Frame *ret,
                bool *ret_is_complete);

/* Gives the caller the memory of FRAME's payload, which the parser has just returned: its own, or a
 * copy. NULL if there is no memory for that. */
void *frame_parser_take(FrameParser *parser, const Frame *frame);

/* Whether a frame has begun to arrive and is not complete. */
bool frame_parser_is_inside(const FrameParser *parser);
