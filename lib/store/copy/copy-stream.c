/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "core/checksum.h"
#include "store/copy/copy-stream.h"
#include "store/disk/disk.h"
#include "store/format/page.h"

/* The last character is the version. */
#define MAGIC "dkv-copy-1"

#define FORMAT_MAX 31

/* A frame: its type, the size of its body, the copy; the body; a checksum of both. */
enum {
        TYPE_HEAD = 1,
        TYPE_PIECE,
        TYPE_END,

        FRAME_HEADER_SIZE = 4 + 4 + 8,
        SIZE_OFFSET = 4,
        HEAD_MAX = 1024,
        PIECE_HEADER_SIZE = 4 + 4 + 8,
        END_SIZE = 4 + 4 + 8,

        PIECE_IS_LAST = 1,
};

int copy_position_compare(CopyPosition a, CopyPosition b) {
        if (a.file != b.file)
                return a.file < b.file ? -1 : 1;
        return a.offset < b.offset ? -1 : a.offset > b.offset;
}

uint32_t copy_log_number(const CopyHead *head, uint32_t file) {
        assert(file >= head->n_databases);
        return head->begin.file + (file - head->n_databases);
}

/* Returns where the frame begins. */
static size_t begin_frame(Buffer *buffer, uint32_t type, uint64_t id) {
        size_t start = buffer->size;

        buffer_put_u32(buffer, type);
        buffer_put_u32(buffer, 0);
        buffer_put_u64(buffer, id);
        return start;
}

static void end_frame(Buffer *buffer, size_t start) {
        Checksum sum;

        if (buffer_error(buffer) < 0)
                return;

        buffer_set_u32(buffer, start + SIZE_OFFSET,
                       (uint32_t) (buffer->size - start - FRAME_HEADER_SIZE));
        sum = checksum_of(buffer->data + start, buffer->size - start);
        buffer_put(buffer, sum.bytes, sizeof(sum.bytes));
}

/* A number that another kind of machine writes in another way. */
static void put_byte_order(Buffer *buffer) {
        const uint32_t number = 0x01020304;

        buffer_put(buffer, &number, sizeof(number));
}

static void put_position(Buffer *buffer, LogPosition position) {
        buffer_put_u32(buffer, position.file);
        buffer_put_u32(buffer, position.offset);
}

void copy_put_head(Buffer *buffer, const CopyHead *head) {
        size_t start = begin_frame(buffer, TYPE_HEAD, head->id);

        buffer_put(buffer, MAGIC, strlen(MAGIC));
        put_byte_order(buffer);
        buffer_put_u32(buffer, PAGE_SIZE);
        buffer_put(buffer, head->cluster, sizeof(head->cluster));
        buffer_put_string(buffer, head->format);
        buffer_put_u64(buffer, head->log_id);
        put_position(buffer, head->begin);
        buffer_put_u8(buffer, (uint8_t) head->n_databases);
        for (uint32_t i = 0; i < head->n_databases; i++) {
                buffer_put_string(buffer, head->databases[i].name);
                buffer_put_u64(buffer, head->databases[i].size);
        }
        end_frame(buffer, start);
}

void copy_put_piece(
                Buffer *buffer,
                uint64_t id,
                CopyPosition position,
                bool is_last,
                const void *data,
                size_t size) {
        size_t start = begin_frame(buffer, TYPE_PIECE, id);

        assert(size <= COPY_PIECE_MAX);

        buffer_put_u32(buffer, position.file);
        buffer_put_u32(buffer, is_last ? PIECE_IS_LAST : 0);
        buffer_put_u64(buffer, position.offset);
        buffer_put(buffer, data, size);
        end_frame(buffer, start);
}

void copy_put_end(Buffer *buffer, uint64_t id, const CopyEnd *end) {
        size_t start = begin_frame(buffer, TYPE_END, id);

        put_position(buffer, end->log_end);
        buffer_put_u64(buffer, end->n_bytes);
        end_frame(buffer, start);
}

static LogPosition get_position(Reader *reader) {
        LogPosition position;

        position.file = reader_get_u32(reader);
        position.offset = reader_get_u32(reader);
        return position;
}

/* A string of at most FORMAT_MAX characters that print. */
static bool get_name(Reader *reader, char ret[static COPY_NAME_SIZE]) {
        size_t size = 0;
        const char *text = reader_get_bytes(reader, &size);

        if (!text || size == 0 || size > FORMAT_MAX)
                return false;
        for (size_t i = 0; i < size; i++)
                if (text[i] < ' ' || text[i] > '~')
                        return false;
        memcpy(ret, text, size);
        return true;
}

