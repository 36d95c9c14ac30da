/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Disk: what a store does when its disk fails.
 *
 * After a failed write or flush nobody knows what is on the disk, so the process ends (see
 * base/fatal.h). Damage is no reason to end: it is noted here, so that a caller that gets
 * -EBADMSG can say what is damaged. */

#include "base/macro.h"

/* Databases of Berkeley DB, whose pages are checked, are named so. */
#define DATABASE_SUFFIX ".db"

bool disk_is_database(const char *name) _pure_;

/* A full path, cut if it does not fit; "" if there is none. */
void disk_path_of(int fd, char *ret, size_t size);

/* Ends the process with the sentence "Failed to WHAT 'PATH of FD'". */
_noreturn_ void disk_fatal(const char *what, int fd, int error);

/* Flushes FD, or ends the process. */
void disk_flush(int fd);

/* What was found damaged last on this thread ("page 7 of '/var/lib/dkv/index.db'", "offset 512 of
 * '/var/lib/dkv/log.0000000003': a bad record"), or "". */
const char *disk_last_damage(void);
void disk_note_damage(const char *format, ...) _printf_(1, 2);

/* A page has found no room; and whether that has ever happened, for what Berkeley DB makes of it
 * does not tell. */
void disk_note_full(void);
bool disk_was_full(void);
