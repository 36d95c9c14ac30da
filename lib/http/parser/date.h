/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* HTTP date: a time as Last-Modified and friends show it (RFC 9110, 5.6.7). */

#include "base/macro.h"

#define HTTP_DATE_SIZE sizeof("Thu, 01 Jan 1970 00:00:00 GMT")

/* SECONDS since the epoch, before the year 10000. Takes no lock and knows no locale, unlike
 * strftime(): every GET of a value formats one. */
void http_date_format(uint64_t seconds, char ret[static HTTP_DATE_SIZE]);

/* Parses a date of HTTP in any of its three forms (RFC 9110, 5.6.7). Returns 0 and seconds since
 * the epoch, or -EINVAL, also for dates before that. */
int http_date_parse(const char *string, uint64_t *ret);
