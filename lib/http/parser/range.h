/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* HTTP range: which bytes of a value a request asks for (RFC 9110, 14). Pure. */

#include "base/macro.h"

typedef struct HttpRange {
        uint64_t offset, size;
} HttpRange;

/* What a Range header (NULL if there is none) means for a value of SIZE bytes. Returns 1 and the
 * range, 0 if the whole value is to be sent (there is no header, or several ranges, or one that is
 * malformed), or -ERANGE if the range lies outside of the value. */
int http_range_parse(const char *range, uint64_t size, HttpRange *ret);

/* Whether an If-Range header (NULL if there is none) lets a Range count: it has to equal the
 * current ETAG (NULL if there is none; weak ones never do), or the current Last-Modified. */
bool http_range_if(const char *if_range, const char *etag, const char *last_modified) _pure_;
