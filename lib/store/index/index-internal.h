/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Index, the inside: what index.c (reading) and index-change.c (changing) share. */

#include "store/environment/database.h"
#include "store/index/damage-set.h"
#include "store/index/damage.h"
#include "store/index/dead.h"
#include "store/index/identity.h"
#include "store/index/marks.h"
#include "store/index/move.h"
#include "store/index/rollback.h"

enum {
        COUNTER_KEYS,
        COUNTER_BYTES,
        COUNTER_GARBAGE,
        COUNTER_REVISION,
};

/* How many versions are reserved at a time, and how many may be left when the next ones are. */
#define VERSIONS_BLOCK UINT64_C(1000000)
#define VERSIONS_LOW   (VERSIONS_BLOCK / 2)

typedef struct Versions {
        atomic_uint_least64_t next;
        atomic_uint_least64_t end; /* what is below is reserved on disk */
        atomic_bool is_extending;
        Operation extend;
        uint64_t new_end;
        bool is_open;
} Versions;

/* How many are kept; see index_jump(). */
#define IDENTITIES 8

struct Index {
        Environment *environment;
        DB *records; /* key -> record */
        DB *garbage; /* GarbageKey -> format */
        DB *strays;  /* StrayKey -> format */
        DB *damages; /* see index-damage.c */
        DamageSet damage;
        Versions versions;
        IndexIdentity identities[IDENTITIES];
        const IndexIdentity *identity; /* atomic; of these */
        Marks marks;
        atomic_uint_least64_t durable_revision;

        /* Under the environment's lock; changed by the committer. */
        struct {
                IndexRollback now, committed;
        } rollback;

        /* The committer's own: */
        Dead dead; /* the garbage table, by version; see garbage_is_deadly() */
        Buffer current;
        bool barred[VOLUME_MAX + 1]; /* see index_set_bars() */
};

/* Big-endian, so that the order of the bytes is that of the numbers. */
typedef struct __attribute__((packed)) GarbageKey {
        uint32_t volume;
        uint64_t due_usec;
        uint64_t version;
} GarbageKey;

/* Garbage of versions that were current when it was made. */
typedef struct __attribute__((packed)) StrayKey {
        uint64_t version;
        uint32_t volume;
} StrayKey;

StrayKey stray_key(uint64_t version, uint32_t volume);

#define GARBAGE_FORMAT 1

GarbageKey garbage_key(uint32_t volume, uint64_t due_usec, uint64_t version);

/* Whether an entry of the garbage table makes its version a dead one. */
bool garbage_is_deadly(uint32_t volume, uint64_t version);

/* Once, for an index from before there were strays: takes all of its garbage for such. */
int index_adopt_strays(Index *index);

/* index-identity.c: sets the revision of an index from before there were any; loads what is in
 * index-identity.h and where the versions go on, and begins a term; stores exactly how far the
 * versions have come; stores the marks with a transaction. */
int index_upgrade(Transaction *transaction, void *userdata);
int index_open_identity(Index *index);
void index_close_identity(Index *index);
int index_save_marks(Transaction *transaction, void *userdata);

/* For a rollback: another term, and versions that go on elsewhere. Stored, then in force. */
int index_put_jump(Transaction *transaction, uint64_t term, uint64_t next);
void index_jump(Index *index, uint64_t term, uint64_t next);

/* index-rollback.c */
int index_open_rollback(Index *index);
void index_rollback_ended(Index *index, bool committed);

/* For a copy that the index does not know: returns 1 if it stays, and is counted; 0 if it is
 * garbage; or a negative errno. */
int index_keep_unknown(Transaction *transaction, uint64_t version);

/* index-damage.c, within a transaction: takes the mark of a copy away, if it has one; makes the
 * marks of a version fit its record, whose number of copies has changed. Fills what is in memory.
 */
int damage_clear(Transaction *transaction, uint64_t version, uint32_t volume);
int damage_update(Transaction *transaction, const Record *record);
int damage_load(Index *index);
