/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Group: an index that is one of several, which the entries of a replicated log keep alike.
 *
 * Whose log that is, the index does not know. Who leads has its requests proposed, many in an
 * entry; each member applies the entries that are decided, in order, and with them how far it has
 * come, in one transaction. Nothing is flushed for that: what a crash takes back comes again from
 * the log. Readers see what is applied at once, since it is on the disks of a majority.
 *
 * An entry is for one term, that of the leader who has made it. Decided in any other term it does
 * nothing, on no member: so nobody writes on who has lost the lead for a moment without noticing.
 *
 * What an entry does depends on its bytes and on the tables alone. If the disk of this machine is
 * full, or there is no memory, the index waits and tries again; if it is damaged or fails, nothing
 * more is applied, and on_broken() says so: then the database must be fetched from a member that
 * is well. A request is never refused for what is wrong with one machine.
 *
 * Opening a member returns what index_open() does, but creates and upgrades nothing: -ENOENT if the
 * directory is empty, -EXDEV for an index of no group, -EPROTONOSUPPORT for an older format. Before
 * index_free() all that was proposed was told, and then propose() takes nothing more.
 *
 * A member of a group writes nothing of its own: no term begins when it is opened, and none ends.
 * Until it leads, each request is answered with INDEX_NOT_LEADER, index_identity() has a cluster
 * and neither term nor leader, index_next_version() is 0, and index_version_end() says how far the
 * versions had come when it was opened. It leads once, until it is freed: what is undecided when
 * the lead is lost gets INDEX_UNKNOWN, what comes later INDEX_NOT_LEADER. index_accept_rollback()
 * is refused with -EOPNOTSUPP, a request that is larger than an entry with -EFBIG, and one that
 * other members could not read, since there is something in it that can be in none, with -EINVAL.
 */

#include "consensus/update.h"
#include "core/checksum.h"
#include "store/index/index.h"

/* How the index reaches the log. What it points to is copied. */
typedef struct IndexGroup {
        /* Proposes an entry. It takes the bytes over on success, and then one of index_decided()
         * and index_refused() follows with the PROPOSAL, exactly once. What it returns otherwise
         * means what it means to index_refused(). Thread: any, the committer's among them. */
        int (*propose)(Buffer *entry, void *proposal, void *userdata);

        /* index_decided() has returned -EAGAIN, and takes entries again. Thread: the committer's,
         * once or more. */
        void (*on_ready)(void *userdata);

        /* Nothing more is applied. -EBADMSG for damage here, an entry that cannot be read or that
         * does not follow on the last one, or what else the disk says. Thread: the committer's,
         * once. */
        void (*on_broken)(int error, void *userdata);
        void *userdata;
} IndexGroup;

/* The next entry is decided; PROPOSAL is what propose() was given with it in this process, or NULL.
 * The entry is good during the call. Returns 0, or -EAGAIN if too much waits to be applied, which
 * on_ready() says the end of, or -ENOMEM: in both cases this entry has to come once more. One with
 * a proposal never gets -EAGAIN. Never waits. Thread: one, the log's. */
int index_decided(Index *index, uint64_t entry_index, const Entry *entry, void *proposal);

/* The log does not tell what becomes of a proposal. -EINPROGRESS: it may be decided or not; its
 * requests get INDEX_UNKNOWN. All others: it is in no log; -EAGAIN and -EBUSY are answered with
 * -EAGAIN (too much waits, or the lead is being handed over), -EFBIG and -ENOMEM as such, the rest
 * with INDEX_NOT_LEADER, and then the lead is over. Thread: any. */
void index_refused(Index *index, void *proposal, int error);

/* This member leads, in this TERM of the log, which becomes that of the index. May be called before
 * the entries of earlier terms are decided; proposes the first entry of the index. When that is
 * applied, a leader id and versions are in force, and done() is told INDEX_DONE; else why nothing
 * comes of it, and it may be called again for a later term. Thread: any, and DONE is on the
 * committer's. Returns 0; -EALREADY if it leads, has led or is about to; -ENOMEM. */
int index_begin_to_lead(
                Index *index,
                uint64_t term,
                void (*done)(IndexResult result, void *userdata),
                void *userdata);

/* The lead is lost: from now on nothing is proposed. Needs not be told, but is sooner known so.
 * Thread: any. */
void index_end_lead(Index *index);

/* How far the tables have come; and up to which entry that is on the disk here, so that the log
 * need not keep it. That follows by itself, as entries are applied, but not while there are none.
 * Thread: any. */
void index_applied(Index *index, ConsensusApplied *ret, uint64_t *ret_on_disk);

/* All that is applied is on the disk. Waits for the committer: never on a server thread, nor on the
 * log's. */
void index_sync(Index *index);

/* The index, which was opened alone, becomes that of a member of a group of these. Its first entry
 * is applied then, in the term of the index; no log has it, so that every other member begins with
 * a copy of the database. Once the index is freed it can be opened with a group, and only so. Waits
 * for the committer. Returns 0, -EEXIST if it is one already, -EINVAL for what can be no group, or
 * another negative errno. */
int index_found_group(Index *index, const Members *members);

/* The index is that of a master alone again, once it is freed. Nothing more may be decided. Waits
 * for the committer. Returns 0, -ENOENT if it is in no group, or another negative errno. */
int index_dissolve_group(Index *index);

/* A checksum of all tables, which is the same on all members that have applied the same entries;
 * RET_ENTRY is the last one, or 0 for an index of no group. Reads everything. Returns 0 or a
 * negative errno. */
int index_hash(Index *index, Checksum *ret, uint64_t *ret_entry);
