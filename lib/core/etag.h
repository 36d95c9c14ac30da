/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* ETag: the checksum of a value in the form of HTTP. */

#include "core/checksum.h"

/* Quotes, "x3-", 32 hex digits, 0. The prefix keeps clients from taking it for an MD5. */
#define ETAG_SIZE (1 + 3 + 32 + 1 + 1)

void etag_of_checksum(const Checksum *checksum, char ret_etag[static ETAG_SIZE]);

/* Returns 0, or -EINVAL for anything that etag_of_checksum() did not write. */
int etag_to_checksum(const char *etag, size_t length, Checksum *ret);
