/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* URL: the address by which a daemon is reached (Url=, Master=). This is the one place that knows
 * the scheme.
 *
 * The URL of a daemon is "http://AUTHORITY", without a slash at the end; the authority is
 * "HOST:PORT", "[HOST]:PORT", or either without the port. Nothing is resolved here. */

#include "core/address.h"

#define URL_SCHEME "http://"

/* Makes the URL of a daemon out of TEXT: "http://HOST:PORT", "http://HOST" (port 80), each with or
 * without a slash at the end, or "HOST:PORT". RET is a new string in the form above. Refuses a host
 * that no other machine can send to, and a user, a path or a query, which no daemon has. Returns 0,
 * -ENOMEM, or -EINVAL with the reason, the end of a sentence as in address.h. */
int url_normalize(const char *text, char **ret, const char **reterr_reason);

/* Returns why TEXT cannot be the URL of a daemon, or NULL if it can. */
const char *url_complain(const char *text);

/* The daemons of which any may be asked, such as the masters of a group: URLs with commas between
 * them, each of another daemon, URLS_MAX at most. Spaces around the commas are left out. As
 * url_normalize() and url_complain(). */
#define URLS_MAX ((size_t) 16)

int url_list_normalize(const char *text, char **ret, const char **reterr_reason);
const char *url_list_complain(const char *text);

/* Takes the first URL, a new string, off a list that url_list_normalize() has made: LIST is behind
 * it then. Returns 1, 0 at the end, or -ENOMEM. */
int url_list_take(const char **list, char **ret);

/* Reads host and port of a URL that url_normalize() has made. Returns 0 or -EINVAL. */
int url_host(const char *url, Address *ret);

/* Returns a pointer to what follows the scheme in URL; to all of it if there is no scheme. */
const char *url_authority(const char *url);

/* Makes a URL from AUTHORITY and FORMAT, which gives the path, with its slash, and perhaps a query.
 * RET is a new string. Returns 0 or -ENOMEM. */
int url_format(char **ret, const char *authority, const char *format, ...) _printf_(3, 4);

/* Makes the URL of ADDRESS, a new string. Returns 0 or -ENOMEM. */
int url_from_address(const Address *address, char **ret);
