/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Copy source: copies an environment while it is in use, as a stream (see
 * store/copy/copy-stream.h).
 *
 * First it has the log kept from where a recovery would begin; then it reads each database page by
 * page, as it is in its place at that moment; then the log, up to where it is flushed by then. So
 * each page has all that was changed before the beginning and nothing from behind the end, and the
 * log, replayed as a whole, makes all of them what they were at the end.
 *
 * Neither the committer nor readers wait for it, but for the flush of the log that ends it. It
 * needs memory for one piece. The functions block on the disk: on a thread that may, one at a time
 * for a source. */

#include "store/copy/copy-stream.h"
#include "store/environment/environment.h"

typedef struct CopySource CopySource;

typedef struct CopySourceOptions {
        uint8_t cluster[CLUSTER_ID_SIZE];
        uint64_t rate;      /* bytes a second; 0 for no limit */
        uint64_t log_max;   /* ends it with -EFBIG if more of the log has to be kept */
        uint64_t idle_usec; /* likewise with -ESTALE, if nothing is asked of it for so long */
} CopySourceOptions;

/* Begins a copy. The environment has to outlive it, and all its databases are open and in its list
 * of members. Returns 0, -ENOSPC if there is too little room to keep the log, -EOPNOTSUPP if there
 * is more to it than databases, or another negative errno. */
int copy_source_new(Environment *environment, const CopySourceOptions *options, CopySource **ret);
CopySource *copy_source_free(CopySource *source);
DEFINE_CLEANUP(CopySource *, copy_source_free);

uint64_t copy_source_id(const CopySource *source);

/* A receiver has connected, which is at FROM: adds the head. It may have less than what was sent.
 * Returns 0, -EINVAL if it cannot be there, or another negative errno. */
int copy_source_connect(CopySource *source, CopyPosition from, Buffer *buffer);

/* Adds the next piece, or the end. Returns 1, 0 if the end was added before, or a negative errno
 * that ends the copy: what log_hold_renew() returns, or -EBADMSG for a damaged page, which
 * disk_last_damage() names. */
int copy_source_next(CopySource *source, Buffer *buffer);

/* How long to wait before the next one, for no more than the rate. */
uint64_t copy_source_pause(const CopySource *source);
