/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>
#include <xxhash.h>

#include "core/key.h"

static const char hex_digits[] = "0123456789ABCDEF";

/* The characters that stand for themselves in a URL: the unreserved ones of RFC 3986, and the
 * slash. */
/* clang-format off */
static const bool unreserved[256] = {
        ['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true,
        ['-'] = true, ['.'] = true, ['_'] = true, ['~'] = true, ['/'] = true,
};
/* clang-format on */

static int hex_value(char c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        if (c >= 'A' && c <= 'F')
                return c - 'A' + 10;
        return -EINVAL;
}

int percent_decode(const char *string, size_t length, char *ret, size_t size) {
        const char *end = string + length;
        size_t n = 0;

        assert(string);
        assert(ret);
        assert(size > 0);

        while (string < end) {
                char c = *string++;

                if (c == '%') {
                        int high, low;

                        if (end - string < 2)
                                return -EINVAL;
                        high = hex_value(*string++);
                        low = hex_value(*string++);
                        if (high < 0 || low < 0)
                                return -EINVAL;
                        c = (char) (high << 4 | low);
                }
                if (c == '\0')
                        return -EINVAL;
                if (n + 1 >= size)
                        return -ENAMETOOLONG;
                ret[n++] = c;
        }

        ret[n] = '\0';
        return (int) n;
}

int percent_encode(const char *string, char *ret, size_t size) {
        char *p = ret, *end = ret + size;

        assert(string);
        assert(ret);
        assert(size > 0);

        for (; *string; string++) {
                uint8_t c = (uint8_t) *string;

                if (end - p <= (unreserved[c] ? 1 : 3))
                        return -ENAMETOOLONG;

                if (unreserved[c]) {
                        *p++ = (char) c;
                        continue;
                }
                *p++ = '%';
                *p++ = hex_digits[c >> 4];
                *p++ = hex_digits[c & 15];
        }

        *p = '\0';
        return (int) (p - ret);
}

int key_from_path(const char *path, char ret_key[static KEY_MAX + 1]) {
        int r;

        assert(path);

        if (*path != '/')
                return -EINVAL;

        r = percent_decode(path + 1, strlen(path + 1), ret_key, KEY_MAX + 1);
        if (r < 0)
                return r;
        if (r == 0)
                return -EINVAL;
        if (ret_key[0] == '-' && ret_key[1] == '/')
                return -EPROTO;

        return r;
}

size_t key_to_path(const char *key, char ret_path[static KEY_PATH_SIZE]) {
        int length;

        ret_path[0] = '/';
        length = percent_encode(key, ret_path + 1, KEY_PATH_SIZE - 1);
        assert(length >= 0);

        return 1 + (size_t) length;
}

bool key_has_dots(const char *key) {
        assert(key);

        for (;;) {
                size_t length = strcspn(key, "/");

                if ((length == 1 && key[0] == '.') ||
                    (length == 2 && key[0] == '.' && key[1] == '.'))
                        return true;
                if (key[length] == '\0')
                        return false;
                key += length + 1;
        }
}

uint64_t key_hash(const char *key) {
        return XXH3_64bits(key, strlen(key));
}

void key_table(const char *key, char ret_table[static KEY_MAX + 1]) {
        const char *slash = strchr(key, '/');
        size_t length = slash ? (size_t) (slash - key) : strlen("default");

        assert(length <= KEY_MAX);

        memcpy(ret_table, slash ? key : "default", length);
        ret_table[length] = '\0';
}
