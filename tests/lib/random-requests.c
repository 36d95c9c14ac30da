/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <stdio.h>
#include <string.h>

#include "random-requests.h"

uint64_t random_below(RandomSource *source, uint64_t n) {
        source->state ^= source->state << 13;
        source->state ^= source->state >> 7;
        source->state ^= source->state << 17;
        return (source->state >> 11) % n;
}

static const char *random_key(RandomSource *source, char key[static 24]) {
        (void) snprintf(key, 24, "key/%u", (unsigned) random_below(source, RANDOM_KEYS));
        return key;
}

static uint32_t random_volume(RandomSource *source) {
        return 1 + (uint32_t) random_below(source, RANDOM_VOLUMES);
}

/* A recent one, more often than not. */
static uint64_t random_version(RandomSource *source) {
        return 1 + source->version - random_below(source, MIN(source->version, UINT64_C(400)) + 1);
}

static uint64_t random_time(RandomSource *source) {
        return 1 + random_below(source, 5);
}

static void random_condition(RandomSource *source, Condition *ret) {
        *ret = (Condition){};
        if (random_below(source, 6) > 0)
                return;
        ret->create_only = random_below(source, 3) == 0;
        ret->match.present = random_below(source, 3) == 0;
        ret->match.any = ret->match.present && random_below(source, 2) == 0;
        ret->none_match.present = random_below(source, 3) == 0;
        ret->none_match.n_etags = 1;
        ret->none_match.etags[0].bytes[0] = (uint8_t) random_below(source, 256);
        ret->has_unmodified_since = random_below(source, 3) == 0;
        ret->unmodified_since = random_below(source, 3);
}

static void random_commit(RandomSource *source, RandomRequest *request) {
        IndexCommit *commit = &request->decoded.commit;
        Record *record = &commit->record;

        commit->key = random_key(source, request->keys[0]);
        random_condition(source, &commit->condition);
        commit->garbage_due_usec = random_time(source);
        memset(request->metadata, 'm', sizeof(request->metadata));
        *record = (Record){
                .version = random_below(source, 4) == 0 ? random_version(source)
                                                        : ++source->version,
                .size = random_below(source, 100000),
                .mtime_usec = random_below(source, 3 * USEC_PER_SEC),
                .content_type = random_below(source, 2) == 0 ? "" : "text/plain",
                .metadata = request->metadata,
                .metadata_size = random_below(source, sizeof(request->metadata)),
                .n_copies = (uint8_t) (1 + random_below(source, 3)),
        };
        record->checksum.bytes[0] = (uint8_t) record->version;
        for (size_t i = 0, first = random_below(source, RANDOM_VOLUMES); i < record->n_copies; i++)
                record->copies[i] = 1 + (uint32_t) ((first + i) % RANDOM_VOLUMES);
}

static void random_settle(RandomSource *source, RandomRequest *request) {
        IndexSettle *settle = &request->decoded.settle;

        settle->volume = random_volume(source);
        settle->garbage_due_usec = random_time(source);
        settle->tombstone_due_usec = random_time(source);
        settle->items = request->settle;
        settle->n_items = random_below(source, RANDOM_ITEMS + 1);
        for (size_t i = 0; i < settle->n_items; i++)
                request->settle[i] = (IndexSettleItem){
                        .version = random_version(source),
                        .key = random_key(source, request->keys[i]),
                };
}

static void random_collected(RandomSource *source, RandomRequest *request) {
        IndexCollected *collected = &request->decoded.collected;
        int n = 0;

        collected->volume = (uint32_t) random_below(source, RANDOM_VOLUMES + 1);
        if (source->index)
                n = index_garbage(
                                source->index, collected->volume, UINT64_MAX - 1, request->garbage,
                                RANDOM_ITEMS);
        collected->items = request->garbage;
        collected->n_items = (size_t) MAX(n, 0);
        collected->n_gone = random_below(source, collected->n_items + 1);
        collected->again_due_usec = random_time(source);
        collected->tombstone_due_usec = random_time(source);
}

