/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Page: the check of one page of a Berkeley DB file with DB_CHKSUM.
 *
 * Berkeley DB checks each page itself, but its answer to a mismatch is to give up the whole
 * environment. We look first, so that it never meets a damaged page (see
 * store/disk/db-hooks.h). */

#include "base/macro.h"

#define PAGE_SIZE (4 * KIB)

/* The checksum that Berkeley DB uses everywhere: h = 33 * h + byte for each byte. */
uint32_t page_hash(const uint8_t *data, size_t size) _pure_;

/* Whether the checksum of the page is right and the page belongs at this place in the file. A page
 * that was never written is sound: it reads as a hole. */
bool page_is_sound(const uint8_t page[static PAGE_SIZE], uint32_t number) _pure_;

/* A page that was never written. */
bool page_is_hole(const uint8_t page[static PAGE_SIZE]) _pure_;

/* Whether other pages are found by this one: meta page, root or branch. */
#define PAGES_ALWAYS_LEADING 2

bool page_leads(const uint8_t page[static PAGE_SIZE], uint32_t number) _pure_;

/* Makes an empty page that no record of the log applies to: Berkeley DB takes its LSN for that of a
 * change that was not logged. */
void page_make_unlogged(uint32_t number, uint8_t ret_page[static PAGE_SIZE]);

/* Makes a page one that is not sound, whatever it is, with most of it as it was. */
void page_spoil(uint8_t page[static PAGE_SIZE]);

/* What the meta page, page 0, says about the whole file. */
typedef struct PageExtent {
        uint64_t size; /* in bytes, with pages that are only in the cache yet */
        bool has_free; /* some of them are not in use */
} PageExtent;

PageExtent page_extent(const uint8_t meta[static PAGE_SIZE]) _pure_;
