/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Entry record: what a log of entries consists of on the disk. Nothing in it is ever changed: that
 * entries are cut off is a record as well, so it is as durable, and as safe from being torn, as the
 * entries that come in their places.
 *
 * Each record is an entry of a segment log (store/log/entry.h): the kind says what it is, the tag
 * is an index, the data begin with a term. Each segment begins with a record that says where the
 * log was then, so that it can be read without those before it. */

#include "consensus/entry.h"
#include "store/log/entry.h"

typedef enum RecordKind {
        /* What is below is an EntryType, of an entry at the index. */
        RECORD_BEGIN = 128, /* of a segment; the log ended with this index */
        RECORD_CUT,         /* the log ends with this index again */
        RECORD_RESET,       /* the log is empty; the entry before the first has this index */
} RecordKind;

#define RECORD_TERM_SIZE 8

/* What is in an entry may be so large. */
#define RECORD_ENTRY_MAX (ENTRY_DATA_MAX - RECORD_TERM_SIZE)

typedef struct EntryRecord {
        uint8_t kind;
        uint64_t index, term;
        uint32_t size;    /* of what is in an entry */
        const void *data; /* borrowed */
} EntryRecord;

static inline bool entry_record_is_entry(const EntryRecord *record) {
        return record->kind > 0 && record->kind < _ENTRY_TYPE_MAX;
}

/* What is behind the kind and the tag; -ENOMEM as buffer_error() says. */
void entry_record_encode(const EntryRecord *record, Buffer *buffer);

/* Returns 0, -EBADMSG, or -EPROTONOSUPPORT for a kind of a later release. */
int entry_record_decode(const LogEntry *entry, EntryRecord *ret);
