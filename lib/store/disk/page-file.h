/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Page file: a database of Berkeley DB as far as its pages go to the disk and come back.
 *
 * A loss of power may tear a page that is written: some of its sectors are new and some old. What
 * is in the log is of no use without a whole page to begin with. So a page that was on the disk
 * before is written to another file first (see store/disk/double-write.h). A page that is
 * new there need not be: the log knows all that was ever in it.
 *
 * The pages that lead to the others, the first two and all branches, have a second copy in the file
 * NAME.mirror, at the same place, with all bits inverted: without them a single bad sector would
 * make many others unreachable. */

#include <pthread.h>

#include "base/macro.h"
#include "store/format/page.h"

/* In the place of DATABASE_SUFFIX. */
#define MIRROR_SUFFIX ".mirror"

typedef struct PageFile {
        char name[32];
        struct PageFiles *owner; /* not owned */
        int dir_fd;              /* not owned */
        int fd;
        int mirror_fd;
        _Atomic(uint32_t) extent; /* pages that were there when its last flush began */
        _Atomic(uint64_t) n_written,
                        n_flushed; /* pages, and how many are known to be on the disk */
        _Atomic(uint64_t) n_mirror_written, n_mirror_flushed; /* the same of the mirror */

        pthread_mutex_t growth; /* held while a page behind the extent is written */

        pthread_mutex_t lock; /* for what follows */
        uint8_t *mirrored;    /* a bit for each page that the mirror has */
        uint32_t n_mirrored;  /* bits that there is room for */
} PageFile;

/* Opens a database that is in the directory. WAS_CLOSED: what its mirror has is what it has; else
 * the two are compared. Returns 0 or a negative errno. */
int page_file_new(int dir_fd, const char *name, bool was_closed, PageFile **ret);

/* Flushes the mirror and closes both. */
PageFile *page_file_free(PageFile *file);

/* Opens it again if another file has this name now. FD has that file open. */
int page_file_follow(PageFile *file, int fd);

/* Writes a page in place, and to the mirror if it belongs there or was there. Returns 0, or -ENOSPC
 * if there is no room for it; another error of the disk is fatal. */
int page_file_write(PageFile *file, uint32_t number, const uint8_t page[static PAGE_SIZE]);

/* The same, if no flush has brought the page to the disk or begun to. Returns 1 if it was written,
 * 0 if it was not, for it could be torn, or -ENOSPC. */
int page_file_write_new(PageFile *file, uint32_t number, const uint8_t page[static PAGE_SIZE]);

bool page_file_has_mirror(PageFile *file, uint32_t number);

/* Reads a page from the mirror. Returns whether it is there and sound. */
bool page_file_read_mirror(PageFile *file, uint32_t number, uint8_t ret_page[static PAGE_SIZE]);

/* Flushes the database. Not the mirror: if its end comes without page_file_free(), the two are
 * compared. */
void page_file_flush(PageFile *file);

/* Flushes the mirror, too, with each checkpoint: when the page itself is damaged there is nothing
 * to compare with, and the log goes on from what there was at the last checkpoint. */
void page_file_flush_mirror(PageFile *file);

/* Whether a page was written that may not be on the disk. */
bool page_file_is_dirty(const PageFile *file);
