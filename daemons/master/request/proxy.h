/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Proxy: the master fetches a value from a volume and passes it on to the client while it arrives.
 * A whole value is compared with its checksum on the way: if it turns out to be damaged, the
 * connection is cut before the last byte. */

#include "core/record.h"
#include "http/request.h"

/* URL is that of KEY's value at VOLUME, with its ticket. Returns HTTP_LATER or a negative errno. */
int proxy_start(HttpRequest *request,
                const char *key,
                const Record *record,
                uint32_t volume,
                const char *url);

/* The request is over. */
void proxy_end(HttpRequest *request);
