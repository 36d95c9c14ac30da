/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Tables of the index, with what is kept in memory about them. What applying a request does is a
 * function of its bytes and of these.
 *
 * Functions that take a transaction run on the committer's thread; an error of the database sticks
 * in the transaction. */

#include "core/limits.h"
#include "core/record.h"
#include "store/environment/database.h"
#include "store/index/memory/damage-set.h"
#include "store/index/memory/dead.h"
#include "store/index/memory/durable.h"
#include "store/index/memory/fenced.h"
#include "store/index/memory/marks.h"
#include "store/index/rollback.h"

/* Which of the environment's counters is which. */
enum {
        COUNTER_KEYS,
        COUNTER_BYTES,
        COUNTER_GARBAGE,
        COUNTER_REVISION,
};

typedef struct Tables {
        Environment *environment;
        DB *records; /* key -> record */
        DB *garbage; /* see garbage.h */
        DB *surplus; /* likewise */
        DB *damages; /* see damage.h */

        /* Others keep the same tables, by the same requests: what a request comes to must not
         * depend on what is damaged here, so it fails the transaction, or the opening. */
        bool is_strict;
        struct Follow *follow; /* not owned; NULL for a master alone */

        /* For readers on any thread; changed by the committer. */
        DamageSet damage;
        Marks marks;
        Durable durable;
        /* A bit for each volume that may have surplus copies. */
        atomic_uint_least64_t surplus_volumes[VOLUME_MAX / 64 + 1];
        atomic_uint_least64_t durable_revision;

        /* Under the environment's lock; changed by the committer. */
        struct {
                IndexRollback now, committed;
        } rollback;

        /* The committer's own: */
        Dead dead; /* the garbage table, by version; see rules.h */
        Fenced fences;
        Buffer current;    /* the record that was read last */
        Place place;       /* where it is */
        const char *key;   /* of it; NULL if it is nowhere; not owned */
        uint64_t now_usec; /* of the request that is being applied */
} Tables;

/* The tables are the userdata of the environment's hooks. */
static inline Tables *tables_of(const Transaction *transaction) {
        return transaction->environment->hooks.userdata;
}

void tables_init(Tables *tables);
void tables_done(Tables *tables);

/* The environment is open: opens the tables. Returns 0 or a negative errno. */
int tables_open(Tables *tables);

/* Reads the marks and the fences into memory. Likewise. */
int tables_load(Tables *tables);

/* The hooks of the environment. */
int tables_ending(Transaction *transaction, void *userdata);
void tables_ended(bool committed, void *userdata);
void tables_flushed(void *userdata);

/* What is in the tables now is on the disk. */
void tables_note_durable(Tables *tables);

/* A request was applied: the record that was read last may move. */
void tables_release(Tables *tables);

/* Returns 1 and the record of the key, 0 if there is none, or a negative errno. A page that cannot
 * be read fails the transaction, a damaged record on a good page does not. */
int tables_get(Transaction *transaction, const char *key, Record *ret);

/* Likewise, but neither fails the transaction, unless the tables are strict. */
int tables_peek(Transaction *transaction, const char *key, Record *ret);

/* A record that was read by tables_get() in the same request is not searched again. */
int tables_put(Transaction *transaction, const char *key, const Record *record);
int tables_delete(Transaction *transaction, const char *key);

/* The revision of a change of a record. */
uint64_t tables_next_revision(Transaction *transaction);

/* Stores the fences, and has them in force. */
int tables_set_fences(Transaction *transaction, const uint32_t volumes[], size_t n);
