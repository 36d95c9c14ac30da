/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "base/mutant.h"
#include "store/disk/disk.h"
#include "store/disk/members.h"
#include "store/entries/entry-log.h"
#include "store/entries/entry-record.h"
#include "store/entries/entry-replay.h"
#include "store/entries/entry-table.h"
#include "store/entries/vote-file.h"
#include "store/log/segment-files.h"
#include "store/log/segment-log.h"
#include "store/log/segment.h"

static_assert(ENTRY_SIZE_MAX == RECORD_ENTRY_MAX);

struct EntryLog {
        EntryLogOptions options;
        Vote vote;
        int mark_fd;
        LogPosition flushed;  /* behind the last record; what the mark says, or will */
        SegmentLog *segments; /* owned */
        uint32_t removed;     /* a segment whose name may still be there; 0 for none */
        Buffer scratch;
        LogPosition *staged; /* owned; where the entries of the writes under way will be */
        Entry *loaded;       /* owned; what entry_log_load() gave out */
        Buffer loaded_data;

        pthread_mutex_t lock;
        EntryTable table; /* with the lock, but for reading by the thread that writes */
};

/* Segments */

static int count_segments(int dir_fd, size_t *ret) {
        SegmentFiles files;
        int r;

        r = segment_files_init(&files, dir_fd);
        *ret = files.n;
        segment_files_done(&files);
        return r;
}

static int remove_segments(int dir_fd) {
        SegmentFiles files;
        int r;

        r = segment_files_init(&files, dir_fd);
        for (size_t i = 0; r >= 0 && i < files.n; i++) {
                char name[SEGMENT_NAME_SIZE];

                segment_name(files.items[i].number, name);
                if (unlinkat(dir_fd, name, 0) < 0)
                        r = -errno;
        }
        segment_files_done(&files);
        return r;
}

/* The mark */

