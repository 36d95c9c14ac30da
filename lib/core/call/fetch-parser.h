/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Fetch parser: takes the answer of /-/fetch apart while it arrives, in pieces of any size. It
 * keeps a head and the object after it, never a value. */

#include "core/call/wire.h"
#include "core/record.h"

typedef struct FetchParserEvents {
        /* The next object; its pointers are valid during this call. If there is none, it is NULL
         * and ERROR is negative: what the other side says, or -EBADMSG if what it sent is damaged.
         * The value is skipped then. */
        int (*on_object)(void *userdata, uint64_t version, int error, const Object *object);

        /* A piece of the value; and the end of the value, even of an empty one. */
        int (*on_value)(void *userdata, const void *data, size_t size);
        int (*on_end)(void *userdata);
        void *userdata;
} FetchParserEvents;

typedef enum FetchParserState {
        FETCH_HEAD,
        FETCH_OBJECT,
        FETCH_VALUE,
} FetchParserState;

typedef struct FetchParser {
        FetchParserEvents events;
        FetchParserState state;
        uint64_t left; /* bytes until the next state */
        WireFetchHead head;
        Buffer gathered; /* of the head or the object */
        bool is_skipping;
} FetchParser;

void fetch_parser_init(FetchParser *parser, const FetchParserEvents *events);
void fetch_parser_done(FetchParser *parser);

/* Returns 0, -EPROTO if this is no such answer, -ENOMEM, or what an event returned that is
 * negative. After a failure it must not be fed any more. */
int fetch_parser_feed(FetchParser *parser, const void *data, size_t size);
