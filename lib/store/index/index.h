/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Index: which version of a key is current and which volumes hold it; the master's memory.
 *
 * This is a contract: what keeps the tables, and on how many machines, is not seen from here. Reads
 * run on any thread. Every change is a request: it is submitted, carried out in one transaction
 * (a record, the counters, and the copies that became garbage change together), and
 * answered when its outcome is known. Requests of one thread are carried out in the order in which
 * they were submitted. The order of writes is that of their commits, whatever their versions: each
 * is decided against what is current then, and gets the next revision.
 *
 * Garbage is a copy that no record names any more, with the time from which on its volume may
 * delete it. The garbage table is the only way in which an object is ever deleted.
 *
 * A commit can arrive twice: a ticket is used again, or a request is repeated. To keep records from
 * naming copies that are about to be deleted, a version is dead (its commits are refused) from the
 * moment its first copy becomes garbage until its last copy is deleted and its tombstone has
 * expired. A tombstone is an entry of the garbage table without a copy; it lasts as long as an
 * older commit may still be on its way. A version without a ticket is committed only once, by the
 * master; it is dead only behind the tombstone that is set when a volume gives it up. More of
 * the contract: wait.h, garbage.h, move.h, damage.h, identity.h, rollback.h, storage.h. */

#include "base/buffer.h"
#include "core/condition.h"
#include "core/record.h"

typedef struct Index Index;
typedef struct IndexRequest IndexRequest;

typedef struct IndexOptions {
        const char *directory;    /* must exist */
        uint64_t cache_size;      /* in bytes; 0 for the least that works */
        uint64_t log_size;        /* of one file of the log; 0 for what suits the file system */
        uint64_t checkpoint_size; /* bytes of log after which a checkpoint is made; 0 likewise */
        uint64_t reserve_size;    /* free space below which requests that need room get -ENOSPC */
        const struct IndexGroup *group; /* see group.h; NULL for a master alone */

        /* On the committer's thread, before and after the answers to a batch; optional. */
        void (*before_done)(void);
        void (*after_done)(void);

        /* About once a second while a recovery takes long, on the opener's thread; optional. */
        void (*on_progress)(unsigned percent);
} IndexOptions;

/* Opens or creates the index, after recovery. Returns 0, -EBUSY if another process has it open,
 * -EPROTONOSUPPORT for an unknown format, -EBADMSG if it is damaged, -ENOMEDIUM if a file is
 * missing, -EXDEV if it belongs to a group and .group is NULL, or another negative errno. */
int index_open(const IndexOptions *options, Index **ret);
Index *index_free(Index *index);
DEFINE_CLEANUP(Index *, index_free);

/* What became of a request. */
typedef enum IndexOutcome {
        INDEX_DONE,       /* it is durable */
        INDEX_REFUSED,    /* it changed nothing but what its description says; never will */
        INDEX_UNKNOWN,    /* it may have been carried out, or may yet be */
        INDEX_NOT_LEADER, /* it was not carried out, for this master does not lead */
} IndexOutcome;

typedef struct IndexResult {
        IndexOutcome outcome;
        int error; /* 0 if done, INDEX_ERROR_UNKNOWN, -EOWNERDEAD if not leader, else the reason */
} IndexResult;

#define INDEX_ERROR_UNKNOWN (-ECOMM)

/* Embedded in each kind of request. What a request points to must not change until done(). */
struct IndexRequest {
        /* On the committer's thread; the request is the caller's again. Must not block. */
        void (*done)(IndexRequest *request, IndexResult result);

        /* private */
        uint8_t type;
        bool has_room;     /* there was room for what grows, when the batch was collected */
        uint64_t now_usec; /* the time then */
        union {
                uint8_t bytes[32];
                void *align;
        } carrier;
};

/* Looks a key up. What it finds is durable: it waits for the flush of a change that is under way.
 * The strings of RET point into SCRATCH, which is reused. Returns 0, -ENOENT, -EBADMSG for a
 * damaged record or page, -EPROTONOSUPPORT. */
int index_get(Index *index, const char *key, Buffer *scratch, Record *ret);

/* Calls on_entry() for up to LIMIT keys that start with PREFIX and come after AFTER (byte order; ""
 * for all), until it returns non-zero. It may run under the index's read lock: it only copies; what
 * it saw is durable when this returns what it returned last, 0 at the end, or a negative errno. */
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

/* For a new write: greater than all before, also across crashes. 0 for who leads no longer. */
uint64_t index_next_version(Index *index, VersionUse use);

typedef struct IndexCommit {
        IndexRequest request;
        const char *key;
        Record record;
        Condition condition;
        uint64_t garbage_due_usec; /* for the copies that are replaced; since the epoch */

        bool created;      /* output: there was no such key */
        uint64_t revision; /* output: of this commit, also if it is unknown; 0 if it failed */
} IndexCommit;

/* Makes a stored version current. Refused with -ECANCELED or -EEXIST if the condition does not
 * hold, -ESTALE if the version is dead or names a fenced volume, -ENOSPC: the copies became
 * garbage. A commit of what is current already gets the answer of the first one. A damaged record
 * is replaced, and the copies that it named stay on their volumes; but if there is a condition, or
 * the page cannot be read, it is -EBADMSG. */
void index_commit(Index *index, IndexCommit *commit);

typedef struct IndexDelete {
        IndexRequest request;
        const char *key;
        Condition condition;
        uint64_t garbage_due_usec;
} IndexDelete;

/* Refused with -ENOENT, -ECANCELED, or -EBADMSG as above. */
void index_delete(Index *index, IndexDelete *deletion);

/* Named blobs of the master's state: the cluster map, jobs. Names in ".…" are the index's own. */
typedef struct IndexSet {
        IndexRequest request;
        const char *name;
        const void *data; /* NULL deletes */
        size_t size;
} IndexSet;

void index_set(Index *index, IndexSet *set);
int index_get_state(Index *index, const char *name, Buffer *ret);
