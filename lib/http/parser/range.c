/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "http/parser/range.h"

/* Decimal digits at *POSITION, which moves behind them; more than fit count as the largest number,
 * since any such position lies behind the end. Returns whether there were any. */
static bool take_number(const char **position, uint64_t *ret) {
        const char *p = *position;
        uint64_t value = 0;

        for (; *p >= '0' && *p <= '9'; p++)
                value = value > (UINT64_MAX - 9) / 10 ? UINT64_MAX
                                                      : value * 10 + (uint64_t) (*p - '0');

        if (p == *position)
                return false;

        *position = p;
        *ret = value;
        return true;
}

int http_range_parse(const char *range, uint64_t size, HttpRange *ret) {
        uint64_t first = 0, last = UINT64_MAX;
        const char *p;
        bool suffix;

        assert(ret);

        if (!range || strncasecmp(range, "bytes=", 6) != 0)
                return 0;

        p = range + 6;
        p += strspn(p, " \t");
        suffix = *p == '-';
        if (!suffix && !take_number(&p, &first))
                return 0;
        if (*p++ != '-')
                return 0;
        if (!take_number(&p, &last) && suffix)
                return 0;
        p += strspn(p, " \t");
        if (*p != '\0' || (!suffix && last < first))
                return 0;

        if (suffix) {
                /* The last so many bytes; of an empty value there are none. */
                if (last == 0 || size == 0)
                        return -ERANGE;

                *ret = (HttpRange){ size - MIN(last, size), MIN(last, size) };
                return 1;
        }

        if (first >= size)
                return -ERANGE;

        *ret = (HttpRange){ first, MIN(last, size - 1) - first + 1 };
        return 1;
}

bool http_range_if(const char *if_range, const char *etag, const char *last_modified) {
        if (!if_range)
                return true;
        if (if_range[0] == '"')
                return etag && strcmp(if_range, etag) == 0;

        return strcmp(if_range, last_modified) == 0;
}
