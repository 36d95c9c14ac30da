/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>
#include <xxhash.h>

#include "core/key.h"
#include "core/record.h"

/* The format is the first byte. Its upper half tells the two kinds apart, so that neither is ever
 * read as the other. */
enum {
        FORMAT_RECORD_1 = 0x11, /* without a revision */
        FORMAT_RECORD = 0x12,
        FORMAT_OBJECT = 0x21,
};

int metadata_append(Buffer *buffer, const char *name, const char *value) {
        size_t name_size, value_size;

        assert(buffer);
        assert(name);
        assert(value);

        name_size = strlen(name) + 1;
        value_size = strlen(value) + 1;
        if (name_size == 1)
                return -EINVAL;
        if (buffer->size + name_size + value_size > METADATA_MAX)
                return -E2BIG;

        buffer_put(buffer, name, name_size);
        buffer_put(buffer, value, value_size);
        return buffer_error(buffer);
}

/* Steps over one string. Returns NULL if there is no 0 before the end. */
static const char *next_string(const char *data, size_t size, size_t *position) {
        const char *string = data + *position;
        const char *end = *position < size ? memchr(string, 0, size - *position) : NULL;

        if (!end)
                return NULL;

        *position = (size_t) (end + 1 - data);
        return string;
}

bool metadata_next(
                const char *metadata,
                size_t size,
                size_t *position,
                const char **ret_name,
                const char **ret_value) {
        const char *name, *value;
        size_t next;

        assert(metadata || size == 0);
        assert(position);
        assert(ret_name);
        assert(ret_value);

        next = *position;
        name = next_string(metadata, size, &next);
        value = name ? next_string(metadata, size, &next) : NULL;
        if (!value)
                return false;

        *position = next;
        *ret_name = name;
        *ret_value = value;
        return true;
}

/* The last second that a date in HTTP can say */
#define TIME_MAX_USEC (UINT64_C(253402300799) * USEC_PER_SEC)

static bool is_printable(const char *string) {
        for (const uint8_t *p = (const uint8_t *) string; *p != '\0'; p++)
                if ((*p < ' ' && *p != '\t') || *p == 0x7f)
                        return false;
        return true;
}

static bool metadata_is_whole(const Record *record) {
        const char *name, *value;
        size_t position = 0;

        while (metadata_next(record->metadata, record->metadata_size, &position, &name, &value))
                if (*name == '\0' || !is_printable(name) || !is_printable(value))
                        return false;
        return position == record->metadata_size;
}

int record_check(const Record *record) {
        assert(record);

        if (record->version == 0 || record->version > RECORD_VERSION_MAX ||
            record->revision > RECORD_VERSION_MAX || record->size > RECORD_SIZE_MAX ||
            record->mtime_usec > TIME_MAX_USEC || record->expiry_usec > TIME_MAX_USEC ||
            !is_printable(record->content_type) || !metadata_is_whole(record))
                return -EINVAL;

        for (size_t i = 0; i < record->n_copies; i++)
                for (size_t j = 0; j < i; j++)
                        if (record->copies[i] == record->copies[j])
                                return -EINVAL;
        return 0;
}

/* Strings are stored with their 0, so that a decoded record can point to them. */
static void put_string(Buffer *buffer, const char *string) {
        buffer_put(buffer, string, strlen(string) + 1);
}

static const char *get_string(Reader *reader, size_t max) {
        const char *string = (const char *) reader->data;
        size_t length = strnlen(string, MIN(reader->size, max + 1));

        if (length > max || !reader_get(reader, length + 1)) {
                reader->error = -EBADMSG;
                return NULL;
        }
        return string;
}

static void put_fields(Buffer *buffer, const Record *record) {
        assert(record->content_type);
        assert(record->metadata_size <= METADATA_MAX);

        buffer_put_varint(buffer, record->version);
        buffer_put_varint(buffer, record->size);
        buffer_put_varint(buffer, record->mtime_usec);
        buffer_put_varint(buffer, record->expiry_usec);
        buffer_put(buffer, record->checksum.bytes, sizeof(record->checksum.bytes));
        put_string(buffer, record->content_type);
        buffer_put_bytes(buffer, record->metadata, record->metadata_size);
}

static void get_fields(Reader *reader, Record *record) {
        const void *checksum;

        record->version = reader_get_varint(reader);
        record->size = reader_get_varint(reader);
        record->mtime_usec = reader_get_varint(reader);
        record->expiry_usec = reader_get_varint(reader);
        checksum = reader_get(reader, sizeof(record->checksum.bytes));
        if (checksum)
                memcpy(record->checksum.bytes, checksum, sizeof(record->checksum.bytes));
        record->content_type = get_string(reader, CONTENT_TYPE_MAX);
        record->metadata = reader_get_bytes(reader, &record->metadata_size);
        if (record->metadata_size > METADATA_MAX)
                reader->error = -EBADMSG;
}

/* A flag in the byte that has the number of copies. */
#define CREATED 0x80

