/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Segment files: which segments of a log there are, and descriptors for reading them.
 *
 * Few descriptors are open at a time. One that is in use stays open when its segment is removed.
 * For any number of threads. */

#include <pthread.h>

#include "base/macro.h"

typedef struct SegmentFile {
        uint32_t number;
        uint32_t size; /* in bytes; of the one that is written, how far it is flushed */
        int fd;        /* -1 while it is closed */
        unsigned n_users;
        bool is_removed; /* goes with its last user */
} SegmentFile;

typedef struct SegmentFiles {
        int dir_fd; /* not owned */
        pthread_mutex_t lock;
        SegmentFile *items; /* owned; in the order of the numbers */
        size_t n, allocated, n_open;
        size_t hand; /* where a file to close is looked for next */
} SegmentFiles;

/* Finds out what there is. Returns 0 or a negative errno; segment_files_done() is due in any case.
 */
int segment_files_init(SegmentFiles *files, int dir_fd);
void segment_files_done(SegmentFiles *files);

/* A new segment, with a higher number than all others. Returns 0 or -ENOMEM. */
int segment_files_add(SegmentFiles *files, uint32_t number);
void segment_files_set_size(SegmentFiles *files, uint32_t number, uint32_t size);
void segment_files_remove(SegmentFiles *files, uint32_t number);

/* Returns a descriptor, until segment_files_release(); -ENODATA if there is no such segment; or
 * another negative errno. */
int segment_files_acquire(SegmentFiles *files, uint32_t number);
void segment_files_release(SegmentFiles *files, uint32_t number);

/* Returns the size, or -ENODATA. */
int64_t segment_files_size(SegmentFiles *files, uint32_t number);

/* The lowest number above AFTER; 0 if there is none. */
uint32_t segment_files_next(SegmentFiles *files, uint32_t after);

/* The highest; 0 if there is none. */
uint32_t segment_files_last(SegmentFiles *files);
