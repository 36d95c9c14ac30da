/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Entry: what the log is made of. The numbers of the types are on disks and in messages. */

#include "base/macro.h"

typedef enum EntryType {
        ENTRY_REQUESTS = 1, /* a batch of requests, bytes that mean nothing here */
        ENTRY_NOTHING,      /* with which a leader begins its term */
        ENTRY_MEMBERS,      /* a set of members, in force as soon as it is in a log */
        _ENTRY_TYPE_MAX,
} EntryType;

/* What is in an entry is no larger; with a head it is 4 MiB on the disk. */
#define ENTRY_SIZE_MAX (4 * MIB - 8)

typedef struct Entry {
        uint64_t term;
        EntryType type;
        uint32_t size;
        const void *data; /* not owned */
} Entry;
