/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Double write: pages go to a file of their own, many at once and flushed, before they go to their
 * places. If power is lost while they are written in place, and one is torn, the next start finds
 * it here. Until a page is in its place it is read from memory.
 *
 * The file is a ring, written from its beginning again when it is full; before that, all databases
 * are flushed. For any number of threads. */

#include "store/disk/page-file.h"

#define DOUBLE_WRITE_FILE "pages"

typedef struct DoubleWrite DoubleWrite;

/* Opens the file, or makes it with SIZE bytes, and repairs pages that are torn in their places.
 * Returns 0 or a negative errno. RET_REPAIRED: how many pages there were. */
int double_write_new(int dir_fd, uint64_t size, unsigned *ret_repaired, DoubleWrite **ret);

/* Everything has to be written. */
DoubleWrite *double_write_free(DoubleWrite *double_write);

/* A database that is flushed when the ring is full. */
void double_write_add(DoubleWrite *double_write, PageFile *file);

/* Takes a page that is going to be written. Returns 0, or -ENOSPC if pages before it find no room
 * in their places. Another error of the disk is fatal. */
int double_write_put(
                DoubleWrite *double_write,
                PageFile *file,
                uint32_t number,
                const uint8_t page[static PAGE_SIZE]);

/* Whether the page is one that is not in its place yet. */
bool double_write_get(
                DoubleWrite *double_write,
                const PageFile *file,
                uint32_t number,
                uint8_t ret_page[static PAGE_SIZE]);

/* Brings all pages to their places, without a flush there. Returns 0 or -ENOSPC. */
int double_write_drain(DoubleWrite *double_write);
