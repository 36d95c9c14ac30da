/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>

#include "store/disk/disk.h"
#include "store/entries/entry-record.h"
#include "store/entries/entry-replay.h"
#include "store/log/segment.h"

static int damaged(const EntryReplay *replay, LogPosition at, const char *what) {
        char path[4096] = "", name[SEGMENT_NAME_SIZE];

        disk_path_of(replay->dir_fd, path, sizeof(path));
        segment_name(at.file, name);
        disk_note_damage("offset %" PRIu32 " of '%s/%s': %s", at.offset, path, name, what);
        return -EBADMSG;
}

/* Of the first segment the log begins where that says; all others have to fit to what was before
 * them. */
static bool begin(EntryReplay *replay, const EntryRecord *record) {
        EntryTable *table = replay->table;

        if (replay->end.file == 0)
                entry_table_reset(table, record->index, record->term);
        return record->index == entry_table_last(table) &&
               record->term == entry_table_term(table, record->index);
}

/* What is cut off may reach back before the first segment that is left: its entries were cut off as
 * well, and those that stay are in the database. */
static bool cut(EntryReplay *replay, const EntryRecord *record) {
        EntryTable *table = replay->table;

        if (record->index > entry_table_last(table))
                return false;
        entry_table_cut(table, record->index, record->term);
        return entry_table_term(table, record->index) == record->term;
}

/* Returns 1, 0 if it does not fit, or -ENOMEM. */
static int append(EntryReplay *replay, const EntryRecord *record, LogPosition at) {
        EntryTable *table = replay->table;
        uint64_t last = entry_table_last(table);
        EntrySlot slot = { record->term, at, record->size, (EntryType) record->kind };
        int r;

        if (record->index != last + 1 || record->term < entry_table_term(table, last))
                return 0;
        r = entry_table_reserve(table, 1);
        if (r < 0)
                return r;

        entry_table_append(table, &slot);
        return 1;
}

int entry_replay_step(const LogEntry *entry, LogPosition at, LogPosition behind, void *userdata) {
        EntryReplay *replay = userdata;
        bool is_first = at.file != replay->end.file;
        EntryRecord record;
        int r;

        if (entry->is_damaged)
                return damaged(replay, at, "a bad entry");
        r = entry_record_decode(entry, &record);
        if (r == -EBADMSG)
                return damaged(replay, at, "a bad record");
        if (r < 0)
                return r;
        if (is_first != (record.kind == RECORD_BEGIN))
                return damaged(replay, at, "a segment without its beginning");

        if (record.kind == RECORD_BEGIN)
                r = begin(replay, &record);
        else if (record.kind == RECORD_CUT)
                r = cut(replay, &record);
        else if (record.kind == RECORD_RESET) {
                entry_table_reset(replay->table, record.index, record.term);
                r = 1;
        } else
                r = append(replay, &record, at);
        replay->end = behind;
        if (r < 0)
                return r;
        return r > 0 ? 0 : damaged(replay, at, "a record that does not follow on the one before");
}