/* Such names as databases have here: they are about to be those of files. */
static bool is_database_name(const char *name) {
        size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz-");

        return n > 0 && strcmp(name + n, DATABASE_SUFFIX) == 0;
}

static bool get_database(Reader *reader, CopyHead *head) {
        CopyDatabase *database = &head->databases[head->n_databases];

        if (!get_name(reader, database->name) || !is_database_name(database->name))
                return false;
        for (uint32_t i = 0; i < head->n_databases; i++)
                if (strcmp(head->databases[i].name, database->name) == 0)
                        return false;
        head->n_databases++;

        database->size = reader_get_u64(reader);
        return database->size > 0 && database->size % PAGE_SIZE == 0 &&
               database->size / PAGE_SIZE <= UINT32_MAX;
}

static int get_kind(Reader *reader) {
        _cleanup_(buffer_done) Buffer mine = {};
        const void *magic = reader_get(reader, strlen(MAGIC)), *order;

        if (!magic || memcmp(magic, MAGIC, strlen(MAGIC) - 1) != 0)
                return -EBADMSG;
        if (memcmp(magic, MAGIC, strlen(MAGIC)) != 0)
                return -EPROTONOSUPPORT;

        put_byte_order(&mine);
        if (buffer_error(&mine) < 0)
                return buffer_error(&mine);
        order = reader_get(reader, mine.size);
        if (!order)
                return -EBADMSG;
        return memcmp(order, mine.data, mine.size) == 0 && reader_get_u32(reader) == PAGE_SIZE
                               ? 0
                               : -EPROTONOSUPPORT;
}

static int get_head(Reader *reader, uint64_t id, CopyHead *ret) {
        CopyHead head;
        const void *cluster;
        uint8_t n;
        int r;

        r = get_kind(reader);
        if (r < 0)
                return r;

        memset(&head, 0, sizeof(head)); /* heads are compared as bytes */
        head.id = id;
        cluster = reader_get(reader, sizeof(head.cluster));
        if (!cluster)
                return -EBADMSG;
        memcpy(head.cluster, cluster, sizeof(head.cluster));
        if (!get_name(reader, head.format))
                return -EBADMSG;
        head.log_id = reader_get_u64(reader);
        head.begin = get_position(reader);
        n = reader_get_u8(reader);
        if (head.begin.file == 0 || n == 0 || n > COPY_DATABASES_MAX)
                return -EBADMSG;
        while (head.n_databases < n)
                if (!get_database(reader, &head))
                        return -EBADMSG;

        *ret = head;
        return reader_end(reader);
}

static int take_head(CopyParser *parser, uint64_t id, Reader *reader) {
        CopyHead head;
        int r;

        r = get_head(reader, id, &head);
        if (r < 0)
                return r;

        if (parser->has_head && memcmp(&head, &parser->head, sizeof(head)) != 0)
                return -ESTALE;
        if (!parser->has_head) {
                r = parser->events.on_head(parser->events.userdata, &head);
                if (r < 0)
                        return r;
        }
        parser->head = head;
        parser->has_head = parser->is_connected = true;
        return 0;
}

/* Whether the piece, with what is before it, is as long as its file may be. */
static bool has_right_size(const CopyParser *parser, bool is_last, size_t size) {
        const CopyHead *head = &parser->head;
        CopyPosition position = parser->position;
        uint64_t end = position.offset + size;

        if (position.file < head->n_databases)
                return size % PAGE_SIZE == 0 && end > 0 &&
                       (is_last ? end <= head->databases[position.file].size
                                : size > 0 && end < head->databases[position.file].size);
        return size > 0 && end <= UINT32_MAX &&
               position.file - head->n_databases <= UINT32_MAX - head->begin.file;
}

static int take_piece(CopyParser *parser, Reader *reader) {
        CopyPosition position;
        uint32_t flags;
        size_t size;
        int r;

        position.file = reader_get_u32(reader);
        flags = reader_get_u32(reader);
        position.offset = reader_get_u64(reader);
        size = reader->size;
        if (reader_error(reader) < 0 || flags > PIECE_IS_LAST ||
            copy_position_compare(position, parser->position) != 0 ||
            !has_right_size(parser, flags == PIECE_IS_LAST, size))
                return -EBADMSG;

        r = parser->events.on_piece(
                        parser->events.userdata, position, flags == PIECE_IS_LAST, reader->data,
                        size);
        if (r < 0)
                return r;

        parser->n_bytes += size;
        parser->position.offset += size;
        if (flags == PIECE_IS_LAST) {
                parser->last_size = parser->position.offset;
                parser->position = (CopyPosition){ position.file + 1, 0 };
        }
        return 0;
}

