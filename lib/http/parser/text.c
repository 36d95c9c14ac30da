/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "http/parser/text.h"

#define T   HTTP_TOKEN
#define V   HTTP_VALUE
#define U   HTTP_TARGET
#define N   HTTP_NAME
#define ALL (T | V | U | N)

/* Bytes beyond ASCII may stand in targets: they are part of a key, and everybody takes them for the
 * same. A "#" may not: some cut the target there, and others do not. */
/* clang-format off */
static const uint8_t kinds[256] = {
        ['\t'] = V, [' '] = V,
        ['!'] = ALL, ['"'] = V | U, ['#'] = T | V, ['$'] = ALL, ['%'] = T | V | U, ['&'] = ALL,
        ['\''] = ALL, ['('] = V | U | N, [')'] = V | U | N, ['*'] = ALL, ['+'] = ALL,
        [','] = V | U | N, ['-'] = ALL, ['.'] = ALL, ['/'] = V | U,
        ['0' ... '9'] = ALL,
        [':'] = V | U, [';'] = V | U | N, ['<'] = V | U, ['='] = V | U | N, ['>'] = V | U,
        ['?'] = V | U, ['@'] = V | U,
        ['A' ... 'Z'] = ALL,
        ['['] = V | U, ['\\'] = V | U, [']'] = V | U, ['^'] = T | V | U, ['_'] = ALL,
        ['`'] = T | V | U,
        ['a' ... 'z'] = ALL,
        ['{'] = V | U, ['|'] = T | V | U, ['}'] = V | U, ['~'] = ALL,
        [0x80 ... 0xff] = V | U,
};
/* clang-format on */

size_t http_span(HttpCharacters kind, const char *text, size_t size) {
        size_t n = 0;

        while (n < size && kinds[(uint8_t) text[n]] & kind)
                n++;
        return n;
}

bool http_is(HttpCharacters kind, const char *text, size_t size) {
        return size > 0 && http_span(kind, text, size) == size;
}

int http_hex_digit(char c) {
        if (http_is_digit(c))
                return c - '0';
        c |= 0x20;
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int http_parse_number(const char *text, size_t size, unsigned base, uint64_t *ret) {
        uint64_t number = 0;
        bool fits = true;

        if (size == 0)
                return -EINVAL;

        for (size_t i = 0; i < size; i++) {
                int digit = http_hex_digit(text[i]);

                if (digit < 0 || (unsigned) digit >= base)
                        return -EINVAL;
                fits = fits && number <= ((uint64_t) INT64_MAX - (unsigned) digit) / base;
                number = number * base + (unsigned) digit;
        }
        if (!fits)
                return -ERANGE;

        *ret = number;
        return 0;
}

/* How long the name at the start of TEXT is: "%" only as part of an escape. */
static size_t span_name(const char *text, size_t size) {
        size_t n = 0;

        for (;;) {
                n += http_span(HTTP_NAME, text + n, size - n);
                if (size - n < 3 || text[n] != '%' || http_hex_digit(text[n + 1]) < 0 ||
                    http_hex_digit(text[n + 2]) < 0)
                        return n;
                n += 3;
        }
}

/* The same for an address of IPv6 in its brackets, with a zone (RFC 6874) or without; 0 if it is
 * none. */
static size_t span_literal(const char *text, size_t size) {
        size_t n = 1;

        while (n < size && (http_hex_digit(text[n]) >= 0 || text[n] == ':' || text[n] == '.'))
                n++;
        if (n == 1)
                return 0;
        if (size - n > 3 && memcmp(text + n, "%25", 3) == 0)
                n += span_name(text + n, size - n);
        return n < size && text[n] == ']' ? n + 1 : 0;
}

bool http_is_authority(const char *text, size_t size) {
        bool is_literal = size > 0 && text[0] == '[';
        size_t n = is_literal ? span_literal(text, size) : span_name(text, size);

        if (is_literal && n == 0)
                return false;
        if (n < size && text[n] == ':')
                for (n++; n < size && http_is_digit(text[n]);)
                        n++;
        return n == size;
}

/* Steps to the next member, which may be empty, and returns where it is; NULL at the end. */
static const char *next_member(const char **list, size_t *ret_size) {
        const char *member = *list, *end;

        if (!member)
                return NULL;

        member += strspn(member, " \t");
        end = member + strcspn(member, ",");
        *list = *end == ',' ? end + 1 : NULL;
        while (end > member && http_is_blank(end[-1]))
                end--;

        *ret_size = (size_t) (end - member);
        return member;
}

bool http_is_token_list(const char *list) {
        const char *member;
        size_t size;

        while ((member = next_member(&list, &size)))
                if (size > 0 && !http_is(HTTP_TOKEN, member, size))
                        return false;
        return true;
}

bool http_list_has(const char *list, const char *token) {
        size_t token_size = strlen(token), size;
        const char *member;

        while ((member = next_member(&list, &size)))
                if (size == token_size && strncasecmp(member, token, size) == 0)
                        return true;
        return false;
}
