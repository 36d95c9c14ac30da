/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Target: what a request is about (RFC 9112, 3.2). Pure. */

#include "base/macro.h"

/* Strings within the target. */
typedef struct HttpTarget {
        const char *path;  /* begins with "/"; "*" if the request is about the server itself, and
                              the authority if it is CONNECT */
        const char *query; /* what follows the "?"; "" if there is none */
        const char *authority; /* of the absolute form; NULL for the others */
} HttpTarget;

/* Takes TARGET apart, which is changed and has no control characters in it. Each method has its
 * forms: CONNECT a host and its port, OPTIONS also "*", and all but CONNECT a path or a URL of http
 * or https. Returns 0, or -EINVAL. */
int http_target_parse(char *target, const char *method, HttpTarget *ret);
