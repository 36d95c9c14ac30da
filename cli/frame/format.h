/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Format: numbers as people read them. Each function writes to RET and returns it. */

#include "base/macro.h"

#define FORMAT_SIZE 48

/* "512B", "1.5K", "56.2G"; powers of 1024. */
const char *format_bytes(char ret[static FORMAT_SIZE], uint64_t bytes);

/* "950", "12.3k", "4.5M"; powers of 1000. */
const char *format_count(char ret[static FORMAT_SIZE], uint64_t count);

/* A length of time, rounded down to its two largest units: "3s", "5min 10s", "2d 3h". */
const char *format_span(char ret[static FORMAT_SIZE], uint64_t usec);

/* How long ago the time of day USEC was at NOW: "never" for 0, "now", "3s ago". */
const char *format_ago(char ret[static FORMAT_SIZE], uint64_t usec, uint64_t now);

/* Local time: "2026-01-02 03:04:05"; only the time if that was within the last 12 hours of NOW or
 * lies in the next 12. */
const char *format_time(char ret[static FORMAT_SIZE], uint64_t usec, uint64_t now);

/* ONE if N is 1, else MANY. */
const char *plural(uint64_t n, const char *one, const char *many) _const_;

/* "56.2G 81%"; no percent if WHOLE is 0. */
const char *format_share(char ret[static FORMAT_SIZE], uint64_t bytes, uint64_t whole);
