/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Dump, the inside: the form of the stream, which dump.c writes and load.c reads. */

#include "store/index/dump.h"
#include "store/index/engine/index-internal.h"

/* With the 0 at its end; the last character is the version of the form. */
#define DUMP_MAGIC "dkv-index-1"

/* In the order of the stream; the numbers are in it. */
typedef enum DumpTable {
        DUMP_END,
        DUMP_RECORDS,
        DUMP_GARBAGE,
        DUMP_SURPLUS,
        DUMP_DAMAGES,
        DUMP_STATE,
        _DUMP_TABLE_MAX,
} DumpTable;

/* What is written or read at once, about. */
#define DUMP_PIECE (256 * KIB)

#define DUMP_FORMAT_STATE ".format"

/* NULL for what is no table. */
DB *dump_table(const Index *index, DumpTable table);

/* Whether such an entry is in a stream: the format belongs to the environment. */
bool dump_has(DumpTable table, const void *key, size_t size);