static int open_mark(EntryLog *log) {
        LogMark mark = { .id = log->vote.log_id };
        int r;

        r = log_mark_read(log->options.dir_fd, &mark);
        if (r == -ENOENT || (r >= 0 && (mark.id != log->vote.log_id || log->vote.is_new))) {
                mark = (LogMark){ .id = log->vote.log_id };
                r = log_mark_create(log->options.dir_fd, &mark);
        }
        if (r < 0)
                return r;

        log->mark_fd = openat(
                        log->options.dir_fd, LOG_MARK_FILE, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
        if (log->mark_fd < 0)
                return -errno;

        log->flushed = mark.flushed;
        return 0;
}

/* It may always be behind, so a file system that cannot overwrite a block in a full disk does no
 * harm. */
static void write_mark(EntryLog *log, LogMarkSlot slot) {
        LogMark mark = { .id = log->vote.log_id, .flushed = log->flushed };
        int r;

        r = log_mark_write(log->mark_fd, slot, &mark);
        if (r < 0 && r != -ENOSPC && r != -EDQUOT)
                disk_fatal("write", log->mark_fd, -r);
        if (slot == LOG_MARK_SURE && r >= 0)
                disk_flush(log->mark_fd);
}

/* Opening */

static int note_missing(LogPosition flushed) {
        char name[SEGMENT_NAME_SIZE];

        segment_name(MAX(flushed.file, (uint32_t) 1), name);
        return members_note_missing(name);
}

/* A log that is not new has a record, if only of where it began. One in which there are nothing but
 * empty segments has lost those before them. */
static int open_segments(EntryLog *log) {
        SegmentLogOptions options = {
                .dir_fd = log->options.dir_fd,
                .id = log->vote.log_id,
                .segment_size = log->options.segment_size,
                .flushed = log->flushed,
        };
        EntryReplay replay = { .dir_fd = log->options.dir_fd, .table = &log->table };
        int r;

        r = segment_log_open(&options, (LogPosition){}, entry_replay_step, &replay, &log->segments);
        if (r < 0)
                return r;
        if (replay.end.file == 0 && !log->vote.is_new)
                return note_missing(log->flushed);

        log->flushed = replay.end;
        return 0;
}

/* From when on there is always a segment, so that one that is missing is missed. */
static int finish_new(EntryLog *log) {
        int r;

        r = entry_log_write(log, NULL, 0);
        if (r < 0)
                return r;

        log->vote.is_new = false;
        return vote_file_write(log->options.dir_fd, &log->vote);
}

/* Without a vote nothing else must be there: it may have been given to somebody. */
static int begin_new(EntryLog *log) {
        LogMark mark;
        size_t n;
        int r;

        r = count_segments(log->options.dir_fd, &n);
        if (r < 0)
                return r;
        r = log_mark_read(log->options.dir_fd, &mark);
        if (n > 0 || r >= 0)
                return members_note_missing(VOTE_FILE);
        if (r != -ENOENT)
                return r;
        if (log->options.new_id == 0)
                return -ENOENT;

        log->vote = (Vote){ .log_id = log->options.new_id, .is_new = true };
        return vote_file_write(log->options.dir_fd, &log->vote);
}

static int open_all(EntryLog *log) {
        int r;

        r = vote_file_read(log->options.dir_fd, &log->vote);
        if (r == -ENOENT)
                r = begin_new(log);
        if (r < 0)
                return r;

        /* Of a process that has died, the last vote may be in memory only. */
        if (fsync(log->options.dir_fd) < 0)
                disk_fatal("flush", log->options.dir_fd, errno);

        r = log->vote.is_new ? remove_segments(log->options.dir_fd) : 0;
        if (r < 0)
                return r;
        r = open_mark(log);
        if (r < 0)
                return r;
        r = open_segments(log);
        if (r < 0)
                return r;
        if (log->vote.is_new) {
                r = finish_new(log);
                if (r < 0)
                        return r;
        }
        write_mark(log, LOG_MARK_SURE);
        return 0;
}

int entry_log_open(const EntryLogOptions *options, EntryLog **ret) {
        _cleanup_(entry_log_freep) EntryLog *log = NULL;
        int r;

        log = malloc(sizeof(*log));
        if (!log)
                return -ENOMEM;

        *log = (EntryLog){ .options = *options, .mark_fd = -1 };
        (void) pthread_mutex_init(&log->lock, NULL);
        r = open_all(log);
        if (r < 0) {
                closep(&log->mark_fd);
                return r;
        }

        *ret = TAKE_PTR(log);
        return 0;
}

static void forget_loaded(EntryLog *log) {
        free(log->loaded);
        log->loaded = NULL;
        buffer_done(&log->loaded_data);
}

EntryLog *entry_log_free(EntryLog *log) {
        if (!log)
                return NULL;

        if (log->segments && log->mark_fd >= 0)
                write_mark(log, LOG_MARK_SURE);
        (void) segment_log_free(log->segments);
        closep(&log->mark_fd);
        forget_loaded(log);
        buffer_done(&log->scratch);
        entry_table_done(&log->table);
        (void) pthread_mutex_destroy(&log->lock);
        free(log->staged);
        free(log);
        return NULL;
}

int entry_log_load(EntryLog *log, ConsensusDisk *ret) {
        const EntryTable *table = &log->table;

        forget_loaded(log);
        log->loaded = calloc(MAX(table->n, (size_t) 1), sizeof(*log->loaded));
        if (!log->loaded)
                return -ENOMEM;

        for (size_t i = 0; i < table->n; i++) {
                Entry *entry = log->loaded + i;
                int r;

                *entry = (Entry){ .term = table->slots[i].term,
                                  .type = table->slots[i].type,
                                  .size = table->slots[i].size };
                if (entry->type != ENTRY_MEMBERS)
                        continue;
                r = entry_log_read(log, table->base_index + 1 + i, &log->scratch, entry);
                if (r < 0)
                        return r;
                buffer_put(&log->loaded_data, entry->data, entry->size);
        }
        if (buffer_error(&log->loaded_data) < 0)
                return -ENOMEM;

        /* The buffer has stopped moving. */
        for (size_t i = 0, offset = 0; i < table->n; i++)
                if (log->loaded[i].type == ENTRY_MEMBERS) {
                        log->loaded[i].data = log->loaded_data.data + offset;
                        offset += log->loaded[i].size;
                }

        *ret = (ConsensusDisk){
                .term = log->vote.term,
                .vote = MUTANT(FORGOTTEN_VOTE) ? 0 : log->vote.vote,
                .base_index = table->base_index,
                .base_term = table->base_term,
                .entries = log->loaded,
                .n = table->n,
        };
        return 0;
}

int entry_log_vote(EntryLog *log, uint64_t term, uint64_t vote) {
        Vote changed = { .log_id = log->vote.log_id, .term = term, .vote = vote };
        int r;

        r = vote_file_write(log->options.dir_fd, &changed);
        if (r >= 0)
                log->vote = changed;
        return r;
}

/* Writing */

static int add(EntryLog *log, const EntryRecord *record, LogPosition *ret) {
        int r;

        if (record->size > RECORD_ENTRY_MAX)
                return -EFBIG;
        buffer_clear(&log->scratch);
        entry_record_encode(record, &log->scratch);
        r = buffer_error(&log->scratch);
        if (r < 0)
                return r;

        return segment_log_add(
                        log->segments, record->kind, record->index, log->scratch.data,
                        log->scratch.size, ret);
}

/* Each segment begins with where the log is. */
static int add_begin(EntryLog *log) {
        uint64_t last = entry_table_last(&log->table);
        EntryRecord record = { RECORD_BEGIN, last, entry_table_term(&log->table, last), 0, NULL };
        LogPosition at;

        return segment_log_is_at_begin(log->segments) ? add(log, &record, &at) : 0;
}

/* The term of an entry after the first N writes, which are not in the table yet. */
static uint64_t term_after(
                const EntryLog *log, const ConsensusWrite *writes, size_t n, uint64_t index) {
        while (n-- > 0) {
                if (index >= writes[n].first && index <= writes[n].last)
                        return writes[n].entries[index - writes[n].first].term;
                if (writes[n].reset)
                        return index + 1 == writes[n].first ? writes[n].base_term : 0;
        }
        return entry_table_term(&log->table, index);
}

/* Adds the last of N writes; what was before it ends with LAST. */
static int add_write(
                EntryLog *log,
                const ConsensusWrite *writes,
                size_t n,
                uint64_t last,
                LogPosition *ret_positions) {
        const ConsensusWrite *write = writes + n - 1;
        EntryRecord record = { .index = write->first - 1 };
        LogPosition at;
        int r;

        if ((write->reset && !MUTANT(LOST_RESET)) || write->first <= last) {
                record.kind = write->reset ? RECORD_RESET : RECORD_CUT;
                record.term = write->reset ? write->base_term
                                           : term_after(log, writes, n - 1, record.index);
                r = add(log, &record, &at);
                if (r < 0)
                        return r;
        } else
                assert(write->first == last + 1 || MUTANT(LOST_RESET));

        for (uint64_t index = write->first; index <= write->last; index++) {
                const Entry *entry = write->entries + (index - write->first);

                record = (EntryRecord){ (uint8_t) entry->type, index, entry->term, entry->size,
                                        entry->data };
                r = add(log, &record, ret_positions++);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int add_writes(EntryLog *log, const ConsensusWrite *writes, size_t n) {
        uint64_t last = entry_table_last(&log->table);
        LogPosition *positions = log->staged;
        int r;

        r = add_begin(log);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++) {
                r = add_write(log, writes, i + 1, last, positions);
                if (r < 0)
                        return r;
                positions += writes[i].last + 1 - writes[i].first;
                last = writes[i].last;
        }
        return 0;
}

static void adopt_writes(EntryLog *log, const ConsensusWrite *writes, size_t n) {
        const LogPosition *positions = log->staged;

        for (size_t i = 0; i < n; i++) {
                const ConsensusWrite *write = writes + i;
                uint64_t before = write->first - 1;

                if (write->reset)
                        entry_table_reset(&log->table, before, write->base_term);
                else
                        entry_table_cut(&log->table, before, entry_table_term(&log->table, before));
                for (uint64_t j = 0; write->first + j <= write->last; j++)
                        entry_table_append(
                                        &log->table,
                                        &(EntrySlot){ write->entries[j].term, *positions++,
                                                      write->entries[j].size,
                                                      write->entries[j].type });
        }
}

/* Makes room in memory, so that nothing fails behind the flush. */
static int prepare(EntryLog *log, const ConsensusWrite *writes, size_t n) {
        LogPosition *staged;
        size_t n_entries = 0;
        int r;

        for (size_t i = 0; i < n; i++)
                n_entries += writes[i].last + 1 - writes[i].first;
        staged = reallocarray(log->staged, MAX(n_entries, (size_t) 1), sizeof(*staged));
        if (!staged)
                return -ENOMEM;
        log->staged = staged;

        (void) pthread_mutex_lock(&log->lock);
        r = entry_table_reserve(&log->table, n_entries);
        (void) pthread_mutex_unlock(&log->lock);
        return r;
}

/* A member that has forgotten a term may vote in it once more, and must not find it in its log. */
static bool is_term_stored(const EntryLog *log, const ConsensusWrite *writes, size_t n) {
        uint64_t highest = 0;

        for (size_t i = 0; i < n; i++) {
                if (writes[i].reset)
                        highest = MAX(highest, writes[i].base_term);
                for (uint64_t j = 0; writes[i].first + j <= writes[i].last; j++)
                        highest = MAX(highest, writes[i].entries[j].term);
        }
        return highest <= log->vote.term;
}

int entry_log_write(EntryLog *log, const ConsensusWrite *writes, size_t n) {
        int r;

        if (!is_term_stored(log, writes, n))
                return -EINVAL;

        forget_loaded(log);
        r = prepare(log, writes, n);
        if (r < 0)
                return r;
        r = add_writes(log, writes, n);
        if (r < 0) {
                segment_log_forget(log->segments);
                return r;
        }
        r = segment_log_append(log->segments);
        if (r < 0)
                return r;

        (void) pthread_mutex_lock(&log->lock);
        adopt_writes(log, writes, n);
        (void) pthread_mutex_unlock(&log->lock);
        log->flushed = segment_log_end(log->segments);
        write_mark(log, LOG_MARK_QUICK);
        return 0;
}

int entry_log_reserve(EntryLog *log, size_t n_writes, size_t n_entries, size_t size) {
        size_t record = entry_size(RECORD_TERM_SIZE);

        return segment_log_reserve(
                        log->segments,
                        (1 + n_writes) * record + n_entries * (record + ENTRY_ALIGNMENT) + size);
}

/* Reading */

static int damaged(const EntryLog *log, const EntrySlot *slot) {
        char path[4096] = "", name[SEGMENT_NAME_SIZE];

        disk_path_of(log->options.dir_fd, path, sizeof(path));
        segment_name(slot->at.file, name);
        disk_note_damage("offset %u of '%s/%s': a bad entry", slot->at.offset, path, name);
        return -EBADMSG;
}

static bool find(EntryLog *log, uint64_t index, EntrySlot *ret) {
        const EntrySlot *slot;

        (void) pthread_mutex_lock(&log->lock);
        slot = entry_table_find(&log->table, index);
        if (slot)
                *ret = *slot;
        (void) pthread_mutex_unlock(&log->lock);
        return slot;
}

/* Returns 0, -EBADMSG without a note, or another negative errno. */
static int read_slot(
                EntryLog *log, uint64_t index, const EntrySlot *slot, Buffer *scratch, Entry *ret) {
        EntryRecord record;
        LogEntry entry;
        int r;

        r = segment_log_read(
                        log->segments, slot->at, RECORD_TERM_SIZE + slot->size, scratch, &entry);
        if (r < 0)
                return r;
        if (entry.is_damaged || entry_record_decode(&entry, &record) < 0 || record.index != index ||
            record.term != slot->term || record.kind != slot->type)
                return -EBADMSG;

        *ret = (Entry){ slot->term, slot->type, record.size, record.data };
        return 0;
}

int entry_log_read(EntryLog *log, uint64_t index, Buffer *scratch, Entry *ret) {
        EntrySlot slot = {}, again = {};
        int r;

        if (!find(log, index, &slot))
                return -ENODATA;

        /* While it is read it may be cut off or compacted, and its file be that of another segment.
         */
        while ((r = read_slot(log, index, &slot, scratch, ret)) == -EBADMSG || r == -ENODATA) {
                if (!find(log, index, &again))
                        return -ENODATA;
                if (log_position_compare(slot.at, again.at) == 0)
                        return damaged(log, &slot);
                slot = again;
        }
        return r;
}

uint64_t entry_log_last(EntryLog *log, uint64_t *ret_term) {
        uint64_t last;

        (void) pthread_mutex_lock(&log->lock);
        last = entry_table_last(&log->table);
        *ret_term = entry_table_term(&log->table, last);
        (void) pthread_mutex_unlock(&log->lock);
        return last;
}

uint64_t entry_log_base(EntryLog *log, uint64_t *ret_term) {
        uint64_t base;

        (void) pthread_mutex_lock(&log->lock);
        base = log->table.base_index;
        *ret_term = log->table.base_term;
        (void) pthread_mutex_unlock(&log->lock);
        return base;
}

uint64_t entry_log_before(EntryLog *log, uint64_t index, uint64_t size) {
        uint64_t taken = 0;

        (void) pthread_mutex_lock(&log->lock);
        index = MIN(index, entry_table_last(&log->table));
        for (const EntrySlot *slot; (slot = entry_table_find(&log->table, index)); index--) {
                taken += entry_size(RECORD_TERM_SIZE + slot->size);
                if (taken > size)
                        break;
        }
        (void) pthread_mutex_unlock(&log->lock);
        return index;
}

/* Makes sure that the last segment that was removed is gone. */
static bool remove_name(EntryLog *log) {
        char name[SEGMENT_NAME_SIZE];

        segment_name(log->removed, name);
        if (log->removed > 0 && unlinkat(log->options.dir_fd, name, 0) < 0 && errno != ENOENT)
                return false;
        log->removed = 0;
        return true;
}

void entry_log_compact(EntryLog *log, uint64_t index) {
        uint64_t first = index + (MUTANT(GREEDY_COMPACTION) ? 5 : 1);
        const EntrySlot *needed = entry_table_find(&log->table, first);
        uint32_t file = needed ? needed->at.file : log->flushed.file;
        uint32_t number, size;

        if (index < log->table.base_index)
                return;

        (void) pthread_mutex_lock(&log->lock);
        entry_table_drop(&log->table, file);
        (void) pthread_mutex_unlock(&log->lock);

        /* The first one first: those that are left are in one piece at any time. */
        while (remove_name(log) && (number = segment_log_next(log->segments, 0, &size)) > 0 &&
               number < file) {
                segment_log_recycle(log->segments, number);
                log->removed = number;
        }
}
