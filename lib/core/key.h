/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Key: the name of a value: 1 to KEY_MAX bytes, any but NUL, so a key is a C string.
 *
 * In URLs a key is the path after the first slash, percent-encoded. Keys starting with "-/" are
 * reserved for the daemons' own endpoints. */

#include "base/macro.h"

#define KEY_MAX 1024

/* Longest path a key can need, with the leading slash and a 0. */
#define KEY_PATH_SIZE (1 + 3 * KEY_MAX + 1)

/* Decodes the path of a URL (without query) into RET_KEY. Returns the length of the key, or -EINVAL
 * for a path that does not start with a slash, a malformed escape, an encoded NUL or an empty key,
 * -ENAMETOOLONG for a key that is too long, -EPROTO for a reserved one. */
int key_from_path(const char *path, char ret_key[static KEY_MAX + 1]);

/* Decodes percent-encoding as in a query ('+' stays itself). Returns the length, -EINVAL as above
 * (an empty string is fine here), or -ENAMETOOLONG if it does not fit SIZE bytes with its 0. */
int percent_decode(const char *string, size_t length, char *ret, size_t size);

/* Letters, digits and -._~/ stay, all else becomes %XX. Returns the length, or -ENAMETOOLONG if it
 * does not fit SIZE bytes with its 0. */
int percent_encode(const char *string, char *ret, size_t size);

/* Writes "/" and the encoded key. Returns the length of the path. */
size_t key_to_path(const char *key, char ret_path[static KEY_PATH_SIZE]);

/* Whether a segment of it is "." or "..". Clients remove such segments from a URL before they use
 * it, encoded or not, so they would ask for another key. */
bool key_has_dots(const char *key) _pure_;

/* The hash that placement works on: XXH3-64 of the key. */
uint64_t key_hash(const char *key) _pure_;

/* The table of a key: its first segment if it has a slash, else "default". Writes it to RET. */
void key_table(const char *key, char ret_table[static KEY_MAX + 1]);
