/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "consensus/message-codec.h"

enum {
        PRE = 1 << 0,
        FORCE = 1 << 1,
        REFUSED = 1 << 2,
        LEASE = 1 << 3,

        INDEX = 1 << 4,
        INDEX_TERM = 1 << 5,
        HINT = 1 << 6,
        COMMIT = 1 << 7,
        PROBE = 1 << 8,
        ENTRIES = 1 << 9,

        FLAGS = PRE | FORCE | REFUSED | LEASE,
};

#define ENTRY_SIZE_MIN ((size_t) 10)

/* What each type has. */
static const unsigned contents[_MESSAGE_TYPE_MAX] = {
        [MESSAGE_VOTE] = PRE | FORCE | INDEX | INDEX_TERM,
        [MESSAGE_VOTE_ANSWER] = PRE | REFUSED,
        [MESSAGE_APPEND] = LEASE | INDEX | INDEX_TERM | COMMIT | PROBE | ENTRIES,
        [MESSAGE_APPEND_ANSWER] = REFUSED | INDEX | HINT | PROBE,
        [MESSAGE_BEHIND] = LEASE | INDEX | INDEX_TERM | COMMIT | PROBE,
        [MESSAGE_CAMPAIGN] = 0,
};

static unsigned flags_of(const Message *message) {
        return (message->pre ? PRE : 0) | (message->force ? FORCE : 0) |
               (message->refused ? REFUSED : 0) | (message->lease ? LEASE : 0);
}

void message_encode_head(const Message *message, Buffer *buffer) {
        unsigned has = contents[message->type], flags = flags_of(message);

        assert((flags & ~has) == 0 && (message->n == 0 || has & ENTRIES));

        buffer_put_u8(buffer, MESSAGE_FORMAT);
        buffer_put_u8(buffer, (uint8_t) message->type);
        buffer_put_u8(buffer, (uint8_t) flags);
        buffer_put(buffer, message->group, sizeof message->group);
        buffer_put_u64(buffer, message->from);
        buffer_put_u64(buffer, message->to);
        buffer_put_u64(buffer, message->term);
        if (has & INDEX)
                buffer_put_u64(buffer, message->index);
        if (has & INDEX_TERM)
                buffer_put_u64(buffer, message->index_term);
        if (has & HINT)
                buffer_put_u64(buffer, message->hint);
        if (has & COMMIT)
                buffer_put_u64(buffer, message->commit);
        if (has & PROBE)
                buffer_put_u64(buffer, message->probe);
        if (has & ENTRIES)
                buffer_put_u32(buffer, (uint32_t) message->n);
}

void message_encode_entry(const Entry *entry, Buffer *buffer) {
        buffer_put_u8(buffer, (uint8_t) entry->type);
        buffer_put_u64(buffer, entry->term);
        buffer_put_bytes(buffer, entry->data, entry->size);
}

void message_encode(const Message *message, Buffer *buffer) {
        message_encode_head(message, buffer);
        for (size_t i = 0; i < message->n; i++)
                message_encode_entry(message->entries + i, buffer);
}

static const char *decode_head(Reader *reader, Message *ret) {
        uint8_t type = reader_get_u8(reader), flags = reader_get_u8(reader);
        const void *group = reader_get(reader, sizeof ret->group);
        unsigned has;

        if (!group)
                return "it ends too early";
        if (type == 0 || type >= _MESSAGE_TYPE_MAX)
                return "it is of an unknown type";
        has = contents[type];
        if ((flags & ~(has & FLAGS)) != 0)
                return "it has a flag that its type does not have";

        *ret = (Message){
                .type = type,
                .pre = flags & PRE,
                .force = flags & FORCE,
                .refused = flags & REFUSED,
                .lease = flags & LEASE,
        };
        memcpy(ret->group, group, sizeof ret->group);
        ret->from = reader_get_u64(reader);
        ret->to = reader_get_u64(reader);
        ret->term = reader_get_u64(reader);
        ret->index = has & INDEX ? reader_get_u64(reader) : 0;
        ret->index_term = has & INDEX_TERM ? reader_get_u64(reader) : 0;
        ret->hint = has & HINT ? reader_get_u64(reader) : 0;
        ret->commit = has & COMMIT ? reader_get_u64(reader) : 0;
        ret->probe = has & PROBE ? reader_get_u64(reader) : 0;
        ret->n = has & ENTRIES ? reader_get_u32(reader) : 0;
        return reader_error(reader) < 0 ? "it ends too early" : NULL;
}

static const char *decode_entry(Reader *reader, Entry *ret) {
        uint8_t type = reader_get_u8(reader);
        uint64_t term = reader_get_u64(reader);
        Entry entry = { .type = type, .term = term };
        size_t size = 0;

        entry.data = reader_get_bytes(reader, &size);
        if (reader_error(reader) < 0)
                return "an entry of it ends too early";
        if (type == 0 || type >= _ENTRY_TYPE_MAX)
                return "an entry of it is of an unknown type";
        if (size > ENTRY_SIZE_MAX)
                return "an entry of it is too long";

        entry.size = (uint32_t) size;
        *ret = entry;
        return NULL;
}

static const char *decode_entries(Reader *reader, Entry *entries, size_t n) {
        for (size_t i = 0; i < n; i++) {
                const char *why = decode_entry(reader, entries + i);

                if (why)
                        return why;
        }
        return reader->size > 0 ? "there is something behind its end" : NULL;
}

int message_decode(
                const void *data,
                size_t size,
                Message *ret,
                Entry **ret_entries,
                const char **reterr_why) {
        _cleanup_free_ Entry *entries = NULL;
        Reader reader = READER(data, size);
        const char *why;
        Message message;

        if (size > 0 && reader_get_u8(&reader) != MESSAGE_FORMAT) {
                *reterr_why = "it is of a format that this release does not know";
                return -EPROTONOSUPPORT;
        }

        why = decode_head(&reader, &message);
        if (!why && message.n > reader.size / ENTRY_SIZE_MIN)
                why = "it has fewer entries than it says";
        if (!why) {
                entries = calloc(MAX(message.n, (size_t) 1), sizeof *entries);
                if (!entries)
                        return -ENOMEM;
                why = decode_entries(&reader, entries, message.n);
        }
        if (why) {
                *reterr_why = why;
                return -EBADMSG;
        }

        message.entries = entries;
        *ret = message;
        *ret_entries = TAKE_PTR(entries);
        return 0;
}
