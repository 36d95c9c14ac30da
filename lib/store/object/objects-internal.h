/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Object store, the inside: what its parts share.
 *
 * A file is named by its version, in one of 256 directories. A name without a record that says "in
 * a file" means nothing, and is removed in the background or at the next start. */

#include "base/uuid.h"
#include "store/environment/database.h"
#include "store/object/compactor.h"
#include "store/object/objects.h"
#include "store/object/reach.h"
#include "store/object/values.h"
#include "store/object/workers.h"

enum {
        COUNTER_OBJECTS,
        COUNTER_BYTES,
};

#define DIRECTORIES       256
#define OBJECTS_DIRECTORY "objects"

/* A version whose name exists and whose record is on its way. There may be several of a version, if
 * the same object is stored more than once at a time. */
typedef struct Claim {
        uint64_t version;
        const Buffer *object; /* the record; not owned */
        bool is_replacing;    /* whatever has the name now */
        struct Claim *next;
} Claim;

typedef struct Versions {
        uint64_t *items; /* owned */
        size_t n, allocated;
} Versions;

struct ObjectStore {
        Environment *environment;
        DB *objects; /* version, big-endian -> item; see store/value/item.h */
        Values values;
        Compactor compactor;
        int files_fd;
        int directory_fds[DIRECTORIES];
        uint64_t inline_max;
        Uuid uuid;
        Workers workers;

        pthread_mutex_t claims_mutex; /* held while a name is given or taken away */
        Claim *claims;

        ReachState reach;
        Operation note; /* stores what was heard when nothing else is stored */
        atomic_bool is_noting;

        Versions deleted; /* files whose records the current batch deletes; the committer's */
};

uint64_t object_key(uint64_t version); /* big-endian, so that the order of the bytes is that of the
                                          numbers */

/* files.c */

int object_files_open(ObjectStore *store, int dir_fd);
void object_files_close(ObjectStore *store);

/* Returns a new descriptor for reading, or -ENOENT. */
int object_file_open(ObjectStore *store, uint64_t version);

/* Gives the file room for SIZE bytes, so that it cannot find the disk full, where the file system
 * can do that. Returns 0, -ENOSPC if there is not so much besides what is kept free, or another
 * negative errno. */
int object_file_allocate(ObjectStore *store, int fd, uint64_t size);

/* Gives the unnamed file its name, durably; if the very same object has it already, that one keeps
 * it, unless it should be replaced. The claim keeps the name until object_file_unclaim(). Returns
 * 0, -EEXIST if another object has the version or is about to, or another negative errno. */
int object_file_link(ObjectStore *store, int fd, Claim *claim);
void object_file_unclaim(ObjectStore *store, Claim *claim);

/* Removes the files of these versions in the background, but for those that have records. Takes the
 * items. */
void object_files_remove(ObjectStore *store, Versions *versions);
int versions_add(Versions *versions, uint64_t version);

/* object-reach.c: loads it; stores it with a transaction; that one has ended. */

int object_open_reach(ObjectStore *store);
int object_save_reach(Transaction *transaction, void *userdata);
void object_reach_ended(bool committed, void *userdata);

/* lookup.c */

/* Reads the item of an object into SCRATCH. Returns 0, -ENOENT, or -EBADMSG for a damaged page. */
int object_find(ObjectStore *store, uint64_t version, Buffer *scratch);

/* Reads an object, which is in SCRATCH then: as it was encoded, or decoded, which verifies all but
 * an inline value. Returns 0 or what object_store_get() does; -ENODATA if its segment is missing.
 * Not for the committer. */
int object_read_encoded(ObjectStore *store, uint64_t version, Buffer *scratch, Encoded *ret);
int object_read(ObjectStore *store, uint64_t version, Buffer *scratch, Object *ret);

/* changes.c */

/* As object_store_put(), for an object that is known to be whole. */
void object_put_submit(ObjectStore *store, ObjectPut *put, const Object *object);

/* In a transaction: makes the version lead there. */
int object_put_item(Transaction *transaction, uint64_t version, const Item *item);

/* A hook of the environment: brings what a batch stores into the log of the values. */
void object_prepare(Batch *batch, void *userdata);

/* Opens the log of the values, and stores again what the database lacks of it. */
int object_open_values(ObjectStore *store);
