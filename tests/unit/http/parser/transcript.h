/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the parser makes of some bytes, as text, whatever the pieces in which they come. */

#include "http/parser/parser.h"

#define HEAD_MAX 512

/* What became of some bytes, as text: "GET /path?query host=a
 * close\nName=value\n[body]\n(trailer=value)\nend\n", or an error. */
typedef struct Transcript {
        char text[16 * KIB];
        size_t size;
} Transcript;

/* As the bytes come in a piece of FIRST bytes and others of NEXT. After an error, more of them come
 * to the same error. */
void run(bool is_request,
         bool no_body,
         const char *data,
         size_t size,
         size_t first,
         size_t next,
         Transcript *ret);

/* That the bytes come to EXPECTED, or to an error that begins like that; as a whole, cut in two
 * anywhere, and one by one. */
void check(bool is_request, bool no_body, const char *data, size_t size, const char *expected);
void check_request(const char *data, const char *expected);
void check_response(const char *data, const char *expected);

typedef struct Case {
        const char *data, *expected;
} Case;
