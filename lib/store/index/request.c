/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "core/call/identity.h"
#include "core/key.h"
#include "core/placement/cluster.h"
#include "store/index/request.h"

#define REQUEST_FORMAT 1

#define STATE_NAME_MAX 255

/* With the byte at its end, so that it can be used where it lies. */
static void put_string(Buffer *buffer, const char *string) {
        buffer_put_bytes(buffer, string, strlen(string) + 1);
}

static const char *get_string(Reader *reader, size_t max) {
        size_t size = 0;
        const char *string = reader_get_bytes(reader, &size);

        if (!string || size < 2 || size > max + 1 ||
            memchr(string, '\0', size) != string + size - 1) {
                reader->error = -EBADMSG;
                return NULL;
        }
        return string;
}

static const char *get_key(Reader *reader) {
        return get_string(reader, KEY_MAX);
}

static uint32_t get_volume(Reader *reader) {
        uint32_t volume = reader_get_u32(reader);

        if (volume > VOLUME_MAX)
                reader->error = -EBADMSG;
        return volume;
}

/* Allocates the items of a request; each takes at least ENCODED_MIN bytes. */
static void *
get_items(Reader *reader, size_t encoded_min, size_t size, DecodedRequest *request, size_t *ret_n) {
        uint64_t n = reader_get_varint(reader);

        if (n > reader->size / encoded_min)
                reader->error = -EBADMSG;
        if (reader_error(reader) < 0)
                return NULL;

        request->items = calloc((size_t) n + 1, size);
        if (!request->items) {
                reader->error = -ENOMEM;
                return NULL;
        }
        *ret_n = (size_t) n;
        return request->items;
}

static void put_commit(const IndexRequest *request, Buffer *buffer) {
        const IndexCommit *commit = CONTAINER_OF(request, IndexCommit, request);
        size_t start;

        put_string(buffer, commit->key);
        condition_encode(&commit->condition, buffer);
        buffer_put_u64(buffer, commit->garbage_due_usec);

        buffer_put_u32(buffer, 0);
        start = buffer->size;
        record_encode(&commit->record, commit->key, buffer);
        if (buffer_error(buffer) == 0)
                buffer_set_u32(buffer, start - sizeof(uint32_t), (uint32_t) (buffer->size - start));
}

static void get_commit(Reader *reader, DecodedRequest *ret) {
        IndexCommit *commit = &ret->commit;
        const void *record;
        uint32_t size;

        commit->key = get_key(reader);
        (void) condition_decode(reader, &commit->condition);
        commit->garbage_due_usec = reader_get_u64(reader);
        size = reader_get_u32(reader);
        record = reader_get(reader, size);
        if (reader_error(reader) == 0)
                reader->error = record_decode(record, size, commit->key, &commit->record);
}

static void put_delete(const IndexRequest *request, Buffer *buffer) {
        const IndexDelete *deletion = CONTAINER_OF(request, IndexDelete, request);

        put_string(buffer, deletion->key);
        condition_encode(&deletion->condition, buffer);
        buffer_put_u64(buffer, deletion->garbage_due_usec);
}

static void get_delete(Reader *reader, DecodedRequest *ret) {
        IndexDelete *deletion = &ret->deletion;

        deletion->key = get_key(reader);
        (void) condition_decode(reader, &deletion->condition);
        deletion->garbage_due_usec = reader_get_u64(reader);
}

static void put_settle(const IndexRequest *request, Buffer *buffer) {
        const IndexSettle *settle = CONTAINER_OF(request, IndexSettle, request);

        buffer_put_u32(buffer, settle->volume);
        buffer_put_u64(buffer, settle->garbage_due_usec);
        buffer_put_u64(buffer, settle->tombstone_due_usec);
        buffer_put_varint(buffer, settle->n_items);
        for (size_t i = 0; i < settle->n_items; i++) {
                buffer_put_u64(buffer, settle->items[i].version);
                put_string(buffer, settle->items[i].key);
        }
}

