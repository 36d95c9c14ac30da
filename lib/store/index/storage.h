/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Storage of the index: how the disk below it is, what a recovery has found, and whether it still
 * makes progress. From any thread, unless it says otherwise. */

#include "store/environment/environment.h"
#include "store/index/index.h"

/* For cache_size: an eighth of the machine's memory, at least 64 MiB, at most 4 GiB. */
uint64_t index_default_cache(void);

/* What was last found damaged on this thread ("page 7 of '/var/lib/dkv/index.db'"), or "". */
const char *index_last_damage(void);

/* What the tables lie in: it knows what the recovery found, and which pages cannot be read. */
const Environment *index_environment(const Index *index);

/* Whether requests have waited for longer than this without getting anywhere. */
bool index_is_stuck(const Index *index, uint64_t timeout_usec);

/* Free bytes above the reserve, and the size of the file system. Returns 0 or a negative errno. */
int index_free_space(const Index *index, uint64_t *ret_free, uint64_t *ret_size);
