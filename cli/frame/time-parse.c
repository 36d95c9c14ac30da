/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/conf.h"
#include "frame/time-parse.h"

#define SPAN_MAX (3650 * USEC_PER_DAY)

/* As it would be in a configuration file. */
typedef struct Span {
        ConfOrigins origins;
        uint64_t usec;
} Span;

int parse_span(const char *text, uint64_t *ret_usec) {
        static const ConfItem items[] = {
                { "", "span", CONF_TIME, offsetof(Span, usec), "0", 0, SPAN_MAX, "", false }, {}
        };
        Span span = {};
        int r;

        if (*text == '\0') /* in a file, this would mean the default */
                return -EINVAL;

        r = conf_set(items, &span, "span", text, NULL);
        if (r >= 0)
                *ret_usec = span.usec;
        conf_done(items, &span);
        return r < 0 ? -EINVAL : 0;
}

/* "2h" and "2h ago". */
static int parse_ago(const char *text, uint64_t now, uint64_t *ret_usec) {
        static const char ago[] = " ago";
        size_t size = strlen(text);
        _cleanup_free_ char *span = NULL;
        uint64_t usec;
        int r;

        if (size > strlen(ago) && strcmp(text + size - strlen(ago), ago) == 0)
                size -= strlen(ago);
        span = strndup(text, size);
        if (!span)
                return -ENOMEM;

        r = parse_span(span, &usec);
        if (r < 0)
                return r;

        *ret_usec = usec < now ? now - usec : 0;
        return 0;
}

/* Sets the parts of LOCAL that FORMAT names, if TEXT matches it. */
static bool matches(const char *text, const char *format, struct tm *local) {
        struct tm parsed = *local;
        const char *end;

        end = strptime(text, format, &parsed);
        if (!end || *end)
                return false;

        *local = parsed;
        return true;
}

int parse_moment(const char *text, uint64_t now, uint64_t *ret_usec) {
        static const char *const formats[] = { "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d",
                                               "%H:%M:%S",          "%H:%M",          "today",
                                               "yesterday" };
        time_t seconds = (time_t) (now / USEC_PER_SEC);
        struct tm local;

        if (!localtime_r(&seconds, &local))
                return -EINVAL;
        local.tm_hour = local.tm_min = local.tm_sec = 0;
        local.tm_isdst = -1;

        for (size_t i = 0; i < ELEMENTSOF(formats); i++) {
                if (!matches(text, formats[i], &local))
                        continue;
                if (strcmp(text, "yesterday") == 0)
                        local.tm_mday--; /* mktime() handles the first of a month */

                seconds = mktime(&local);
                if (seconds < 0)
                        return -EINVAL;
                *ret_usec = (uint64_t) seconds * USEC_PER_SEC;
                return 0;
        }

        return parse_ago(text, now, ret_usec);
}
