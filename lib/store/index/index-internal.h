/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Index, the inside: its tables, what is kept in memory about them, and what the parts share. */

#include "store/environment/database.h"
#include "store/index/damage-set.h"
#include "store/index/damage.h"
#include "store/index/dead.h"
#include "store/index/durable.h"
#include "store/index/identity.h"
#include "store/index/marks.h"
#include "store/index/move.h"
#include "store/index/request.h"
#include "store/index/rollback.h"
#include "store/index/submit.h"

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
        IndexReserve reserve;
        bool is_open;
} Versions;

/* How many are kept; see index_jump(). */
#define IDENTITIES 8

struct Index {
        Environment *environment;
        DB *records; /* key -> record */
        DB *garbage; /* GarbageKey -> format */
        DB *strays;  /* StrayKey -> format */
        DB *damages; /* see damage.c */
        DamageSet damage;
        Versions versions;
        IndexIdentity identities[IDENTITIES];
        const IndexIdentity *_Atomic identity; /* of these */
        Marks marks;
        atomic_uint_least64_t durable_revision;
        Durable durable;

        /* Under the environment's lock; changed by the committer. */
        struct {
                IndexRollback now, committed;
        } rollback;

        /* The committer's own: */
        Dead dead; /* the garbage table, by version; see rules.h */
        Buffer current;
        uint64_t now_usec;           /* of the request that is being applied */
        bool barred[VOLUME_MAX + 1]; /* see index_set_bars() */
        bool has_barred;             /* in this transaction */
        bool barred_before[VOLUME_MAX + 1];

        /* For tests; see index_intercept(). */
        Interception (*intercept)(const IndexRequest *request, void *userdata);
        void *intercept_userdata;
};

static inline Index *index_of(const Transaction *transaction) {
        return transaction->environment->hooks.userdata;
}

#define INDEX_FORMAT         "index 2"
#define INDEX_FORMAT_OLDER   "index 1"
#define INDEX_FORMAT_LOADING "index loading"

/* Opens the tables, and nothing of what is kept in memory about them. OLDER may be NULL. */
int index_open_tables(
                const IndexOptions *options, const char *format, const char *older, Index **ret);

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

/* Once, for an index from before there were strays: takes all of its garbage for such. */
int index_adopt_strays(Index *index);

/* Sets the revision of an index from before there were any. */
int index_upgrade(Transaction *transaction, void *userdata);

/* identity.c: loads what is in identity.h and where the versions go on, and begins a term; stores
 * exactly how far the versions have come; stores the marks with a transaction. */
#define VERSIONS_STATE ".versions"
int index_decode_versions(const Buffer *buffer, uint64_t *ret);
int index_open_identity(Index *index);
void index_close_identity(Index *index);
int index_save_marks(Transaction *transaction, void *userdata);

/* For a rollback: another term, and versions that go on elsewhere. Stored, then in force. */
int index_get_term(Transaction *transaction, IndexIdentity *ret);
int index_put_jump(Transaction *transaction, const IndexIdentity *identity, uint64_t next);
void index_jump(Index *index, uint64_t term, uint64_t next);

/* move.c */
int index_load_bars(Index *index);
void index_bars_ended(Index *index, bool committed);

/* rollback.c */
int index_open_rollback(Index *index);
void index_rollback_ended(Index *index, bool committed);

/* Counts a copy that the index does not know and that stays. */
int index_keep_unknown(Transaction *transaction);

/* damage.c, within a transaction: takes the mark of a copy away, if it has one; makes the
 * marks of a version fit its record, whose number of copies has changed. Fills what is in memory.
 */
int damage_clear(Transaction *transaction, uint64_t version, uint32_t volume);
int damage_update(Transaction *transaction, const Record *record);
int damage_load(Index *index);
