/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "store/entries/entry-record.h"

void entry_record_encode(const EntryRecord *record, Buffer *buffer) {
        buffer_put_u64(buffer, record->term);
        buffer_put(buffer, record->data, record->size);
}

int entry_record_decode(const LogEntry *entry, EntryRecord *ret) {
        Reader reader = READER(entry->data, entry->size);
        EntryRecord record = { .kind = entry->kind, .index = entry->tag };

        record.term = reader_get_u64(&reader);
        if (reader_error(&reader) < 0)
                return -EBADMSG;

        record.size = (uint32_t) reader.size;
        record.data = reader.data;
        if (!entry_record_is_entry(&record) &&
            (record.kind < RECORD_BEGIN || record.kind > RECORD_RESET))
                return -EPROTONOSUPPORT;
        if (!entry_record_is_entry(&record) && record.size > 0)
                return -EBADMSG;

        *ret = record;
        return 0;
}
