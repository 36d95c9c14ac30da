/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>
#include <xxhash.h>

#include "core/call/fetch-parser.h"
#include "fuzz.h"

/* What was heard, whatever the pieces were: a sum over it */
typedef struct Story {
        uint64_t sum;
        uint64_t value_left;
        bool is_in_value;
} Story;

static void tell(Story *story, const void *data, size_t size) {
        for (size_t i = 0; i < size; i++)
                story->sum = (story->sum ^ ((const uint8_t *) data)[i]) * 1099511628211;
}

static int on_object(void *userdata, uint64_t version, int error, const Object *object) {
        Story *story = userdata;

        assert(!story->is_in_value);
        assert((error < 0) == !object);
        tell(story, &version, sizeof(version));
        tell(story, &error, sizeof(error));
        if (object) {
                assert(object->record.version == version);
                tell(story, object->key, strlen(object->key));
                story->is_in_value = true;
                story->value_left = object->record.size;
        }
        return 0;
}

static int on_value(void *userdata, const void *data, size_t size) {
        Story *story = userdata;

        assert(story->is_in_value && size > 0 && size <= story->value_left);
        story->value_left -= size;
        tell(story, data, size);
        return 0;
}

static int on_end(void *userdata) {
        Story *story = userdata;

        assert(story->is_in_value && story->value_left == 0);
        story->is_in_value = false;
        tell(story, ")", 1);
        return 0;
}

static int parse(const uint8_t *data, size_t size, size_t step, Story *story) {
        FetchParserEvents events = { on_object, on_value, on_end, story };
        FetchParser parser;
        int r = 0;

        fetch_parser_init(&parser, &events);
        for (size_t offset = 0; offset < size && r >= 0; offset += step)
                r = fetch_parser_feed(&parser, data + offset, MIN(step, size - offset));
        fetch_parser_done(&parser);
        return r;
}

static void check(const uint8_t *data, size_t size) {
        Story whole = {}, pieces = {};

        assert(parse(data, size, MAX(size, (size_t) 1), &whole) == parse(data, size, 3, &pieces));
        assert(whole.sum == pieces.sum);
}

/* The input is an answer; and, behind a head that is made up for it, an object that lacks the check
 * sum, since no fuzzer finds the right one, and its value. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(buffer_done) Buffer buffer = {};
        WireFetchHead head = {};
        size_t object_size;

        check(data, size);
        if (size < 2)
                return 0;

        head.version = data[0];
        object_size = MIN((size_t) data[1], size - 2);
        data += 2;
        size -= 2;
        head.object_size = (uint32_t) (object_size + sizeof(uint64_t));
        head.value_size = size - object_size;

        wire_put_fetch_head(&buffer, &head);
        buffer_put(&buffer, data, object_size);
        buffer_put_u64(&buffer, XXH3_64bits(data, object_size));
        buffer_put(&buffer, data + object_size, size - object_size);
        wire_put_fetch_head(&buffer, &(WireFetchHead){ .version = 1, .error = -2 });
        check(buffer.data, buffer.size);
        return 0;
}
