/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Wire: the bodies of calls between daemons, which are lists of many small things.
 *
 *   POST /-/store   master -> volume: confirmed versions, then objects;
 *                   answered by an errno for each object
 *   POST /-/delete  master -> volume: versions;
 *                   answered by an errno for each, 0 once it is gone for good
 *   POST /-/commit  volume -> master: commits;
 *                   answered by an errno and flags for each
 *   POST /-/settle  volume -> master: number of the volume, then versions with their keys;
 *                   answered by an empty body once all is noted
 *
 * All but the objects themselves have one field after another and no format byte: daemons of one
 * cluster speak the same version, which the report of a volume states. */

#include "base/buffer.h"
#include "base/macro.h"
#include "core/condition.h"
#include "core/record.h"

/* Changes whenever one of these bodies does; the master refuses reports with another one. */
#define WIRE_VERSION 2

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
        bool superseded;
} WireCommitResult;

void wire_put_commit_result(Buffer *buffer, const WireCommitResult *result);
WireCommitResult wire_get_commit_result(Reader *reader);

/* A negative errno or 0. */
void wire_put_error(Buffer *buffer, int error);
int wire_get_error(Reader *reader);

/* A key, with its 0 so that it can be used in place. Returns NULL if it is malformed. */
void wire_put_key(Buffer *buffer, const char *key);
const char *wire_get_key(Reader *reader);