static void get_settle(Reader *reader, DecodedRequest *ret) {
        IndexSettle *settle = &ret->settle;

        settle->volume = get_volume(reader);
        settle->garbage_due_usec = reader_get_u64(reader);
        settle->tombstone_due_usec = reader_get_u64(reader);
        settle->items = get_items(
                        reader, sizeof(uint64_t) + 2, sizeof(*settle->items), ret,
                        &settle->n_items);
        for (size_t i = 0; i < settle->n_items; i++) {
                settle->items[i].version = reader_get_u64(reader);
                settle->items[i].key = get_key(reader);
        }
}

static void put_collected(const IndexRequest *request, Buffer *buffer) {
        const IndexCollected *collected = CONTAINER_OF(request, IndexCollected, request);

        buffer_put_u32(buffer, collected->volume);
        buffer_put_u64(buffer, collected->again_due_usec);
        buffer_put_u64(buffer, collected->tombstone_due_usec);
        buffer_put_varint(buffer, collected->n_gone);
        buffer_put_varint(buffer, collected->n_items);
        for (size_t i = 0; i < collected->n_items; i++) {
                buffer_put_u64(buffer, collected->items[i].due_usec);
                buffer_put_u64(buffer, collected->items[i].version);
        }
}

static void get_collected(Reader *reader, DecodedRequest *ret) {
        IndexCollected *collected = &ret->collected;
        Garbage *items;

        collected->volume = get_volume(reader);
        collected->again_due_usec = reader_get_u64(reader);
        collected->tombstone_due_usec = reader_get_u64(reader);
        collected->n_gone = (size_t) reader_get_varint(reader);
        items = get_items(reader, 2 * sizeof(uint64_t), sizeof(*items), ret, &collected->n_items);
        for (size_t i = 0; i < collected->n_items; i++) {
                items[i].due_usec = reader_get_u64(reader);
                items[i].version = reader_get_u64(reader);
        }
        collected->items = items;
        if (collected->n_gone > collected->n_items)
                reader->error = -EBADMSG;
}

static void put_set(const IndexRequest *request, Buffer *buffer) {
        const IndexSet *set = CONTAINER_OF(request, IndexSet, request);

        put_string(buffer, set->name);
        buffer_put_u8(buffer, set->data != NULL);
        if (set->data)
                buffer_put_bytes(buffer, set->data, set->size);
}

static void get_set(Reader *reader, DecodedRequest *ret) {
        IndexSet *set = &ret->set;
        uint8_t has_data;

        set->name = get_string(reader, STATE_NAME_MAX);
        has_data = reader_get_u8(reader);
        if (has_data)
                set->data = reader_get_bytes(reader, &set->size);
        if (has_data > 1 || (set->name && set->name[0] == '.'))
                reader->error = -EBADMSG;
}

static void put_volumes(Buffer *buffer, const uint32_t *volumes, size_t n) {
        buffer_put_varint(buffer, n);
        for (size_t i = 0; i < n; i++)
                buffer_put_u32(buffer, volumes[i]);
}

static const uint32_t *get_volumes(Reader *reader, DecodedRequest *ret, size_t *ret_n) {
        uint32_t *volumes = get_items(reader, sizeof(*volumes), sizeof(*volumes), ret, ret_n);

        for (size_t i = 0; volumes && i < *ret_n; i++)
                volumes[i] = get_volume(reader);
        return volumes;
}

static void put_move(const IndexRequest *request, Buffer *buffer) {
        const IndexMove *move = CONTAINER_OF(request, IndexMove, request);

        put_string(buffer, move->key);
        buffer_put_u64(buffer, move->version);
        buffer_put_u32(buffer, move->add);
        buffer_put_u64(buffer, move->garbage_due_usec);
        put_volumes(buffer, move->drop, move->n_drop);
}

static void get_move(Reader *reader, DecodedRequest *ret) {
        IndexMove *move = &ret->move;

        move->key = get_key(reader);
        move->version = reader_get_u64(reader);
        move->add = get_volume(reader);
        move->garbage_due_usec = reader_get_u64(reader);
        move->drop = get_volumes(reader, ret, &move->n_drop);
}

