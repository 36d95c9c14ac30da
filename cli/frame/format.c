/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "frame/format.h"

typedef struct Unit {
        uint64_t size;
        const char *name;
} Unit;

/* One decimal, cut off rather than rounded: "1.0T free" means at least that much. */
static const char *scale(char ret[static FORMAT_SIZE], const Unit units[], uint64_t value) {
        const Unit *unit = units;

        while (unit->size > value && unit->size > 1)
                unit++;

        if (unit->size == 1)
                (void) snprintf(ret, FORMAT_SIZE, "%" PRIu64 "%s", value, unit->name);
        else
                (void) snprintf(ret, FORMAT_SIZE, "%" PRIu64 ".%" PRIu64 "%s", value / unit->size,
                                value % unit->size * 10 / unit->size, unit->name);

        return ret;
}

const char *format_bytes(char ret[static FORMAT_SIZE], uint64_t bytes) {
        /* clang-format off */
        static const Unit units[] = {
                { MIB * TIB, "E" },
                { KIB * TIB, "P" },
                { TIB,       "T" },
                { GIB,       "G" },
                { MIB,       "M" },
                { KIB,       "K" },
                { 1,         "B" },
        };
        /* clang-format on */

        return scale(ret, units, bytes);
}

const char *format_count(char ret[static FORMAT_SIZE], uint64_t count) {
        /* clang-format off */
        static const Unit units[] = {
                { UINT64_C(1000000000000), "T" },
                { 1000000000,              "G" },
                { 1000000,                 "M" },
                { 1,                       ""  },
        };
        /* clang-format on */

        /* Four digits are as short as "1.2k". */
        if (count >= 10000 && count < 1000000) {
                (void) snprintf(ret, FORMAT_SIZE, "%" PRIu64 ".%" PRIu64 "k", count / 1000,
                                count % 1000 / 100);
                return ret;
        }
        return scale(ret, units, count);
}

const char *format_span(char ret[static FORMAT_SIZE], uint64_t usec) {
        /* clang-format off */
        static const Unit units[] = {
                { USEC_PER_DAY,  "d"   },
                { USEC_PER_HOUR, "h"   },
                { USEC_PER_MIN,  "min" },
                { USEC_PER_SEC,  "s"   },
                {}
        };
        /* clang-format on */
        const Unit *unit = units;
        uint64_t rest;

        while (unit->size > usec && unit->size > USEC_PER_SEC)
                unit++;

        rest = usec % unit->size;
        if (unit[1].size > 0 && rest >= unit[1].size)
                (void) snprintf(ret, FORMAT_SIZE, "%" PRIu64 "%s %" PRIu64 "%s", usec / unit->size,
                                unit->name, rest / unit[1].size, unit[1].name);
        else
                (void) snprintf(ret, FORMAT_SIZE, "%" PRIu64 "%s", usec / unit->size, unit->name);

        return ret;
}

const char *format_ago(char ret[static FORMAT_SIZE], uint64_t usec, uint64_t now) {
        char span[FORMAT_SIZE];

        if (usec == 0)
                (void) snprintf(ret, FORMAT_SIZE, "never");
        else if (usec + 2 * USEC_PER_SEC > now) /* each second; clocks may differ a little */
                (void) snprintf(ret, FORMAT_SIZE, "now");
        else
                (void) snprintf(ret, FORMAT_SIZE, "%.40s ago", format_span(span, now - usec));

        return ret;
}

const char *format_time(char ret[static FORMAT_SIZE], uint64_t usec, uint64_t now) {
        uint64_t distance = usec > now ? usec - now : now - usec;
        time_t seconds = (time_t) (usec / USEC_PER_SEC);
        struct tm tm;

        if (!localtime_r(&seconds, &tm) ||
            strftime(ret, FORMAT_SIZE,
                     distance < USEC_PER_DAY / 2 ? "%H:%M:%S" : "%Y-%m-%d %H:%M:%S", &tm) == 0)
                (void) snprintf(ret, FORMAT_SIZE, "%" PRIu64, usec);

        return ret;
}

const char *format_share(char ret[static FORMAT_SIZE], uint64_t bytes, uint64_t whole) {
        char text[FORMAT_SIZE];

        (void) format_bytes(text, bytes);
        if (whole == 0)
                (void) snprintf(ret, FORMAT_SIZE, "%s", text);
        else
                (void) snprintf(ret, FORMAT_SIZE, "%.32s %.0f%%", text,
                                100.0 * (double) bytes / (double) whole);

        return ret;
}

const char *plural(uint64_t n, const char *one, const char *many) {
        return n == 1 ? one : many;
}
