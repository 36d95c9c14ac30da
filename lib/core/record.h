/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Record: what dkv knows about a value, in the index and, next to the value, on the volumes.
 *
 * Both forms start with a format byte and carry an XXH3-64 over everything before it (and, in the
 * index, the key), so a flipped bit is found when the record is read. A record of an unknown format
 * is refused, never guessed. All integers are little-endian.
 *
 * Two numbers tell values of a key apart. The version is given out before a write and names the
 * object on the volumes. The revision is given by the commit, so it says which value came after
 * which; it is what users see. */

#include "base/buffer.h"
#include "base/macro.h"
#include "core/checksum.h"
#include "core/limits.h"

#define CONTENT_TYPE_MAX 255
#define METADATA_MAX     (8 * KIB) /* all names and values of a key, encoded */

typedef struct Record {
        uint64_t version;  /* names the object */
        uint64_t revision; /* of the commit; in the index only, 0 elsewhere */
        uint64_t size;
        uint64_t mtime_usec;  /* since the epoch */
        uint64_t expiry_usec; /* since the epoch; 0 is never */
        Checksum checksum;
        const char *content_type; /* "" if the client gave none; borrowed */
        const char *metadata;     /* see metadata_next(); borrowed */
        size_t metadata_size;
        bool created; /* this version made the key; in the index only */
        uint8_t n_copies;
        uint32_t copies[COPIES_MAX]; /* numbers of the volumes; empty in an object */
} Record;

/* User metadata (Dkv-Meta-NAME: VALUE) is a series of "name\0value\0"; BUFFER holds nothing else.
 * Returns 0, -EINVAL for an empty name, -E2BIG beyond METADATA_MAX, or -ENOMEM. */
int metadata_append(Buffer *buffer, const char *name, const char *value);

/* No master gives out a version above this, so that no other daemon can use the numbers up. */
#define RECORD_VERSION_MAX ((UINT64_C(1) << 62) - 1)
#define RECORD_SIZE_MAX    (1024 * TIB)

/* Checks a record that another daemon has sent: one that passes does no harm, even if it is not
 * true. Returns 0 or -EINVAL. */
int record_check(const Record *record);

/* Steps through the metadata: POSITION starts at 0. Returns false at the end. */
bool metadata_next(
                const char *metadata,
                size_t size,
                size_t *position,
                const char **ret_name,
                const char **ret_value);

/* The index: KEY is the key that the record is stored under; it is covered by the check sum. */
void record_encode(const Record *record, const char *key, Buffer *buffer);

/* The strings of RET point into DATA. A record from before there were revisions gets its version as
 * its revision. Returns 0, -EPROTONOSUPPORT for an unknown format, -EBADMSG for a record that is
 * damaged or belongs to another key. */
int record_decode(const void *data, size_t size, const char *key, Record *ret);

/* The volume, and the wire between daemons: the record, its key, and the value if it is inline. */
typedef struct Object {
        Record record;
        const char *key;   /* borrowed */
        bool is_inline;    /* otherwise the value is a file of its own, named after the version */
        const void *value; /* of record.size bytes if inline, else NULL; borrowed */
} Object;

void object_encode(const Object *object, Buffer *buffer);

/* Everything in RET points into DATA. Verifies the record's own check sum, which leaves out an
 * inline value: for that see object_verify(). Returns 0, -EPROTONOSUPPORT or -EBADMSG. */
int object_decode(const void *data, size_t size, Object *ret);

/* Compares an inline value with its checksum. Returns 0 or -EBADMSG. */
int object_verify(const Object *object);
