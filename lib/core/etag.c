/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "base/file.h"
#include "core/etag.h"

#define ETAG_PREFIX "\"x3-"

void etag_of_checksum(const Checksum *checksum, char ret_etag[static ETAG_SIZE]) {
        char *p = mempcpy(ret_etag, ETAG_PREFIX, strlen(ETAG_PREFIX));

        format_hex(checksum->bytes, sizeof(checksum->bytes), p);
        ret_etag[ETAG_SIZE - 2] = '"';
        ret_etag[ETAG_SIZE - 1] = '\0';
}

int etag_to_checksum(const char *etag, size_t length, Checksum *ret) {
        Checksum checksum;
        int r;

        assert(etag);
        assert(ret);

        if (length != ETAG_SIZE - 1 || memcmp(etag, ETAG_PREFIX, strlen(ETAG_PREFIX)) != 0 ||
            etag[length - 1] != '"')
                return -EINVAL;

        r = parse_hex(etag + strlen(ETAG_PREFIX), 2 * sizeof(checksum.bytes), checksum.bytes,
                      sizeof(checksum.bytes));
        if (r < 0)
                return r;

        *ret = checksum;
        return 0;
}
