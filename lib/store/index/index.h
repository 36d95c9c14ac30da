/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Index: which version of a key is current and which volumes hold it; the master's memory.
 *
 * Hides Berkeley DB. Reads run on any thread and see what is committed; changes are operations for
 * the committer (see store/environment/environment.h), durable when done() is called. What changes
 * together changes in one transaction: a record, the counters, and the copies that thereby became
 * garbage. The order of writes is that of their commits, whatever their versions: each is decided
 * against what is current then, and gets the next revision.
 *
 * Garbage is a copy that no record names any more, with the time from which on its volume may
 * delete it. The garbage table is the only way in which an object is ever deleted.
 *
 * A commit may come more than once: a ticket is used again, a request repeated on its way. No
 * record may name copies that are about to be deleted, so a version is dead, and its commit
 * refused, from when a copy of it becomes garbage until the last one is deleted and its fence has
 * fallen: an entry of the table without a copy, for as long as an older commit may be under way. A
 * version without a ticket is committed but once, by the master; it is dead only behind the fence
 * that is put up when a volume gives it up. Dead versions are kept in memory, too. */

#include "base/buffer.h"
#include "core/condition.h"
#include "core/record.h"
#include "store/environment/environment.h"

typedef struct Index Index;

/* Opens or creates the index, after recovery. Returns 0, -EPROTONOSUPPORT for an index of an
 * unknown format, -EBADMSG for a damaged one, or another negative errno. */
int index_open(const EnvironmentOptions *options, Index **ret);

/* Waits for what was submitted, makes a checkpoint, closes. */
Index *index_free(Index *index);
DEFINE_CLEANUP(Index *, index_free);

Environment *index_environment(Index *index);

/* Looks a key up. The strings of RET point into SCRATCH, which is reused. Returns 0, -ENOENT,
 * -EBADMSG for a damaged record or page, -EPROTONOSUPPORT. */
int index_get(Index *index, const char *key, Buffer *scratch, Record *ret);

/* Calls on_entry() for up to LIMIT keys that start with PREFIX and come after AFTER (byte order; ""
 * for all from the start), until it returns non-zero. It runs under the index's read lock: it
 * copies and returns. Returns what on_entry() returned last, 0 at the end, or a negative errno. */
int index_scan(Index *index,
               const char *prefix,
               const char *after,
               size_t limit,
               int (*on_entry)(const char *key, const Record *record, void *userdata),
               void *userdata);

typedef struct IndexCounters {
        uint64_t keys;
        uint64_t bytes;   /* of the values, each counted once */
        uint64_t garbage; /* copies that wait for their deletion */
} IndexCounters;

void index_counters(Index *index, IndexCounters *ret);

/* The lowest bit of a version: whether it was given out with a ticket. */
typedef enum VersionUse { VERSION_DIRECT, VERSION_TICKET } VersionUse;

/* A version for a new write: greater than all before, also across crashes. Takes no system call but
 * once in a million. */
uint64_t index_next_version(Index *index, VersionUse use);

/* Makes a stored version current. */
typedef struct IndexCommit {
        Operation operation; /* .done is the caller's to set, .apply is not */
        const char *key;     /* these four are inputs and stay the caller's until done() */
        Record record;
        Condition condition;
        uint64_t garbage_due_usec; /* for the copies that are replaced; since the epoch */

        bool created;      /* output: there was no such key */
        uint64_t revision; /* output: of this commit, 0 if it failed */
} IndexCommit;

/* Result: 0, -ECANCELED or -EEXIST if the condition does not hold, -ESTALE if the version is dead;
 * with these the copies became garbage. A commit of what is current already gets the answer of the
 * first one. A damaged record is replaced, and the copies that it named stay behind on their
 * volumes; but where there is a condition, or the page cannot be read, the result is -EBADMSG. */
void index_commit(Index *index, IndexCommit *commit);

typedef struct IndexDelete {
        Operation operation;
        const char *key;
        Condition condition;
        uint64_t garbage_due_usec;
} IndexDelete;

/* Result: 0, -ENOENT, -ECANCELED, or -EBADMSG like index_commit(). */
void index_delete(Index *index, IndexDelete *deletion);

/* Copies that were stored but whose write failed or was never heard of again. */
typedef struct IndexSettleItem {
        uint64_t version;
        const char *key;
        bool current; /* output: the key's record names this very copy */
} IndexSettleItem;

/* Decides about copies on VOLUME: those that are not current become garbage, and their versions
 * will never be committed. */
typedef struct IndexSettle {
        Operation operation;
        uint32_t volume;
        IndexSettleItem *items;
        size_t n_items;
        uint64_t garbage_due_usec;
        uint64_t fence_due_usec;
} IndexSettle;

void index_settle(Index *index, IndexSettle *settle);

typedef struct Garbage {
        uint64_t due_usec;
        uint64_t version;
} Garbage;

/* In the place of a volume: the fences. */
#define INDEX_FENCES 0

/* Reads up to MAX pieces of garbage of VOLUME that are due at DUE_USEC. Returns how many, or a
 * negative errno if not even the first can be read. */
int index_garbage(Index *index, uint32_t volume, uint64_t due_usec, Garbage *ret, size_t max);

/* Forgets the first N_GONE items, which VOLUME has deleted; it has failed to delete the rest, which
 * will be due again later. */
typedef struct IndexCollected {
        Operation operation;
        uint32_t volume;
        const Garbage *items;
        size_t n_gone, n_items;
        uint64_t again_due_usec; /* for the rest */
        uint64_t fence_due_usec; /* for versions of which this was the last copy */
} IndexCollected;

void index_collected(Index *index, IndexCollected *collected);

/* Named blobs of the master's state that live and recover with the index: the cluster map, jobs. */
typedef struct IndexSet {
        Operation operation;
        const char *name;
        const void *data; /* NULL deletes */
        size_t size;
} IndexSet;

void index_set(Index *index, IndexSet *set);
int index_get_state(Index *index, const char *name, Buffer *ret);
