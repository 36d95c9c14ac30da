/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* File: whole reads and writes, parsing of paths and numbers; blocking. */

#include <sys/types.h>

#include "base/macro.h"

/* Writes all of it. Returns 0 or a negative errno. */
int write_all(int fd, const void *data, size_t size);
int pwrite_all(int fd, const void *data, size_t size, uint64_t offset);

/* Reads SIZE bytes, fewer only at the end of the file. Returns how many, or a negative errno. */
ssize_t pread_all(int fd, void *data, size_t size, uint64_t offset);

/* Reads a file of at most MAX bytes into a new string, and adds a 0; dir_fd as in openat(). Returns
 * 0, -EFBIG, or another negative errno. */
int read_file(int dir_fd, const char *path, size_t max, char **ret, size_t *ret_size);

/* Replaces the file atomically and durably (temporary file PATH.new, fdatasync, rename, fsync of
 * the directory). The caller makes sure that a file has one writer at a time. */
int write_file(int dir_fd, const char *path, const void *data, size_t size, mode_t mode);

/* Makes the directory and its missing parents. Returns 0, also if it exists, or -ENOTDIR if it is
 * something else. */
int make_directory(const char *path, mode_t mode);

/* Decimal digits only, up to MAX. Returns 0, -EINVAL or -ERANGE. */
int parse_u64(const char *string, uint64_t max, uint64_t *ret);

/* Writes VALUE in decimal digits, with a 0 behind them; returns how many there are. What
 * snprintf() makes of "%" PRIu64, for where it is called often. */
size_t format_u64(uint64_t value, char ret[static DECIMAL_SIZE(uint64_t)]);

/* Lower case hex digits, exactly 2 * SIZE of them; format_hex() adds no 0. Parsing returns 0 or
 * -EINVAL. */
void format_hex(const void *data, size_t size, char *ret_string);
int parse_hex(const char *string, size_t string_size, void *ret_data, size_t size);
