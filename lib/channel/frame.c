/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "channel/frame.h"

static uint8_t *put(uint8_t *p, uint64_t value, size_t size) {
        for (size_t i = 0; i < size; i++)
                *p++ = (uint8_t) (value >> 8 * i);
        return p;
}

static uint64_t get(const uint8_t **p, size_t size) {
        uint64_t value = 0;

        for (size_t i = 0; i < size; i++)
                value |= (uint64_t) * (*p)++ << 8 * i;
        return value;
}

void frame_header_encode(const FrameHeader *header, uint8_t ret[static FRAME_HEADER_SIZE]) {
        ret = put(ret, header->length, 4);
        ret = put(ret, header->type, 1);
        ret = put(ret, 0, 1);
        ret = put(ret, header->code, 2);
        (void) put(ret, header->number, 8);
}

int frame_header_decode(const uint8_t data[static FRAME_HEADER_SIZE], FrameHeader *ret) {
        const uint8_t *p = data;
        FrameHeader header;
        uint64_t type, zero;

        header.length = (uint32_t) get(&p, 4);
        type = get(&p, 1);
        zero = get(&p, 1);
        header.code = (uint16_t) get(&p, 2);
        header.number = get(&p, 8);
        if (type < FRAME_OPEN || type >= _FRAME_TYPE_MAX || zero != 0)
                return -EPROTO;

        header.type = (FrameType) type;
        *ret = header;
        return 0;
}

void frame_stamp_encode(const FrameStamp *stamp, uint8_t ret[static FRAME_STAMP_SIZE]) {
        memcpy(ret, stamp->lead.cluster, CLUSTER_ID_SIZE);
        ret = put(ret + CLUSTER_ID_SIZE, stamp->lead.term, 8);
        ret = put(ret, stamp->lead.leader, 8);
        ret = put(ret, stamp->sequence, 8);
        (void) put(ret, stamp->revision, 8);
}

void frame_stamp_decode(const uint8_t data[static FRAME_STAMP_SIZE], FrameStamp *ret) {
        const uint8_t *p = data + CLUSTER_ID_SIZE;

        memcpy(ret->lead.cluster, data, CLUSTER_ID_SIZE);
        ret->lead.term = get(&p, 8);
        ret->lead.leader = get(&p, 8);
        ret->sequence = get(&p, 8);
        ret->revision = get(&p, 8);
}

void frame_parser_init(
                FrameParser *parser,
                int64_t (*length_max)(const FrameHeader *header, void *userdata),
                void *userdata) {
        *parser = (FrameParser){ .length_max = length_max, .userdata = userdata };
}

void frame_parser_done(FrameParser *parser) {
        free(parser->rest);
        parser->rest = NULL;
}

static int fail(FrameParser *parser, int error) {
        frame_parser_done(parser);
        parser->error = error;
        return error;
}

/* Of payload and tag. */
static size_t rest_size(const FrameParser *parser) {
        return (size_t) parser->header.length + FRAME_TAG_SIZE;
}

/* Makes ready for the next frame, once the last one is done with. */
static void begin(FrameParser *parser) {
        if (parser->filled < FRAME_HEADER_SIZE ||
            parser->filled < FRAME_HEADER_SIZE + rest_size(parser))
                return;

        frame_parser_done(parser);
        parser->filled = 0;
}

/* Returns how many bytes of DATA go to the header; looks at it when it is complete. */
static ssize_t take_header(FrameParser *parser, const uint8_t *data, size_t size) {
        size_t n = MIN(size, FRAME_HEADER_SIZE - parser->filled);
        int64_t max;
        int r;

        memcpy(parser->head + parser->filled, data, n);
        parser->filled += n;
        if (parser->filled < FRAME_HEADER_SIZE)
                return (ssize_t) n;

        r = frame_header_decode(parser->head, &parser->header);
        if (r < 0)
                return r;
        max = parser->length_max(&parser->header, parser->userdata);
        if (max < 0)
                return (ssize_t) max;
        return parser->header.length > max ? -EMSGSIZE : (ssize_t) n;
}

/* Returns how many bytes of DATA go to payload and tag. What is there as a whole stays there. */
static ssize_t take_rest(
                FrameParser *parser, const uint8_t *data, size_t size, const uint8_t **ret) {
        size_t have = parser->filled - FRAME_HEADER_SIZE, n = MIN(size, rest_size(parser) - have);

        if (n == rest_size(parser)) {
                *ret = data;
        } else {
                if (!parser->rest)
                        parser->rest = malloc(rest_size(parser));
                if (!parser->rest)
                        return -ENOMEM;
                memcpy(parser->rest + have, data, n);
                *ret = parser->rest;
        }

        parser->filled += n;
        return (ssize_t) n;
}

ssize_t frame_parser_feed(
                FrameParser *parser,
                const void *data,
                size_t size,
                Frame *ret,
                bool *ret_is_complete) {
        const uint8_t *rest = NULL;
        size_t consumed = 0;
        ssize_t n;

        if (parser->error < 0)
                return parser->error;

        begin(parser);
        *ret_is_complete = false;
        if (parser->filled < FRAME_HEADER_SIZE) {
                n = take_header(parser, data, size);
                if (n < 0)
                        return fail(parser, (int) n);
                consumed = (size_t) n;
        }
        if (parser->filled < FRAME_HEADER_SIZE || consumed == size)
                return (ssize_t) consumed;

        n = take_rest(parser, (const uint8_t *) data + consumed, size - consumed, &rest);
        if (n < 0)
                return fail(parser, (int) n);
        if (parser->filled == FRAME_HEADER_SIZE + rest_size(parser)) {
                *ret = (Frame){
                        .header = parser->header,
                        .head = parser->head,
                        .payload = rest,
                        .tag = rest + parser->header.length,
                };
                *ret_is_complete = true;
        }
        return (ssize_t) consumed + n;
}

void *frame_parser_take(FrameParser *parser, const Frame *frame) {
        void *copy;

        if (frame->payload == parser->rest)
                return TAKE_PTR(parser->rest);

        copy = malloc(MAX(frame->header.length, UINT32_C(1)));
        if (copy)
                memcpy(copy, frame->payload, frame->header.length);
        return copy;
}

bool frame_parser_is_inside(const FrameParser *parser) {
        return parser->filled > 0 && (parser->filled < FRAME_HEADER_SIZE ||
                                      parser->filled < FRAME_HEADER_SIZE + rest_size(parser));
}
