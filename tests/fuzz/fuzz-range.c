/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "fuzz.h"
#include "http/parser/range.h"

/* What is asked for lies within the value, and asking for just that gives the same. */
static void check_range(const HttpRange *range, uint64_t size) {
        char header[64];
        HttpRange again;

        assert(range->size > 0 && range->offset < size && range->size <= size - range->offset);
        (void) snprintf(header, sizeof(header), "bytes=%" PRIu64 "-%" PRIu64, range->offset,
                        range->offset + range->size - 1);
        assert(http_range_parse(header, size, &again) == 1);
        assert(again.offset == range->offset && again.size == range->size);
}

/* The input is the size of a value; and, up to the first 0, a Range, behind it an If-Range. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const char etag[] = "\"x3-0\"", date[] = "Sat, 21 Nov 2026 10:00:00 GMT";
        _cleanup_free_ char *headers = NULL;
        uint64_t value_size;
        const char *if_range;
        HttpRange range;
        int r;

        if (size < sizeof(value_size))
                return 0;
        memcpy(&value_size, data, sizeof(value_size));
        value_size /= 2; /* no value is so large that its last bytes have numbers that do not fit */
        headers = fuzz_string(data + sizeof(value_size), size - sizeof(value_size));

        r = http_range_parse(headers, value_size, &range);
        assert(r == 0 || r == 1 || r == -ERANGE);
        if (r == 1)
                check_range(&range, value_size);

        if_range = headers + strlen(headers);
        if (if_range < headers + size - sizeof(value_size))
                if_range++;
        assert(http_range_if(if_range, etag, date) ==
               (strcmp(if_range, etag) == 0 || strcmp(if_range, date) == 0));
        return 0;
}
