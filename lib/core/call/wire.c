/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "core/call/wire.h"
#include "core/key.h"

#define ERRNO_MAX 4095 /* the kernel's limit */

void wire_put_key(Buffer *buffer, const char *key) {
        buffer_put_bytes(buffer, key, strlen(key) + 1);
}

const char *wire_get_key(Reader *reader) {
        size_t size;
        const char *key = reader_get_bytes(reader, &size);

        if (key && (size < 2 || size > KEY_MAX + 1 || memchr(key, 0, size) != key + size - 1)) {
                reader->error = -EBADMSG;
                return NULL;
        }
        return key;
}

void wire_put_error(Buffer *buffer, int error) {
        assert(error <= 0);

        buffer_put_varint(buffer, (uint64_t) -error);
}

int wire_get_error(Reader *reader) {
        uint64_t error = reader_get_varint(reader);

        if (error > ERRNO_MAX) {
                reader->error = -EBADMSG;
                return -EBADMSG;
        }
        return -(int) error;
}

void wire_put_commit(Buffer *buffer, const WireCommit *commit) {
        size_t start;

        wire_put_key(buffer, commit->key);
        condition_encode(&commit->condition, buffer);

        /* The record comes last, after its length. */
        start = buffer->size;
        buffer_put_u32(buffer, 0);
        record_encode(&commit->record, commit->key, buffer);
        if (buffer_error(buffer) == 0)
                buffer_set_u32(buffer, start, (uint32_t) (buffer->size - start - sizeof(uint32_t)));
}

int wire_get_commit(Reader *reader, WireCommit *ret) {
        WireCommit commit = { .key = wire_get_key(reader) };
        const void *record;
        uint32_t size;
        int r;

        if (!commit.key)
                return -EBADMSG;
        r = condition_decode(reader, &commit.condition);
        if (r < 0)
                return r;

        size = reader_get_u32(reader);
        record = reader_get(reader, size);
        if (!record)
                return -EBADMSG;
        r = record_decode(record, size, commit.key, &commit.record);
        if (r < 0)
                return r;

        *ret = commit;
        return 0;
}

void wire_put_commit_result(Buffer *buffer, const WireCommitResult *result) {
        wire_put_error(buffer, result->error);
        buffer_put_u8(buffer, result->created);
        buffer_put_varint(buffer, result->revision);
}

WireCommitResult wire_get_commit_result(Reader *reader) {
        WireCommitResult result = { .error = wire_get_error(reader) };

        result.created = reader_get_u8(reader) != 0;
        result.revision = reader_get_varint(reader);
        return result;
}

void wire_put_versions(Buffer *buffer, const uint64_t *versions, size_t n) {
        buffer_put_varint(buffer, n);
        for (size_t i = 0; i < n; i++)
                buffer_put_u64(buffer, versions[i]);
}

static const char *get_url(Reader *reader) {
        size_t size;
        const char *url = reader_get_bytes(reader, &size);

        if (url &&
            (size < 2 || size > WIRE_URL_MAX + 1 || memchr(url, 0, size) != url + size - 1)) {
                reader->error = -EBADMSG;
                return NULL;
        }
        return url;
}

static void put_source(Buffer *buffer, const WirePullSource *source) {
        buffer_put_bytes(buffer, source->url, strlen(source->url) + 1);
        buffer_put_u32(buffer, source->store.number);
        buffer_put(buffer, source->store.uuid, sizeof(source->store.uuid));
}

static void get_source(Reader *reader, WirePullSource *ret) {
        const void *uuid;

        *ret = (WirePullSource){ .url = get_url(reader), .store.number = reader_get_u32(reader) };
        uuid = reader_get(reader, sizeof(ret->store.uuid));
        if (uuid)
                memcpy(ret->store.uuid, uuid, sizeof(ret->store.uuid));
}

void wire_put_pull(Buffer *buffer, const WirePull *pull) {
        assert(pull->n_sources <= WIRE_PULL_MAX);
        assert(pull->n_items <= WIRE_PULL_MAX);

        buffer_put_u64(buffer, pull->deadline_usec);
        buffer_put_varint(buffer, pull->rate);
        buffer_put_varint(buffer, pull->n_sources);
        for (size_t i = 0; i < pull->n_sources; i++)
                put_source(buffer, pull->sources + i);
        buffer_put_varint(buffer, pull->n_items);
}

int wire_get_pull(Reader *reader, WirePull *ret) {
        uint64_t n;

        ret->deadline_usec = reader_get_u64(reader);
        ret->rate = reader_get_varint(reader);
        n = reader_get_varint(reader);
        if (n < 1 || n > WIRE_PULL_MAX)
                return -EBADMSG;
        ret->n_sources = n;
        for (size_t i = 0; i < n; i++)
                get_source(reader, ret->sources + i);
        n = reader_get_varint(reader);
        if (n > WIRE_PULL_MAX)
                return -EBADMSG;
        ret->n_items = n;
        return reader_error(reader);
}

void wire_put_pull_item(Buffer *buffer, const WirePullItem *item) {
        buffer_put_u64(buffer, item->version);
        buffer_put_varint(buffer, item->size);
        buffer_put_varint(buffer, item->source);
        buffer_put_u8(buffer, item->replace);
        wire_put_key(buffer, item->key);
}

int wire_get_pull_item(Reader *reader, size_t n_sources, WirePullItem *ret) {
        WirePullItem item = {
                .version = reader_get_u64(reader),
                .size = reader_get_varint(reader),
                .source = reader_get_varint(reader),
                .replace = reader_get_u8(reader) == 1,
                .key = wire_get_key(reader),
        };

        if (reader_error(reader) < 0 || item.source >= n_sources)
                return -EBADMSG;

        *ret = item;
        return 0;
}

void wire_put_fetch_head(Buffer *buffer, const WireFetchHead *head) {
        assert(head->error <= 0);

        buffer_put_u64(buffer, head->version);
        buffer_put_u32(buffer, (uint32_t) -head->error);
        buffer_put_u32(buffer, head->object_size);
        buffer_put_u64(buffer, head->value_size);
}

int wire_get_fetch_head(Reader *reader, WireFetchHead *ret) {
        uint64_t version = reader_get_u64(reader);
        uint32_t error = reader_get_u32(reader), object_size = reader_get_u32(reader);
        uint64_t value_size = reader_get_u64(reader);

        if (reader_error(reader) < 0 || error > ERRNO_MAX)
                return -EBADMSG;
        if (error > 0 ? object_size > 0 || value_size > 0
                      : object_size == 0 || object_size > WIRE_OBJECT_MAX)
                return -EBADMSG;

        *ret = (WireFetchHead){ version, -(int) error, object_size, value_size };
        return 0;
}

void wire_put_damage(Buffer *buffer, const WireDamage *damage) {
        buffer_put_u64(buffer, damage->version);
        buffer_put_u8(buffer, (uint8_t) damage->kind);
        wire_put_key(buffer, damage->key);
}

int wire_get_damage(Reader *reader, WireDamage *ret) {
        uint64_t version = reader_get_u64(reader);
        uint8_t kind = reader_get_u8(reader);
        const char *key = wire_get_key(reader);

        if (reader_error(reader) < 0 || kind == DAMAGE_NONE || kind >= _DAMAGE_KIND_MAX)
                return -EBADMSG;

        *ret = (WireDamage){ version, key, kind };
        return 0;
}
