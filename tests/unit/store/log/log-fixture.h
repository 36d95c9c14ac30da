/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Log fixture: a log with small segments, whose entries have a tag, and the rest follows from that.
 */

#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "scratch.h"
#include "store/log/segment-log.h"

#define SEGMENT_SIZE ((uint32_t) (4 * KIB))
#define ENTRIES_MAX  1024

typedef struct Seen {
        uint64_t tags[ENTRIES_MAX];
        LogPosition at[ENTRIES_MAX];
        size_t n, n_damaged;
} Seen;

typedef struct Fixture {
        char *directory;
        int dir_fd;
        SegmentLog *log;
        Seen seen; /* when it was opened last */
} Fixture;

static inline size_t size_of(uint64_t tag) {
        return tag * 37 % 500;
}

static inline void make_data(uint64_t tag, uint8_t ret[static 500]) {
        for (size_t i = 0; i < 500; i++)
                ret[i] = (uint8_t) (tag * 31 + i);
}

static inline int on_entry(
                const LogEntry *entry, LogPosition at, LogPosition behind, void *userdata) {
        Seen *seen = userdata;
        uint8_t data[500];

        make_data(entry->tag, data);
        assert_int_equal(entry->kind, (uint8_t) entry->tag);
        assert_int_equal(entry->size, size_of(entry->tag));
        assert_true(at.file == behind.file && behind.offset > at.offset);
        if (entry->is_damaged)
                seen->n_damaged++;
        else
                assert_memory_equal(entry->data, data, entry->size);
        seen->at[seen->n] = at;
        seen->tags[seen->n++] = entry->tag;
        return 0;
}

static inline int open_log(Fixture *fixture, LogPosition from) {
        SegmentLogOptions options = { .dir_fd = fixture->dir_fd,
                                      .id = 99,
                                      .segment_size = SEGMENT_SIZE };

        fixture->seen = (Seen){};
        return segment_log_open(&options, from, on_entry, &fixture->seen, &fixture->log);
}

static inline void reopen(Fixture *fixture, LogPosition from) {
        fixture->log = segment_log_free(fixture->log);
        assert_int_equal(open_log(fixture, from), 0);
}

static inline int setup(void **state) {
        Fixture *fixture = calloc(1, sizeof(*fixture));

        fixture->directory = scratch_new();
        fixture->dir_fd = open(fixture->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_int_equal(open_log(fixture, (LogPosition){}), 0);
        *state = fixture;
        return 0;
}

static inline int teardown(void **state) {
        Fixture *fixture = *state;

        (void) segment_log_free(fixture->log);
        closep(&fixture->dir_fd);
        (void) scratch_free(fixture->directory);
        free(fixture);
        return 0;
}

static inline LogPosition add(Fixture *fixture, uint64_t tag) {
        LogPosition at;
        uint8_t data[500];

        make_data(tag, data);
        assert_int_equal(
                        segment_log_add(fixture->log, (uint8_t) tag, tag, data, size_of(tag), &at),
                        0);
        return at;
}

/* Adds tags from FIRST on, and appends them together. */
static inline void append(Fixture *fixture, uint64_t first, size_t n) {
        for (uint64_t tag = first; tag < first + n; tag++)
                (void) add(fixture, tag);
        assert_int_equal(segment_log_append(fixture->log), 0);
}

static inline void assert_seen(const Fixture *fixture, uint64_t first, size_t n) {
        assert_int_equal(fixture->seen.n, n);
        for (size_t i = 0; i < n; i++)
                assert_int_equal(fixture->seen.tags[i], first + i);
}

static inline int read_tag(Fixture *fixture, LogPosition at, uint64_t tag) {
        _cleanup_(buffer_done) Buffer scratch = {};
        LogEntry entry;
        uint8_t data[500];
        int r;

        r = segment_log_read(fixture->log, at, size_of(tag), &scratch, &entry);
        if (r < 0)
                return r;

        if (entry.is_damaged)
                return -EBADMSG;

        make_data(tag, data);
        assert_int_equal(entry.tag, tag);
        assert_memory_equal(entry.data, data, size_of(tag));
        return 0;
}

static inline const char *segment_path(const Fixture *fixture, uint32_t number) {
        char name[sizeof("0123456789")];

        (void) snprintf(name, sizeof(name), "%010u", number);
        return scratch_path(fixture->directory, name);
}
