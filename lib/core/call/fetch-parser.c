/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>

#include "core/call/fetch-parser.h"

void fetch_parser_init(FetchParser *parser, const FetchParserEvents *events) {
        *parser = (FetchParser){ .events = *events, .left = WIRE_FETCH_HEAD_SIZE };
}

void fetch_parser_done(FetchParser *parser) {
        buffer_done(&parser->gathered);
}

static int read_head(FetchParser *parser) {
        Reader reader = READER(parser->gathered.data, parser->gathered.size);
        int r;

        r = wire_get_fetch_head(&reader, &parser->head);
        buffer_clear(&parser->gathered);
        return r < 0 ? -EPROTO : 0;
}

/* An error in one object does not affect the others: its length is known, so they can be read. */
static int begin_object(FetchParser *parser) {
        const WireFetchHead *head = &parser->head;
        int error = head->error, r;
        Object object;

        if (error == 0)
                error = object_decode(parser->gathered.data, parser->gathered.size, &object);
        if (error == 0 && (object.is_inline || object.record.version != head->version ||
                           object.record.size != head->value_size))
                error = -EBADMSG;

        parser->is_skipping = error < 0;
        r = parser->events.on_object(
                        parser->events.userdata, head->version, error, error < 0 ? NULL : &object);
        buffer_clear(&parser->gathered);
        return r;
}

static int next_state(FetchParser *parser) {
        int r = 0;

        switch (parser->state) {
        case FETCH_HEAD:
                r = read_head(parser);
                parser->state = FETCH_OBJECT;
                parser->left = parser->head.object_size;
                return r;
        case FETCH_OBJECT:
                r = begin_object(parser);
                parser->state = FETCH_VALUE;
                parser->left = parser->head.value_size;
                return r;
        case FETCH_VALUE:
                if (!parser->is_skipping)
                        r = parser->events.on_end(parser->events.userdata);
                parser->state = FETCH_HEAD;
                parser->left = WIRE_FETCH_HEAD_SIZE;
                return r;
        }

        assert(false);
        return -EINVAL;
}

static int take(FetchParser *parser, const void *data, size_t size) {
        if (parser->state != FETCH_VALUE) {
                buffer_put(&parser->gathered, data, size);
                return buffer_error(&parser->gathered);
        }
        if (parser->is_skipping)
                return 0;

        return parser->events.on_value(parser->events.userdata, data, size);
}

int fetch_parser_feed(FetchParser *parser, const void *data, size_t size) {
        const uint8_t *p = data;
        int r = 0;

        while (r >= 0 && size > 0) {
                size_t n = MIN(size, parser->left);

                r = take(parser, p, n);
                p += n;
                size -= n;
                parser->left -= n;
                while (r >= 0 && parser->left == 0)
                        r = next_state(parser);
        }

        return r < 0 ? r : 0;
}
