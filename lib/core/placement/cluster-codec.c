/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>
#include <xxhash.h>

#include "core/placement/cluster-codec.h"

#define FORMAT_CLUSTER 0x33

/* As it was before the map said how many copies there should be, and before that, when a volume had
 * no marks: still read. */
#define FORMAT_WITHOUT_COPIES 0x32
#define FORMAT_UNMARKED       0x31

enum {
        MARK_URL_IS_SET = 1 << 0,
        MARK_ZONE_IS_SET = 1 << 1,
        MARK_MAX = (1 << 2) - 1,
};

static uint8_t get_marks(const Volume *volume) {
        return (uint8_t) ((volume->url_is_set ? MARK_URL_IS_SET : 0) | (volume->zone_is_set ? MARK_ZONE_IS_SET : 0));
}

void cluster_encode(const Cluster *cluster, Buffer *buffer) {
        const uint32_t *removed;
        uint32_t limit, n_removed;
        size_t start;

        assert(cluster);
        assert(buffer);

        start = buffer->size;
        buffer_put_u8(buffer, FORMAT_CLUSTER);
        buffer_put_u64(buffer, cluster->epoch);
        buffer_put_varint(buffer, cluster->copies);

        buffer_put_varint(buffer, cluster->n_volumes);
        for (size_t i = 0; i < cluster->n_volumes; i++) {
                const Volume *volume = &cluster->volumes[i];

                buffer_put_varint(buffer, volume->number);
                buffer_put_varint(buffer, volume->weight);
                buffer_put_u8(buffer, (uint8_t) volume->state);
                buffer_put(buffer, volume->uuid, sizeof(volume->uuid));
                buffer_put_string(buffer, volume->url);
                buffer_put_string(buffer, volume->zone);
                buffer_put_u8(buffer, get_marks(volume));
                buffer_put_varint(buffer, volume->maintenance_until);
        }

        limit = buckets_limit(cluster->buckets);
        buffer_put_varint(buffer, limit);
        for (uint32_t i = 0; i < limit; i++)
                buffer_put_varint(buffer, cluster->owners[i]);

        removed = buckets_removed(cluster->buckets, &n_removed);
        buffer_put_varint(buffer, n_removed);
        for (uint32_t i = 0; i < n_removed; i++)
                buffer_put_varint(buffer, removed[i]);

        if (buffer_error(buffer) == 0)
                buffer_put_u64(buffer, XXH3_64bits(buffer->data + start, buffer->size - start));
}

/* Returns 0, -EBADMSG or -ENOMEM, as do the others. */
static int get_string(Reader *reader, char **ret) {
        size_t size = 0;
        const char *data = reader_get_bytes(reader, &size);
        char *string;

        if (!data || memchr(data, 0, size))
                return -EBADMSG;

        string = strndup(data, size);
        if (!string)
                return -ENOMEM;

        *ret = string;
        return 0;
}

static int get_volume(Reader *reader, uint8_t format, Cluster *cluster) {
        _cleanup_free_ char *url = NULL, *zone = NULL;
        uint64_t number = reader_get_varint(reader);
        uint64_t weight = reader_get_varint(reader);
        uint8_t state = reader_get_u8(reader);
        const uint8_t *uuid = reader_get(reader, sizeof(Uuid));
        uint64_t maintenance_until = 0;
        uint8_t marks = 0;
        Volume *volume;
        int r;

        if (!uuid || number > VOLUME_MAX || weight > WEIGHT_MAX || state >= _VOLUME_STATE_MAX)
                return -EBADMSG;
        r = get_string(reader, &url);
        if (r < 0)
                return r;
        r = get_string(reader, &zone);
        if (r < 0)
                return r;
        if (format != FORMAT_UNMARKED) {
                marks = reader_get_u8(reader);
                maintenance_until = reader_get_varint(reader);
        }
        if (marks > MARK_MAX)
                return -EBADMSG;

        r = cluster_add_volume(cluster, (uint32_t) number, uuid, url, zone, (uint32_t) weight);
        if (r < 0)
                return r == -ENOMEM ? r : -EBADMSG;

        volume = cluster_find(cluster, (uint32_t) number);
        volume->state = state;
        volume->url_is_set = marks & MARK_URL_IS_SET;
        volume->zone_is_set = marks & MARK_ZONE_IS_SET;
        volume->maintenance_until = maintenance_until;
        return 0;
}