static void put_fences(const IndexRequest *request, Buffer *buffer) {
        const IndexFences *fences = CONTAINER_OF(request, IndexFences, request);

        put_volumes(buffer, fences->volumes, fences->n_volumes);
}

static void get_fences(Reader *reader, DecodedRequest *ret) {
        ret->fences.volumes = get_volumes(reader, ret, &ret->fences.n_volumes);
}

static void put_damage(const IndexRequest *request, Buffer *buffer) {
        const IndexDamage *damage = CONTAINER_OF(request, IndexDamage, request);

        buffer_put_u64(buffer, damage->now_usec);
        buffer_put_varint(buffer, damage->n_items);
        for (size_t i = 0; i < damage->n_items; i++) {
                const IndexDamageItem *item = damage->items + i;

                buffer_put_u64(buffer, item->version);
                buffer_put_u32(buffer, item->volume);
                buffer_put_u8(buffer, (uint8_t) item->kind);
                put_string(buffer, item->key);
        }
}

static void get_damage(Reader *reader, DecodedRequest *ret) {
        IndexDamage *damage = &ret->damage;

        damage->now_usec = reader_get_u64(reader);
        damage->items = get_items(
                        reader, sizeof(uint64_t) + sizeof(uint32_t) + 3, sizeof(*damage->items),
                        ret, &damage->n_items);
        for (size_t i = 0; i < damage->n_items; i++) {
                IndexDamageItem *item = damage->items + i;
                uint8_t kind;

                item->version = reader_get_u64(reader);
                item->volume = get_volume(reader);
                kind = reader_get_u8(reader);
                if (kind >= _DAMAGE_KIND_MAX)
                        reader->error = -EBADMSG;
                item->kind = kind;
                item->key = get_key(reader);
        }
        if (damage->n_items > INDEX_DAMAGE_MAX)
                reader->error = -EBADMSG;
}

static void put_reserve(const IndexRequest *request, Buffer *buffer) {
        buffer_put_u64(buffer, CONTAINER_OF(request, IndexReserve, request)->count);
}

static void get_reserve(Reader *reader, DecodedRequest *ret) {
        ret->reserve.count = reader_get_u64(reader);
}

static void put_end_versions(const IndexRequest *request, Buffer *buffer) {
        buffer_put_u64(buffer, CONTAINER_OF(request, IndexEndVersions, request)->next);
}

static void get_end_versions(Reader *reader, DecodedRequest *ret) {
        ret->end_versions.next = reader_get_u64(reader);
}

static void put_begin_term(const IndexRequest *request, Buffer *buffer) {
        const IndexBeginTerm *begin = CONTAINER_OF(request, IndexBeginTerm, request);

        buffer_put(buffer, begin->cluster, CLUSTER_ID_SIZE);
        buffer_put_u64(buffer, begin->term);
}

static void get_begin_term(Reader *reader, DecodedRequest *ret) {
        ret->begin_term.cluster = reader_get(reader, CLUSTER_ID_SIZE);
        ret->begin_term.term = reader_get_u64(reader);
}

static void put_accept(const IndexRequest *request, Buffer *buffer) {
        const IndexAccept *accept = CONTAINER_OF(request, IndexAccept, request);

        buffer_put_u64(buffer, accept->term);
        buffer_put_u64(buffer, accept->version);
        buffer_put_u64(buffer, accept->revision);
        buffer_put_u64(buffer, accept->versions_given);
}

static void get_accept(Reader *reader, DecodedRequest *ret) {
        ret->accept.term = reader_get_u64(reader);
        ret->accept.version = reader_get_u64(reader);
        ret->accept.revision = reader_get_u64(reader);
        ret->accept.versions_given = reader_get_u64(reader);
}

