/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "http/parser/framing.h"
#include "http/parser/text.h"

static int refuse(const char *complaint, const char **reterr_complaint) {
        *reterr_complaint = complaint;
        return -EINVAL;
}

/* Two that agree are refused as well: one of them may have been added on the way. */
static int add_size(HttpFraming *framing, const char *value, const char **reterr_complaint) {
        int r;

        if (framing->has_size)
                return refuse("There is more than one Content-Length.", reterr_complaint);

        r = http_parse_number(value, strlen(value), 10, &framing->size);
        if (r == -ERANGE) {
                *reterr_complaint = "Content-Length is larger than anything can be.";
                return -EFBIG;
        }
        if (r < 0)
                return refuse("Content-Length is not a length.", reterr_complaint);

        framing->has_size = true;
        return 0;
}

static int add_encoding(HttpFraming *framing, const char *value, const char **reterr_complaint) {
        if (framing->is_chunked)
                return refuse("There is more than one Transfer-Encoding.", reterr_complaint);
        if (framing->is_1_0)
                return refuse("HTTP/1.0 has no Transfer-Encoding.", reterr_complaint);
        if (strcasecmp(value, "chunked") != 0)
                return refuse("The only Transfer-Encoding is chunked.", reterr_complaint);

        framing->is_chunked = true;
        return 0;
}

static int add_connection(HttpFraming *framing, const char *value, const char **reterr_complaint) {
        if (!http_is_token_list(value))
                return refuse("Connection is not a list of words.", reterr_complaint);

        framing->says_close |= http_list_has(value, "close");
        framing->says_keep_alive |= http_list_has(value, "keep-alive");
        return 0;
}

static int add_host(HttpFraming *framing, const char *value, const char **reterr_complaint) {
        if (framing->host)
                return refuse("There is more than one Host.", reterr_complaint);
        if (!http_is_authority(value, strlen(value)))
                return refuse("Host is not a host.", reterr_complaint);

        framing->host = value;
        return 0;
}

/* HTTP/1.0 knows none (RFC 9110, 10.1.1). */
static int add_expect(HttpFraming *framing, const char *value, const char **reterr_complaint) {
        if (framing->is_1_0)
                return 0;
        if (strcasecmp(value, "100-continue") != 0) {
                *reterr_complaint = "The only expectation is 100-continue.";
                return -EBADRQC;
        }

        framing->expects_continue = true;
        return 0;
}

/* clang-format off */
static const struct {
        const char *name;
        bool requests_only;
        int (*add)(HttpFraming *framing, const char *value, const char **reterr_complaint);
} fields[] = {
        { "Content-Length",    false, add_size       },
        { "Transfer-Encoding", false, add_encoding   },
        { "Connection",        false, add_connection },
        { "Host",              true,  add_host       },
        { "Expect",            true,  add_expect     },
};
/* clang-format on */

int http_framing_add(
                HttpFraming *framing,
                const char *name,
                const char *value,
                const char **reterr_complaint) {
        for (size_t i = 0; i < ELEMENTSOF(fields); i++)
                if (strcasecmp(name, fields[i].name) == 0 &&
                    (framing->is_request || !fields[i].requests_only))
                        return fields[i].add(framing, value, reterr_complaint);
        return 0;
}

int http_framing_check(const HttpFraming *framing, const char **reterr_complaint) {
        if (framing->has_size && framing->is_chunked)
                return refuse("There are both Content-Length and Transfer-Encoding.",
                              reterr_complaint);
        if (framing->is_request && !framing->is_1_0 && !framing->host)
                return refuse("There is no Host.", reterr_complaint);
        return 0;
}

bool http_framing_is_early(const char *name) {
        static const char *const names[] = {
                "Authorization", "Cache-Control", "Connection", "Expect",  "Host",
                "Max-Forwards",  "Range",         "TE",         "Trailer", "Transfer-Encoding",
        };

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (strcasecmp(name, names[i]) == 0)
                        return true;

        return strncasecmp(name, "Content-", strlen("Content-")) == 0 ||
               strncasecmp(name, "If-", strlen("If-")) == 0;
}
