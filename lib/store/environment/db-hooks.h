/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Disk: how Berkeley DB reaches the disk, and what happens when the disk fails.
 *
 * Berkeley DB would report a failed flush once and carry on, and give up everything over one
 * damaged page. So its calls go through here: a failed write or flush is fatal to the process; a
 * page that is damaged or cannot be read fails the one call that needs it with EBADMSG (see
 * store/environment/page-files.h for what is done before). For the whole process. */

#include "base/macro.h"

/* Files of Berkeley DB whose pages are checked are named so. */
#define DATABASE_SUFFIX ".db"

bool disk_is_database(const char *name) _pure_;

/* A file of this name is ready to become the next log: full of zeroes and on the disk, so that a
 * flush of the log changes nothing but data. */
#define SPARE_LOG "spare"

/* Installs the hooks; any number of times. */
void disk_init(void);

/* Reports the failure, "Failed to WHAT 'PATH of FD'", to the handler of environment_set_fatal(). */
_noreturn_ void disk_fatal(const char *what, int fd, int error);

/* In between, a read of this thread that fails is reported to it, whatever it reads. */
void disk_tolerate_begin(void);
void disk_tolerate_end(void);

/* What environment_last_damage() is to return on this thread. */
void disk_note_damage(const char *format, ...) _printf_(1, 2);

/* A page has found no room. */
void disk_note_full(void);

/* Whether a page has ever found no room: what Berkeley DB makes of that does not tell. */
bool disk_was_full(void);

/* Flushes FD, or dies. */
void disk_flush(int fd);
