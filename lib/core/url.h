/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* URL: by what daemons are reached (Url=, Master=). This is the one place that knows the scheme.
 *
 * A URL of a daemon is "http://AUTHORITY", without a slash behind it; the authority is "HOST:PORT",
 * "[HOST]:PORT", or either without the port. Nothing is resolved here. */

#include "core/address.h"

#define URL_SCHEME "http://"

/* Makes the URL of a daemon out of TEXT: "http://HOST:PORT", "http://HOST" (port 80), each with or
 * without a slash behind it, or "HOST:PORT". RET is a new string in the form above. Refuses a host
 * that no other machine can send to, and what no daemon has: a user, a path, a query. Returns 0,
 * -ENOMEM, or -EINVAL with the reason, the end of a sentence as in address.h. */
int url_normalize(const char *text, char **ret, const char **reterr_reason);

/* The reason why TEXT cannot be the URL of a daemon, or NULL. */
const char *url_complain(const char *text);

/* Reads host and port of a URL that url_normalize() has made. Returns 0 or -EINVAL. */
int url_host(const char *url, Address *ret);

/* The rest of URL behind the scheme, a pointer into it; all of it if there is no scheme. */
const char *url_authority(const char *url);

/* Makes the URL of a path, and perhaps a query, at AUTHORITY; FORMAT is for these, a slash first.
 * RET is a new string. Returns 0 or -ENOMEM. */
int url_format(char **ret, const char *authority, const char *format, ...) _printf_(3, 4);

/* The URL of ADDRESS, a new string. Returns 0 or -ENOMEM. */
int url_from_address(const Address *address, char **ret);
