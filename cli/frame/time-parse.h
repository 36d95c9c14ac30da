/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Time-parse: times as people type them. */

#include "base/macro.h"

/* A length of time, "30min" or "2h". Returns 0, or -EINVAL for anything else, also for more than
 * ten years. */
int parse_span(const char *text, uint64_t *ret_usec);

/* A time of day in the past, seen from NOW and from the local time zone: "2026-01-02 03:04:05",
 * "2026-01-02", "03:04", "yesterday", "today", "2h" or "2h ago". Returns 0 or -EINVAL. */
int parse_moment(const char *text, uint64_t now, uint64_t *ret_usec);
