/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Text: which characters may stand where in a message of HTTP (RFC 9110 and 9112), and the few
 * forms that are made of them. Pure. */

#include "base/macro.h"

typedef enum HttpCharacters {
        HTTP_TOKEN = 1 << 0,  /* methods, names of fields, codings */
        HTTP_VALUE = 1 << 1,  /* values of fields: all but control characters, with the tab */
        HTTP_TARGET = 1 << 2, /* targets of requests: no blanks and no fragment */
        HTTP_NAME = 1 << 3,   /* names of hosts */
} HttpCharacters;

/* How many of the SIZE bytes, from the first one on, are of this kind. */
size_t http_span(HttpCharacters kind, const char *text, size_t size) _pure_;

/* Whether all are, and there is one. */
bool http_is(HttpCharacters kind, const char *text, size_t size) _pure_;

static inline bool http_is_digit(char c) {
        return c >= '0' && c <= '9';
}

static inline bool http_is_blank(char c) {
        return c == ' ' || c == '\t';
}

/* The value of a hexadecimal digit, or -1. */
int http_hex_digit(char c) _const_;

/* Digits and nothing else, in base 10 or 16. Returns 0, -EINVAL, or -ERANGE for more than
 * INT64_MAX. */
int http_parse_number(const char *text, size_t size, unsigned base, uint64_t *ret);

/* Whether it is the host of a URI, with a port or without (RFC 3986, 3.2.2 and 3.2.3): a name,
 * which may be empty, or an address; no user. */
bool http_is_authority(const char *text, size_t size) _pure_;

/* Whether this is a list of tokens (RFC 9110, 5.6.1), in which members may be empty. */
bool http_is_token_list(const char *list) _pure_;

/* Whether such a list has a member, in any case of its letters. */
bool http_list_has(const char *list, const char *token) _pure_;
