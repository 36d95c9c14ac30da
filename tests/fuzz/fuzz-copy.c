/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "core/checksum.h"
#include "fuzz.h"
#include "store/copy/copy-stream.h"
#include "store/format/page.h"

/* What was heard, and a sum over it. */
typedef struct Story {
        uint64_t sum, n_bytes;
        CopyHead head;
        CopyPosition position;
        bool has_head, has_end;
} Story;

static void tell(Story *story, const void *data, size_t size) {
        for (size_t i = 0; i < size; i++)
                story->sum = (story->sum ^ ((const uint8_t *) data)[i]) * 1099511628211;
}

static int on_head(void *userdata, const CopyHead *head) {
        Story *story = userdata;

        assert(!story->has_head);
        assert(head->n_databases > 0 && head->n_databases <= COPY_DATABASES_MAX);
        for (uint32_t i = 0; i < head->n_databases; i++) {
                const char *name = head->databases[i].name;

                assert(strlen(name) < COPY_NAME_SIZE && !strchr(name, '/') && name[0] != '.');
                assert(head->databases[i].size % PAGE_SIZE == 0 && head->databases[i].size > 0);
        }
        tell(story, head, sizeof(*head));
        story->head = *head;
        story->has_head = true;
        return 0;
}

static int
on_piece(void *userdata, CopyPosition position, bool is_last, const void *data, size_t size) {
        Story *story = userdata;

        assert(story->has_head && !story->has_end && size <= COPY_PIECE_MAX);
        assert(copy_position_compare(position, story->position) == 0);
        if (position.file < story->head.n_databases)
                assert(position.offset + size <= story->head.databases[position.file].size);
        tell(story, data, size);
        story->n_bytes += size;
        story->position.offset += size;
        if (is_last)
                story->position = (CopyPosition){ position.file + 1, 0 };
        return 0;
}

static int on_end(void *userdata, const CopyEnd *end) {
        Story *story = userdata;

        assert(!story->has_end && end->n_bytes == story->n_bytes);
        assert(story->position.offset == 0 && story->position.file > story->head.n_databases);
        story->has_end = true;
        return 0;
}

static int parse(const uint8_t *data, size_t size, size_t step, Story *story) {
        CopyParser parser;
        int r = 0;

        copy_parser_init(&parser, &(CopyEvents){ on_head, on_piece, on_end, story });
        for (size_t offset = 0; offset < size && r >= 0; offset += step)
                r = copy_parser_feed(&parser, data + offset, MIN(step, size - offset));
        assert(copy_parser_is_complete(&parser) == story->has_end);
        copy_parser_done(&parser);
        return r;
}

static void check(const uint8_t *data, size_t size) {
        Story whole = {}, pieces = {};

        assert(parse(data, size, MAX(size, (size_t) 1), &whole) == parse(data, size, 3, &pieces));
        assert(whole.sum == pieces.sum && whole.has_end == pieces.has_end);
}

/* A frame, with the checksum that no fuzzer finds. */
static void put_frame(Buffer *buffer, uint8_t type, const uint8_t *body, size_t size) {
        size_t start = buffer->size;
        Checksum sum;

        buffer_put_u32(buffer, type);
        buffer_put_u32(buffer, (uint32_t) size);
        buffer_put_u64(buffer, 1);
        buffer_put(buffer, body, size);
        assert(buffer_error(buffer) == 0);
        sum = checksum_of(buffer->data + start, buffer->size - start);
        buffer_put(buffer, sum.bytes, sizeof(sum.bytes));
}

/* The input is a stream; and one of frames, each of a type, how many bytes of the input are the
 * body, and how many zeroes follow them: 256 of them each. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(buffer_done) Buffer stream = {}, body = {};
        Reader reader = READER(data, size);

        check(data, size);
        while (reader.size > 3) {
                uint8_t type = reader_get_u8(&reader);
                size_t n = reader_get_u8(&reader);
                size_t zeroes = (size_t) 256 * reader_get_u8(&reader);

                n = MIN(n, reader.size);
                buffer_clear(&body);
                buffer_put(&body, reader_get(&reader, n), n);
                for (size_t i = 0; i < zeroes; i++)
                        buffer_put_u8(&body, 0);
                put_frame(&stream, type, body.data, body.size);
        }
        check(stream.data, stream.size);
        return 0;
}
