/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Storage of the index: how the disk below it is, what a recovery has found, and whether it still
 * gets on with its work. From any thread, unless it says otherwise. */

#include "store/index/index.h"

/* For cache_size: an eighth of the machine's memory, at least 64 MiB, at most 4 GiB. */
uint64_t index_default_cache(void);

/* Which file was missing when index_open() returned -ENOMEDIUM on this thread, or "". */
const char *index_missing(void);

/* What was last found damaged on this thread ("page 7 of '/var/lib/dkv/index.db'"), or "". */
const char *index_last_damage(void);

/* Whether the last run ended without closing the index. */
bool index_was_recovered(const Index *index);

/* How many pages are known to be damaged, so that what is in them cannot be read, and how many were
 * repaired since the index was opened. */
unsigned index_damaged_pages(const Index *index);
unsigned index_repaired_pages(const Index *index);

/* Names the damaged page number I, counted from 0: "page 7 of '/var/lib/dkv/index.db'". Returns
 * false if there is no such page. */
bool index_damaged_page(const Index *index, unsigned i, char *ret, size_t size);

/* Whether requests have waited for longer than this without getting anywhere. */
bool index_is_stuck(const Index *index, uint64_t timeout_usec);

/* Free bytes above the reserve, and the size of the file system. Returns 0 or a negative errno. */
int index_free_space(const Index *index, uint64_t *ret_free, uint64_t *ret_size);
