/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Framing: what the fields of a head say about where the message ends and what becomes of its
 * connection (RFC 9112, 6 and 9). What may be read in two ways is refused. Pure. */

#include "base/macro.h"

typedef struct HttpFraming {
        bool is_request;
        bool is_1_0;

        bool has_size, is_chunked;
        uint64_t size; /* if HAS_SIZE */
        bool says_close, says_keep_alive;
        bool expects_continue;
        const char *host; /* as sent */
} HttpFraming;

/* A field is in: names in any case, values without blanks around them, both to outlive FRAMING.
 * Returns 0, -EINVAL, -EFBIG for a length that is none of anything, or -EBADRQC for an expectation
 * that nobody can meet, and what is wrong. */
int http_framing_add(
                HttpFraming *framing,
                const char *name,
                const char *value,
                const char **reterr_complaint);

/* All fields are in. Returns 0, or -EINVAL and what is wrong. */
int http_framing_check(const HttpFraming *framing, const char **reterr_complaint);

/* Whether a field of this name must not stand behind the body, where nobody looks for it in time
 * (RFC 9110, 6.5.1): it says where the message ends, to whom it goes or whether it counts. */
bool http_framing_is_early(const char *name) _pure_;
