/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Segment scan: the entries of a segment in their order, through a window of bounded size. */

#include "store/log/entry.h"

typedef struct SegmentScan {
        int fd; /* not owned */
        uint64_t seed;
        uint32_t offset; /* of the next entry */
        uint32_t end;    /* nothing at or behind it is looked at */
        uint8_t *window; /* owned */
        size_t window_size, window_allocated;
        uint32_t window_offset;
} SegmentScan;

#define SEGMENT_SCAN(_fd, _seed, _offset, _end) \
        ((SegmentScan){ .fd = (_fd), .seed = (_seed), .offset = (_offset), .end = (_end) })

void segment_scan_done(SegmentScan *scan);

/* Steps over the entry at the offset, sound or with damaged data. Its data are good until the next
 * call. Returns 1; 0 if there is none, and the offset stays; or a negative errno. */
int segment_scan_next(SegmentScan *scan, LogEntry *ret);

/* Looks for a whole entry at FROM or behind it that belongs to an append that began at BEGUN or
 * behind it. Returns 1 and its offset, 0 if there is none, or a negative errno. */
int segment_scan_find(SegmentScan *scan, uint32_t from, uint32_t begun, uint32_t *ret_offset);