/* The last file that came must be the log that ends there. */
static bool is_end(const CopyParser *parser, const CopyEnd *end) {
        CopyPosition position = parser->position;

        return position.offset == 0 && position.file > parser->head.n_databases &&
               copy_log_number(&parser->head, position.file - 1) == end->log_end.file &&
               parser->last_size == end->log_end.offset && parser->n_bytes == end->n_bytes &&
               log_position_compare(parser->head.begin, end->log_end) <= 0;
}

static int take_end(CopyParser *parser, Reader *reader) {
        CopyEnd end;
        int r;

        end.log_end = get_position(reader);
        end.n_bytes = reader_get_u64(reader);
        if (reader_end(reader) < 0 || !is_end(parser, &end))
                return -EBADMSG;

        r = parser->events.on_end(parser->events.userdata, &end);
        if (r < 0)
                return r;
        parser->has_end = true;
        return 0;
}

static bool has_valid_size(uint32_t type, size_t size) {
        switch (type) {
        case TYPE_HEAD:
                return size <= HEAD_MAX;
        case TYPE_PIECE:
                return size >= PIECE_HEADER_SIZE && size <= PIECE_HEADER_SIZE + COPY_PIECE_MAX;
        case TYPE_END:
                return size == END_SIZE;
        default:
                return false;
        }
}

/* The size of the whole frame that begins there, 0 if it is not known yet, or -EBADMSG. */
static ssize_t frame_size(const CopyParser *parser) {
        Reader reader = READER(parser->input.data, parser->input.size);
        uint32_t type, size;

        if (parser->has_end)
                return -EBADMSG;
        if (reader.size < FRAME_HEADER_SIZE)
                return 0;

        type = reader_get_u32(&reader);
        size = reader_get_u32(&reader);
        if (!has_valid_size(type, size) || (type == TYPE_HEAD) == parser->is_connected)
                return -EBADMSG;
        return (ssize_t) (FRAME_HEADER_SIZE + size + sizeof(Checksum));
}

/* The input is one frame. */
static int take_frame(CopyParser *parser) {
        const uint8_t *data = parser->input.data;
        size_t size = parser->input.size - sizeof(Checksum);
        Checksum sum = checksum_of(data, size);
        Reader reader = READER(data, size);
        uint32_t type;
        uint64_t id;

        if (memcmp(sum.bytes, data + size, sizeof(sum.bytes)) != 0)
                return -EBADMSG;

        type = reader_get_u32(&reader);
        (void) reader_get_u32(&reader);
        id = reader_get_u64(&reader);
        if (type == TYPE_HEAD)
                return take_head(parser, id, &reader);
        if (id != parser->head.id)
                return -EBADMSG;
        return type == TYPE_PIECE ? take_piece(parser, &reader) : take_end(parser, &reader);
}

/* Takes bytes until a frame is whole, or there are none. Returns 0 or a negative errno. */
static int take_some(CopyParser *parser, Reader *reader) {
        Buffer *input = &parser->input;
        ssize_t whole;
        size_t n;
        int r;

        whole = frame_size(parser);
        if (whole < 0)
                return (int) whole;

        n = MIN((whole > 0 ? (size_t) whole : FRAME_HEADER_SIZE) - input->size, reader->size);
        buffer_put(input, reader_get(reader, n), n);
        if (buffer_error(input) < 0)
                return buffer_error(input);
        if (whole == 0 || input->size < (size_t) whole)
                return 0;

        r = take_frame(parser);
        buffer_clear(input);
        return r;
}

int copy_parser_feed(CopyParser *parser, const void *data, size_t size) {
        Reader reader = READER(data, size);

        while (reader.size > 0 && parser->error >= 0)
                parser->error = take_some(parser, &reader);
        return parser->error;
}

void copy_parser_init(CopyParser *parser, const CopyEvents *events) {
        *parser = (CopyParser){ .events = *events };
}

void copy_parser_done(CopyParser *parser) {
        buffer_done(&parser->input);
}

void copy_parser_connect(CopyParser *parser) {
        buffer_clear(&parser->input);
        parser->is_connected = false;
        parser->error = 0;
}

CopyPosition copy_parser_position(const CopyParser *parser) {
        return parser->position;
}

bool copy_parser_is_complete(const CopyParser *parser) {
        return parser->has_end;
}
