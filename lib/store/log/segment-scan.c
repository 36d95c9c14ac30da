/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "base/file.h"
#include "base/mutant.h"
#include "store/log/segment-scan.h"

#define WINDOW_SIZE ((size_t) (256 * KIB))

void segment_scan_done(SegmentScan *scan) {
        free(scan->window);
        *scan = (SegmentScan){};
}

/* Returns 1 and SIZE bytes at OFFSET, 0 if there are not so many, or a negative errno. */
static int look(SegmentScan *scan, uint32_t offset, size_t size, const uint8_t **ret) {
        size_t wanted = MAX(size, WINDOW_SIZE);
        ssize_t n;

        if (offset > scan->end || size > scan->end - offset)
                return 0;

        if (offset < scan->window_offset ||
            offset + size > (uint64_t) scan->window_offset + scan->window_size) {
                if (wanted > scan->window_allocated) {
                        uint8_t *window = realloc(scan->window, wanted);

                        if (!window)
                                return -ENOMEM;
                        scan->window = window;
                        scan->window_allocated = wanted;
                }
                scan->window_size = 0;
                n = pread_all(scan->fd, scan->window, wanted, offset);
                if (n < 0)
                        return (int) n;
                scan->window_offset = offset;
                scan->window_size = (size_t) n;
                if ((size_t) n < size)
                        return 0;
        }

        *ret = scan->window + (offset - scan->window_offset);
        return 1;
}

/* Returns 1 and the entry, perhaps with damaged data, 0 if there is none, or a negative errno. */
static int look_at_entry(SegmentScan *scan, uint32_t offset, LogEntry *ret) {
        const uint8_t *data = NULL; /* gcc does not see that a look sets it */
        LogEntry entry;
        int r;

        r = look(scan, offset, ENTRY_HEADER_SIZE, &data);
        if (r <= 0)
                return r;
        if (entry_decode_header(data, scan->seed, offset, &entry) < 0)
                return 0;

        r = look(scan, offset, ENTRY_HEADER_SIZE + entry.size, &data);
        if (r < 0)
                return r;
        entry.is_damaged = r == 0 || (entry_verify(data, &entry, scan->seed, offset) < 0 &&
                                      !MUTANT(TORN_TAIL));
        entry.data = entry.is_damaged ? NULL : data + ENTRY_HEADER_SIZE;

        *ret = entry;
        return 1;
}

int segment_scan_next(SegmentScan *scan, LogEntry *ret) {
        int r;

        r = look_at_entry(scan, scan->offset, ret);
        if (r > 0)
                scan->offset += (uint32_t) entry_size(ret->size);
        return r;
}

int segment_scan_find(SegmentScan *scan, uint32_t from, uint32_t begun, uint32_t *ret_offset) {
        uint32_t offset = (from + ENTRY_ALIGNMENT - 1) / ENTRY_ALIGNMENT * ENTRY_ALIGNMENT;

        for (; offset < scan->end; offset += ENTRY_ALIGNMENT) {
                LogEntry entry;
                int r;

                r = look_at_entry(scan, offset, &entry);
                if (r < 0)
                        return r;
                if (r > 0 && !entry.is_damaged && entry.begun >= begun) {
                        *ret_offset = offset;
                        return 1;
                }
        }

        return 0;
}
