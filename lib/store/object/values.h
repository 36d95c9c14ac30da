/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Values: the log in which an object store has its objects, and what the database knows of it.
 *
 * What a batch stores is appended to the log, durably, before the database is changed; so the
 * database never leads to an entry that is not there, and need not be flushed for it. It knows up
 * to where the entries are applied. What lies behind that is applied again when the store is
 * opened, as it was the first time. */

#include <stdatomic.h>

#include "core/record.h"
#include "store/environment/database.h"
#include "store/log/segment-log.h"
#include "store/value/item.h"
#include "store/value/lives.h"

#define VALUES_DIRECTORY "values"

/* The kinds of entries; the tag is the version, and that of VALUE_REACH the revision. */
typedef enum ValueKind {
        VALUE_PUT = 1,
        VALUE_REPLACE = 2, /* an object in the place of another one, which is damaged */
        VALUE_MOVED = 3,   /* from another segment; applying it again would change nothing */
        VALUE_REACH = 4,   /* see store/object/reach.h */
} ValueKind;

/* An object as bytes. */
typedef struct Encoded {
        const uint8_t *data;
        size_t size;
} Encoded;

typedef struct Values {
        SegmentLog *log;
        int dir_fd;
        uint64_t id; /* of the log */
        Lives lives;

        /* The committer's: */
        LogPosition applied;  /* behind the last entry that is; in the current transaction */
        LogPosition stored;   /* the same, when the last transaction was committed */
        bool is_batch_logged; /* the current batch is not flushed in the database */
        Buffer item;
        Room room;

        _Atomic(uint32_t) needed; /* the lowest segment that a recovery needs */
        atomic_bool is_rolling;   /* the next batch begins a new segment */
} Values;

void values_init(Values *values);
void values_done(Values *values);

/* Opens the log, or begins it in a store that has none yet, and goes through the entries that are
 * not applied. Returns 0, or what segment_log_open() does. */
int values_open(Values *values,
                Environment *environment,
                SegmentLogOnEntry on_entry,
                void *userdata);

/* Reads the encoded object that ITEM leads to into SCRATCH. Its value may be damaged, as the
 * object's own checksums tell. Returns 0, -ENODATA, -EBADMSG, or why it cannot be read. */
int values_read(Values *values, uint64_t version, const Item *item, Buffer *scratch, Encoded *ret);

/* In a transaction: an entry at this position, of SIZE bytes, was applied. */
void values_note_applied(Values *values, LogPosition at, size_t size);

/* For the hooks of the environment. */
int values_save(Values *values, Transaction *transaction);
void values_ended(Values *values, bool committed);
void values_flushed(Values *values);