static const struct {
        void (*put)(const IndexRequest *request, Buffer *buffer);
        void (*get)(Reader *reader, DecodedRequest *ret);
} codecs[_REQUEST_TYPE_MAX] = {
        [REQUEST_COMMIT] = { put_commit, get_commit },
        [REQUEST_DELETE] = { put_delete, get_delete },
        [REQUEST_SETTLE] = { put_settle, get_settle },
        [REQUEST_COLLECTED] = { put_collected, get_collected },
        [REQUEST_SET] = { put_set, get_set },
        [REQUEST_MOVE] = { put_move, get_move },
        [REQUEST_FENCES] = { put_fences, get_fences },
        [REQUEST_DAMAGE] = { put_damage, get_damage },
        [REQUEST_RESERVE] = { put_reserve, get_reserve },
        [REQUEST_END_VERSIONS] = { put_end_versions, get_end_versions },
        [REQUEST_BEGIN_TERM] = { put_begin_term, get_begin_term },
        [REQUEST_ACCEPT] = { put_accept, get_accept },
};

void request_encode(const IndexRequest *request, Buffer *buffer) {
        assert(request->type > 0 && request->type < _REQUEST_TYPE_MAX);

        buffer_put_u8(buffer, REQUEST_FORMAT);
        buffer_put_u8(buffer, request->type);
        buffer_put_u8(buffer, request->has_room);
        buffer_put_u64(buffer, request->now_usec);
        codecs[request->type].put(request, buffer);
}

int request_decode(const void *data, size_t size, DecodedRequest *ret) {
        Reader reader = READER(data, size);
        uint8_t format = reader_get_u8(&reader), type = reader_get_u8(&reader);
        uint8_t has_room = reader_get_u8(&reader);
        uint64_t now_usec = reader_get_u64(&reader);

        *ret = (DecodedRequest){};
        if (reader_error(&reader) < 0)
                return -EBADMSG;
        if (format != REQUEST_FORMAT || type == 0 || type >= _REQUEST_TYPE_MAX)
                return -EPROTONOSUPPORT;
        if (has_room > 1)
                return -EBADMSG;

        codecs[type].get(&reader, ret);
        ret->request = (IndexRequest){ .type = type, .has_room = has_room, .now_usec = now_usec };
        return reader_error(&reader) < 0 ? reader.error : reader_end(&reader);
}

void request_done(DecodedRequest *request) {
        free(request->items);
        *request = (DecodedRequest){};
}

static void take_commit(IndexRequest *request, const DecodedRequest *applied) {
        IndexCommit *commit = CONTAINER_OF(request, IndexCommit, request);

        commit->created = applied->commit.created;
        commit->revision = applied->commit.revision;
}

static void take_settle(IndexRequest *request, const DecodedRequest *applied) {
        IndexSettle *settle = CONTAINER_OF(request, IndexSettle, request);

        for (size_t i = 0; i < settle->n_items; i++)
                settle->items[i].current = applied->settle.items[i].current;
}

static void take_damage(IndexRequest *request, const DecodedRequest *applied) {
        IndexDamage *damage = CONTAINER_OF(request, IndexDamage, request);

        for (size_t i = 0; i < damage->n_items; i++) {
                damage->items[i].error = applied->damage.items[i].error;
                damage->items[i].is_new = applied->damage.items[i].is_new;
        }
}

void request_take_outputs(IndexRequest *request, const DecodedRequest *applied) {
        assert(request->type == applied->request.type);

        switch (request->type) {
        case REQUEST_COMMIT:
                take_commit(request, applied);
                break;
        case REQUEST_SETTLE:
                take_settle(request, applied);
                break;
        case REQUEST_DAMAGE:
                take_damage(request, applied);
                break;
        case REQUEST_RESERVE:
                CONTAINER_OF(request, IndexReserve, request)->new_end = applied->reserve.new_end;
                break;
        case REQUEST_ACCEPT: {
                IndexAccept *accept = CONTAINER_OF(request, IndexAccept, request);

                accept->next_term = applied->accept.next_term;
                accept->versions_next = applied->accept.versions_next;
                break;
        }
        default: /* the others have none */
                break;
        }
}