static void random_move(RandomSource *source, RandomRequest *request) {
        IndexMove *move = &request->decoded.move;

        move->key = random_key(source, request->keys[0]);
        move->version = random_version(source);
        if (source->index && random_below(source, 8) > 0) { /* of what is current, if possible */
                Buffer scratch = {};
                Record record;

                if (index_get(source->index, move->key, &scratch, &record) >= 0)
                        move->version = record.version;
                buffer_done(&scratch);
        }
        move->add = random_below(source, 4) == 0 ? 0 : random_volume(source);
        move->drop = request->volumes;
        move->n_drop = random_below(source, 3);
        for (size_t i = 0; i < move->n_drop; i++)
                request->volumes[i] = random_volume(source);
        move->garbage_due_usec = random_time(source);
}

static void random_damage(RandomSource *source, RandomRequest *request) {
        IndexDamage *damage = &request->decoded.damage;

        damage->now_usec = random_time(source);
        damage->items = request->damage;
        damage->n_items = random_below(source, RANDOM_ITEMS + 1);
        for (size_t i = 0; i < damage->n_items; i++)
                request->damage[i] = (IndexDamageItem){
                        .version = random_version(source),
                        .volume = random_volume(source),
                        .key = random_key(source, request->keys[i]),
                        .kind = (DamageKind) random_below(source, _DAMAGE_KIND_MAX),
                };
}

static void random_state(RandomSource *source, RandomRequest *request, RequestType type) {
        DecodedRequest *decoded = &request->decoded;

        switch (type) {
        case REQUEST_SET:
                decoded->set.name = random_key(source, request->keys[0]);
                decoded->set.data = random_below(source, 4) == 0 ? NULL : request->metadata;
                decoded->set.size = decoded->set.data ? random_below(source, 500) : 0;
                break;
        case REQUEST_FENCES:
                decoded->fences.volumes = request->volumes;
                decoded->fences.n_volumes = random_below(source, 3);
                for (size_t i = 0; i < decoded->fences.n_volumes; i++)
                        request->volumes[i] = random_volume(source);
                break;
        case REQUEST_RESERVE:
                decoded->reserve.count = random_below(source, 1000);
                break;
        case REQUEST_END_VERSIONS:
                decoded->end_versions.next = source->version;
                break;
        case REQUEST_BEGIN_TERM:
                memset(request->cluster, (int) random_below(source, 256), CLUSTER_ID_SIZE);
                decoded->begin_term.cluster = request->cluster;
                decoded->begin_term.term = random_below(source, 1000);
                break;
        default: /* REQUEST_ACCEPT */
                decoded->accept.term = random_below(source, 1000);
                decoded->accept.version = source->version;
                decoded->accept.revision = random_below(source, 1000);
                decoded->accept.versions_given = source->version / 2;
                source->version += 2 * ROLLBACK_VERSIONS; /* as those of a master would */
                break;
        }
}

RequestType random_type(RandomSource *source) {
        static const RequestType common[] = {
                REQUEST_COMMIT, REQUEST_COMMIT, REQUEST_COMMIT,    REQUEST_DELETE, REQUEST_SETTLE,
                REQUEST_MOVE,   REQUEST_MOVE,   REQUEST_COLLECTED, REQUEST_DAMAGE, REQUEST_SET,
        };

        if (random_below(source, 20000) == 0)
                return REQUEST_ACCEPT;
        return random_below(source, 100) > 0
                               ? common[random_below(source, ELEMENTSOF(common))]
                               : (RequestType) (1 + random_below(source, REQUEST_ACCEPT - 1));
}

void random_request(RandomSource *source, RequestType type, RandomRequest *ret) {
        *ret = (RandomRequest){};
        if (type == REQUEST_COMMIT)
                random_commit(source, ret);
        else if (type == REQUEST_DELETE) {
                ret->decoded.deletion.key = random_key(source, ret->keys[0]);
                random_condition(source, &ret->decoded.deletion.condition);
                ret->decoded.deletion.garbage_due_usec = random_time(source);
        } else if (type == REQUEST_SETTLE)
                random_settle(source, ret);
        else if (type == REQUEST_COLLECTED)
                random_collected(source, ret);
        else if (type == REQUEST_MOVE)
                random_move(source, ret);
        else if (type == REQUEST_DAMAGE)
                random_damage(source, ret);
        else
                random_state(source, ret, type);

        ret->decoded.request.type = type;
        ret->decoded.request.now_usec = random_below(source, 1000000);
        ret->decoded.request.has_room = random_below(source, 30) > 0;
}
