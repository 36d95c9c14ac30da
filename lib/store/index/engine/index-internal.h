/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Index, the inside: its parts. */

#include "store/index/apply/tables.h"
#include "store/index/engine/beginning.h"
#include "store/index/engine/follow.h"
#include "store/index/engine/identity.h"
#include "store/index/engine/submit.h"
#include "store/index/engine/versions.h"

struct Index {
        Tables tables; /* owns the environment */
        Submitter submitter;
        Versions versions;
        Identity identity;
        Follow *follow; /* owned; NULL for a master alone, as is what follows */
        Beginning beginning;
};

#define INDEX_FORMAT         "index 2"
#define INDEX_FORMAT_OLDER   "index 1"
#define INDEX_FORMAT_LOADING "index loading"

/* Opens the tables, and nothing of what is kept in memory about them. OLDER may be NULL. */
int index_open_tables(
                const IndexOptions *options, const char *format, const char *older, Index **ret);
