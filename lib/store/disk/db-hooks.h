/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Hooks of Berkeley DB: how it reaches the disk.
 *
 * By itself it would report a failed flush once and carry on, and give up everything over one
 * damaged page. So its system calls go through here: a failed write or flush ends the process (see
 * store/disk/disk.h); a page that is damaged or cannot be read fails only the call that needs it,
 * with EBADMSG (store/disk/page-files.h says what is tried before). For the whole process. */

#include <sys/stat.h>

#include "base/macro.h"

/* A file of this name is ready to become the next log: full of zeroes and on the disk, so that a
 * flush of the log changes nothing but data. */
#define SPARE_LOG "spare"

/* Installs them; any number of times. */
void db_hooks_install(void);

/* In between, a read of this thread that fails is reported to it, whatever it reads; otherwise a
 * failed read of anything but a page ends the process. */
void db_hooks_tolerate_begin(void);
void db_hooks_tolerate_end(void);

/* In between, the file ST appears to this thread to end at END, behind which it has nothing but
 * zeroes: so a recovery does not fill the rest of a log with zeroes that are there. */
void db_hooks_shorten_begin(const struct stat *st, uint64_t end);
void db_hooks_shorten_end(void);
