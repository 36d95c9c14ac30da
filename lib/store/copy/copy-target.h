/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Copy target: receives a copy of an environment and puts it in the place of another one.
 *
 * It grows in a directory below that of the other one (see store/disk/replacement.h), which may be
 * in use meanwhile. When all of it is there its whole log is replayed and each database is
 * verified; then it is installed. Whatever happens before that, nothing has changed; whatever
 * happens after it, the next opening has the new one.
 *
 * Why the whole log: a recovery begins where the last checkpoint says, and trusts that the pages
 * have what is older. Pages that were copied before the last checkpoint of the source do not. Each
 * of them has what is older than the beginning of the copy, and there the log begins; Berkeley DB
 * replays from the first log on if it is told so (DB_RECOVER_FATAL), and leaves alone what a page
 * has already, by its LSN.
 *
 * It needs memory for one piece, and gives back what it makes the system keep of the files. The
 * functions block on the disk; one thread at a time. A disk that fails ends the process (see
 * store/disk/disk.h), one that is full does not. */

#include "store/copy/copy-stream.h"
#include "store/environment/environment.h"

typedef struct CopyTarget CopyTarget;

typedef struct CopyTargetOptions {
        EnvironmentOptions environment;   /* its directory is that of the old one, and exists */
        uint8_t cluster[CLUSTER_ID_SIZE]; /* zeroes for any */
        const char *format;
} CopyTargetOptions;

int copy_target_new(const CopyTargetOptions *options, CopyTarget **ret);

/* Removes what was received, unless it was installed. */
CopyTarget *copy_target_free(CopyTarget *target);
DEFINE_CLEANUP(CopyTarget *, copy_target_free);

/* Which copy it is, or 0 before the first head; and where the next connection has to begin. */
uint64_t copy_target_id(const CopyTarget *target);
CopyPosition copy_target_position(const CopyTarget *target);
bool copy_target_is_complete(const CopyTarget *target);

/* Another connection begins; the first one as well. */
void copy_target_connect(CopyTarget *target);

/* Takes what the connection brings. Returns 0, or why it has to be given up: what
 * copy_parser_feed() returns (-ESTALE: this target is of no use any more), -EXDEV for another
 * cluster, -EPROTONOSUPPORT for another format, -ENOSPC if there is too little room for it, or
 * another negative errno. */
int copy_target_feed(CopyTarget *target, const void *data, size_t size);

/* It is complete: replays the log and verifies the databases, which may take minutes. Once. Returns
 * 0, -EBADMSG if it is no whole copy (disk_last_damage() says what is wrong), -ENOSPC, or another
 * negative errno. */
int copy_target_recover(CopyTarget *target);

/* It is recovered: takes the place of the old one, which is closed. Returns 0, -EBUSY if somebody
 * has that open, or another negative errno. */
int copy_target_install(CopyTarget *target);
