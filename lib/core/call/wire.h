/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Wire: the bodies of calls between daemons, which are lists of many small things.
 *
 *   POST /-/hello   master -> volume: its URL, if it is one of several; answered, signed, as JSON
 *   STORE           master -> volume: confirmed versions, then objects;
 *                   answered by an errno for each object
 *   DELETE          master -> volume: a number that is greater than that of the call before it,
 *                   then versions;
 *                   answered by an errno for each, 0 once it is gone for good
 *   PULL            master -> volume: confirmed versions, then objects to fetch from other volumes;
 *                   answered by an errno for each object once all of them are stored or given up
 *   POST /-/fetch   volume -> volume: versions;
 *                   answered by a head for each, and after it the object: see WireFetchHead
 *   COMMIT          volume -> master: commits;
 *                   answered by an errno and flags for each
 *   SETTLE          volume -> master: number of the volume, then versions with their keys;
 *                   answered by an empty body once all is noted
 *   DAMAGED         volume -> master: number of the volume, then copies that it found damaged;
 *                   answered by an errno for each once all is noted: 0 if there is another copy,
 *                   -EBADMSG if no good one is known, -ENOENT if the copy is not current
 *   CHECK           master -> volume: a WireCheck, then versions;
 *                   answered by an errno for each: 0 if the volume has it, as far as it looked
 *
 * Except for the objects themselves, these are fields one after another, without a format byte:
 * daemons of one cluster speak the same version, which a volume states in its report. */

#include "base/buffer.h"
#include "base/macro.h"
#include "core/call/identity.h"
#include "core/condition.h"
#include "core/damage.h"
#include "core/record.h"

/* Changes whenever one of these bodies does; the master refuses a report with another version. */
#define WIRE_VERSION 5

typedef struct WireCommit {
        const char *key; /* after wire_get_commit(): points into the data, as do the strings of the
                            record */
        Record record;
        Condition condition;
} WireCommit;

void wire_put_commit(Buffer *buffer, const WireCommit *commit);

/* Returns 0, -EBADMSG, or -EPROTONOSUPPORT. */
int wire_get_commit(Reader *reader, WireCommit *ret);

typedef struct WireCommitResult {
        int error; /* 0 or a negative errno */
        bool created;
        uint64_t revision; /* 0 with an error */
} WireCommitResult;

void wire_put_commit_result(Buffer *buffer, const WireCommitResult *result);
WireCommitResult wire_get_commit_result(Reader *reader);

/* A negative errno or 0. */
void wire_put_error(Buffer *buffer, int error);
int wire_get_error(Reader *reader);

/* A key is written with its 0, so that it can be used in place. NULL is a malformed one. */
void wire_put_key(Buffer *buffer, const char *key);
const char *wire_get_key(Reader *reader);

/* A count, then as many versions: how STORE and PULL begin. */
void wire_put_versions(Buffer *buffer, const uint64_t *versions, size_t n);

/* The second part of PULL: until when objects may be stored, where they are, and how many there
 * are. As many WirePullItem follow, and end the body. */
#define WIRE_PULL_MAX        512
#define WIRE_PULL_INLINE_MAX (16 * MIB)
#define WIRE_URL_MAX         255

typedef struct WirePullSource {
        const char *url;     /* "http://host:port"; after wire_get_pull() it points into the data */
        StoreIdentity store; /* the store that should be there; of any run */
} WirePullSource;

typedef struct WirePull {
        uint64_t deadline_usec; /* since the epoch; then -ESTALE for what is not stored yet */
        uint64_t rate;          /* bytes per second; 0 for as fast as possible */
        size_t n_sources;       /* 1 to WIRE_PULL_MAX */
        WirePullSource sources[WIRE_PULL_MAX];
        size_t n_items; /* up to WIRE_PULL_MAX */
} WirePull;

/* The answer has an errno for each: 0, also if the very same object was there already; -EBADMSG
 * if the source's copy is damaged or another object, -ENOENT if it has none; -EEXIST if the version
 * is taken here by something else, or by a damaged copy that is not to be replaced; -EIO and others
 * if the target cannot store it; -ENOSPC; -ESTALE; -EAGAIN if it was deleted or settled meanwhile;
 * and what a call may end with, -EHOSTDOWN, -ECONNRESET, -ETIMEDOUT. An object that is there is
 * pending when the answer is sent, until it is confirmed. */
typedef struct WirePullItem {
        uint64_t version;
        uint64_t size; /* of the value */
        size_t source; /* in WirePull.sources */
        bool replace;  /* replaces a damaged copy, once there is a good one */
        const char *key;
} WirePullItem;

void wire_put_pull(Buffer *buffer, const WirePull *pull);
void wire_put_pull_item(Buffer *buffer, const WirePullItem *item);

/* Return 0 or -EBADMSG. */
int wire_get_pull(Reader *reader, WirePull *ret);
int wire_get_pull_item(Reader *reader, size_t n_sources, WirePullItem *ret);

/* Before each object of the answer of /-/fetch. What follows it is the object as object_encode()
 * writes one that is not inline, and then its value; neither, if there is an error. */
typedef struct WireFetchHead {
        uint64_t version;
        int error; /* 0 or a negative errno */
        uint32_t object_size;
        uint64_t value_size;
} WireFetchHead;

#define WIRE_FETCH_MAX       512
#define WIRE_FETCH_HEAD_SIZE 24
#define WIRE_OBJECT_MAX      (16 * KIB) /* of the object without its value */

void wire_put_fetch_head(Buffer *buffer, const WireFetchHead *head);

/* Returns 0 or -EBADMSG. */
int wire_get_fetch_head(Reader *reader, WireFetchHead *ret);

/* A copy that a volume found damaged. */
typedef struct WireDamage {
        uint64_t version;
        const char *key; /* after wire_get_damage(): points into the data */
        DamageKind kind;
} WireDamage;

#define WIRE_DAMAGE_MAX 1024

void wire_put_damage(Buffer *buffer, const WireDamage *damage);

/* Returns 0 or -EBADMSG. */
int wire_get_damage(Reader *reader, WireDamage *ret);

/* How closely CHECK looks. */
typedef enum WireCheck {
        WIRE_CHECK_PRESENT, /* there is a record, and a file of the right size if it says so */
        WIRE_CHECK_WHOLE,   /* the whole value is read, and what is found is told to the master */
        _WIRE_CHECK_MAX,
} WireCheck;

#define WIRE_CHECK_VERSIONS_MAX 4096
