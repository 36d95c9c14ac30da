/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Backlog: entries that are decided and that the index takes later, in their order. */

#include "consensus/entry.h"

typedef struct Waiting Waiting;

struct Waiting {
        uint64_t index;
        Entry entry; /* whose data are below */
        void *proposal;
        Waiting *next;
        uint8_t data[];
};

typedef struct Backlog {
        Waiting *first, **tail;
        uint64_t size; /* of all data, in bytes */
} Backlog;

void backlog_init(Backlog *backlog);
void backlog_done(Backlog *backlog);

/* Copies an entry to the end. Returns 0 or -ENOMEM. */
int backlog_put(Backlog *backlog, uint64_t index, const Entry *entry, void *proposal);

/* Forgets the first one. */
void backlog_drop(Backlog *backlog);