static void put_copies(Buffer *buffer, const Record *record) {
        assert(record->n_copies <= COPIES_MAX);

        buffer_put_u8(buffer, record->n_copies | (record->created ? CREATED : 0));
        for (size_t i = 0; i < record->n_copies; i++)
                buffer_put_varint(buffer, record->copies[i]);
}

static void get_copies(Reader *reader, Record *record) {
        uint8_t byte = reader_get_u8(reader);

        record->created = byte & CREATED;
        record->n_copies = byte & (uint8_t) ~CREATED;
        if (record->n_copies > COPIES_MAX) {
                reader->error = -EBADMSG;
                return;
        }

        for (size_t i = 0; i < record->n_copies; i++) {
                uint64_t number = reader_get_varint(reader);

                if (number < 1 || number > VOLUME_MAX)
                        reader->error = -EBADMSG;
                record->copies[i] = (uint32_t) number;
        }
}

/* Returns the format, FORMAT or OLDER, and a reader that stands after its byte. */
static int reader_open(const void *data, size_t size, uint8_t format, uint8_t older, Reader *ret) {
        Reader reader = READER(data, size);
        uint8_t found = reader_get_u8(&reader);

        if (reader_error(&reader) < 0)
                return -EBADMSG;
        if (found != format && found != older)
                return -EPROTONOSUPPORT;

        *ret = reader;
        return found;
}

/* The hash of the key is the seed, so the sum does not match under another key. */
static uint64_t sum(const void *data, size_t size, const char *key) {
        return XXH3_64bits_withSeed(data, size, XXH3_64bits(key, strlen(key)));
}

void record_encode(const Record *record, const char *key, Buffer *buffer) {
        size_t start;

        assert(record);
        assert(key);
        assert(buffer);

        start = buffer->size;
        buffer_put_u8(buffer, FORMAT_RECORD);
        put_fields(buffer, record);
        buffer_put_varint(buffer, record->revision);
        put_copies(buffer, record);
        if (buffer_error(buffer) < 0)
                return;

        buffer_put_u64(buffer, sum(buffer->data + start, buffer->size - start, key));
}

int record_decode(const void *data, size_t size, const char *key, Record *ret) {
        Record record = {};
        Reader reader;
        size_t sum_offset;
        int r;

        assert(data || size == 0);
        assert(key);
        assert(ret);

        r = reader_open(data, size, FORMAT_RECORD, FORMAT_RECORD_1, &reader);
        if (r < 0)
                return r;

        get_fields(&reader, &record);
        record.revision = r == FORMAT_RECORD_1 ? record.version : reader_get_varint(&reader);
        get_copies(&reader, &record);
        sum_offset = size - reader.size;
        if (reader_get_u64(&reader) != sum(data, sum_offset, key))
                return -EBADMSG;
        r = reader_end(&reader);
        if (r < 0)
                return r;

        *ret = record;
        return 0;
}

/* At most so many bytes are in an encoded object besides its strings and its value. */
#define OBJECT_FIELDS_MAX 96

static size_t object_size_max(const Object *object) {
        return OBJECT_FIELDS_MAX + strlen(object->record.content_type) +
               object->record.metadata_size + strlen(object->key) +
               (object->is_inline ? object->record.size : 0);
}

void object_encode(const Object *object, Buffer *buffer) {
        size_t start;

        assert(object);
        assert(object->key);
        assert(object->value || !object->is_inline || object->record.size == 0);
        assert(buffer);

        start = buffer->size;
        buffer_reserve(buffer, object_size_max(object));
        buffer_put_u8(buffer, FORMAT_OBJECT);
        buffer_put_u8(buffer, object->is_inline);
        put_fields(buffer, &object->record);
        put_string(buffer, object->key);
        if (buffer_error(buffer) < 0)
                return;

        buffer_put_u64(buffer, XXH3_64bits(buffer->data + start, buffer->size - start));
        if (object->is_inline)
                buffer_put(buffer, object->value, object->record.size);
}

int object_decode(const void *data, size_t size, Object *ret) {
        Object object = {};
        Reader reader;
        size_t sum_offset;
        uint8_t is_inline;
        int r;

        assert(data || size == 0);
        assert(ret);

        r = reader_open(data, size, FORMAT_OBJECT, FORMAT_OBJECT, &reader);
        if (r < 0)
                return r;

        is_inline = reader_get_u8(&reader);
        get_fields(&reader, &object.record);
        object.key = get_string(&reader, KEY_MAX);
        if (object.key && *object.key == '\0')
                return -EBADMSG;
        sum_offset = size - reader.size;
        if (reader_get_u64(&reader) != XXH3_64bits(data, sum_offset) || is_inline > 1)
                return -EBADMSG;

        object.is_inline = is_inline;
        if (object.is_inline)
                object.value = reader_get(&reader, object.record.size);
        r = reader_end(&reader);
        if (r < 0)
                return r;

        *ret = object;
        return 0;
}

int object_verify(const Object *object) {
        Checksum checksum;

        assert(object);
        assert(object->is_inline);

        checksum = checksum_of(object->value, object->record.size);
        return checksum_equal(&checksum, &object->record.checksum) ? 0 : -EBADMSG;
}