static int get_volumes(Reader *reader, uint8_t format, Cluster *cluster) {
        uint64_t n = reader_get_varint(reader);

        for (uint64_t i = 0; i < n; i++) {
                int r = get_volume(reader, format, cluster);

                if (r < 0)
                        return r;
        }

        return reader_error(reader);
}

/* Each owner takes at least one byte, so that the size of the data limits what is allocated. */
static int get_owners(Reader *reader, Cluster *cluster) {
        uint64_t limit = reader_get_varint(reader);

        if (limit > reader->size)
                return -EBADMSG;
        if (limit == 0)
                return reader_error(reader);

        cluster->owners = malloc(limit * sizeof(*cluster->owners));
        if (!cluster->owners)
                return -ENOMEM;

        for (uint64_t i = 0; i < limit; i++) {
                uint64_t owner = reader_get_varint(reader);
                uint32_t bucket;
                int r;

                if (owner > VOLUME_MAX)
                        return -EBADMSG;
                r = buckets_add(cluster->buckets, &bucket);
                if (r < 0)
                        return r;
                cluster->owners[bucket] = (uint32_t) owner;
        }

        return reader_error(reader);
}

static int get_removed(Reader *reader, Cluster *cluster) {
        uint32_t limit = buckets_limit(cluster->buckets);
        uint64_t n = reader_get_varint(reader);

        for (uint64_t i = 0; i < n; i++) {
                uint64_t bucket = reader_get_varint(reader);

                if (bucket >= limit || cluster->owners[bucket] != 0 ||
                    buckets_remove(cluster->buckets, (uint32_t) bucket) < 0)
                        return -EBADMSG;
        }

        /* The last bucket cannot be the first on the list: without it, the limit would be lower. */
        if (buckets_limit(cluster->buckets) != limit)
                return -EBADMSG;
        return reader_error(reader);
}

/* Whether each volume owns what its weight says if it is active, and nothing if it is not, and
 * there is no bucket besides: active volumes' weights sum up to the number of buckets then. */
static int check_owners(const Cluster *cluster) {
        _cleanup_free_ uint32_t *owned = NULL;
        uint32_t limit = buckets_limit(cluster->buckets), n_owned = 0;

        owned = calloc(cluster->n_volumes + 1, sizeof(*owned));
        if (!owned)
                return -ENOMEM;

        for (uint32_t i = 0; i < limit; i++) {
                const Volume *volume = cluster_find(cluster, cluster->owners[i]);

                if (!volume)
                        continue;
                owned[volume - cluster->volumes]++;
                n_owned++;
        }

        for (size_t i = 0; i < cluster->n_volumes; i++) {
                const Volume *volume = &cluster->volumes[i];

                if (owned[i] != (volume->state == VOLUME_ACTIVE ? volume->weight : 0))
                        return -EBADMSG;
        }

        return n_owned == buckets_count(cluster->buckets) ? 0 : -EBADMSG;
}

static int get_cluster(Reader *reader, uint8_t format, Cluster *cluster) {
        uint64_t copies = 0;
        int r;

        cluster->epoch = reader_get_u64(reader);
        if (format == FORMAT_CLUSTER)
                copies = reader_get_varint(reader);
        if (copies > COPIES_MAX)
                return -EBADMSG;
        cluster->copies = (uint32_t) copies;

        r = get_volumes(reader, format, cluster);
        if (r < 0)
                return r;
        r = get_owners(reader, cluster);
        if (r < 0)
                return r;
        return get_removed(reader, cluster);
}

int cluster_decode(const void *data, size_t size, Cluster **ret) {
        _cleanup_(cluster_freep) Cluster *cluster = NULL;
        Reader reader = READER(data, size);
        uint8_t format;
        int r;

        assert(data || size == 0);
        assert(ret);

        format = reader_get_u8(&reader);
        if (reader_error(&reader) < 0)
                return -EBADMSG;
        if (format != FORMAT_CLUSTER && format != FORMAT_WITHOUT_COPIES &&
            format != FORMAT_UNMARKED)
                return -EPROTONOSUPPORT;

        r = cluster_new(&cluster);
        if (r < 0)
                return r;

        r = get_cluster(&reader, format, cluster);
        if (r < 0)
                return r;

        if (reader_get_u64(&reader) != XXH3_64bits(data, size - sizeof(uint64_t)))
                return -EBADMSG;
        r = reader_end(&reader);
        if (r < 0)
                return r;
        r = check_owners(cluster);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(cluster);
        return 0;
}
