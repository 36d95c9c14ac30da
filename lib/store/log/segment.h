/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Segment: a file of a log, named by its number. It begins with a header, which says what it is and
 * where the segment before it ended; then come entries, one behind the other. */

#include "store/format/log-mark.h"

#define SEGMENT_HEADER_SIZE 64
#define SEGMENT_NAME_SIZE   sizeof("0123456789")

typedef struct SegmentHeader {
        uint64_t log_id; /* random; tells logs apart */
        uint32_t number;
        LogPosition previous; /* the segment before it, and its end; 0 for none */
} SegmentHeader;

void segment_name(uint32_t number, char ret_name[static SEGMENT_NAME_SIZE]);

/* Returns 0 or -EINVAL. */
int segment_parse_name(const char *name, uint32_t *ret);

void segment_header_encode(const SegmentHeader *header, uint8_t ret[static SEGMENT_HEADER_SIZE]);

/* Returns 0, -EBADMSG if there is no such header, or -EPROTONOSUPPORT. */
int segment_header_decode(const uint8_t data[static SEGMENT_HEADER_SIZE], SegmentHeader *ret);
