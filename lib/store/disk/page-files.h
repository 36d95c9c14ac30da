/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Page files: the databases of an environment, with the double write that protects their pages, and
 * what becomes of a page that is damaged all the same.
 *
 * A damaged page that leads to others is taken from the mirror. During a recovery, one that the log
 * knows from its allocation on is read as one that was never written; the log fills it. Any other
 * is read as an empty one then, which no record applies to; it is not written, and what needs it
 * when the environment is opened again gets -EBADMSG. */

#include "store/disk/page-file.h"

typedef struct PageFiles PageFiles;

/* Puts torn pages right. DIRECTORY is how Berkeley DB calls it, DIR_FD stays the caller's. Returns
 * 0 or a negative errno. */
int page_files_new(
                int dir_fd,
                const char *directory,
                uint64_t ring_size,
                bool was_closed,
                PageFiles **ret);

/* All databases are closed. */
PageFiles *page_files_free(PageFiles *files);

/* Checks the first page of each database, which Berkeley DB reads in its own ways when it opens
 * one. Returns 0, -EBADMSG, or another negative errno. */
int page_files_check(PageFiles *files);

/* While Berkeley DB recovers. IS_ALLOCATED says whether the log knows all of a page. Returns, when
 * it is over (NULL), how many pages it has read as empty ones: then what it has in memory is not
 * what is there, and the environment has to be opened again. */
typedef bool (*PageIsAllocated)(const char *name, uint32_t number, const void *userdata);

unsigned page_files_recover(PageFiles *files, PageIsAllocated is_allocated, const void *userdata);

/* How many damaged pages have been met, and how many were put right since the start. */
unsigned page_files_damaged(PageFiles *files);
unsigned page_files_repaired(PageFiles *files);

/* Names one of them. Returns false if there is no such page. */
bool page_files_name_damaged(PageFiles *files, unsigned i, char *ret, size_t size);

/* Of the environment that has this path in its directory. NULL if there is none or if it is no
 * database. FD is open. Returns 0 or a negative errno. */
int page_files_find(const char *path, int fd, PageFile **ret);

/* Reads a page; Berkeley DB always wants all of it. Returns how many bytes there are, -EBADMSG if
 * it is damaged or cannot be read, or -EINTR. */
ssize_t page_files_read(PageFile *file, uint32_t number, uint8_t ret_page[static PAGE_SIZE]);

/* Reads N pages from page FIRST on as they are in their places, for somebody who copies the
 * database while Berkeley DB has it open. One that is being written is waited for. Repairs nothing,
 * and leaves no more of the file in memory than there was. Returns how many there are, fewer where
 * the file ends; -EBADMSG (disk_last_damage() names the page), or another negative errno. From any
 * thread, while no database is opened. */
int page_files_copy(PageFiles *files, const char *name, uint32_t first, uint32_t n, uint8_t *ret);

/* Returns 0 or -ENOSPC. */
int page_files_write(PageFile *file, uint32_t number, const uint8_t page[static PAGE_SIZE]);
int page_files_flush(PageFile *file);
