/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/file.h"
#include "core/key.h"
#include "core/url.h"
#include "http/record.h"
#include "rpc/way-back.h"

unsigned way_back_count(HttpRequest *request) {
        char value[4];
        uint64_t n;

        if (!*http_request_query(request) ||
            http_request_parameter(request, "again", value, sizeof(value)) <= 0 ||
            parse_u64(value, UINT8_MAX, &n) < 0)
                return 0;
        return (unsigned) n;
}

/* The characters of a host and its port, which mean nothing else in an address. */
static bool is_authority(const char *host) {
        const char *p = host;

        while (isalnum((unsigned char) *p) || (*p && strchr("-._:[]%", *p)))
                p++;
        return p > host && *p == '\0';
}

void way_back_put(HttpRequest *request, Ticket *ticket) {
        const char *host = http_request_header(request, "Host");

        ticket->again = (uint8_t) way_back_count(request);
        if (host && strlen(host) < sizeof(ticket->back) && is_authority(host))
                memcpy(ticket->back, host, strlen(host) + 1);
}

int way_back_reply(HttpRequest *request, const char *key, const Ticket *ticket) {
        char path[KEY_PATH_SIZE], verify[2];
        _cleanup_free_ char *url = NULL;
        bool verified;
        int r;

        if (!*ticket->back)
                return -EREMOTE;

        verified = http_request_parameter(request, "verify", verify, sizeof(verify)) == 1 &&
                   *verify == '1';
        (void) key_to_path(key, path);
        r = url_format(&url, ticket->back, "%s?again=%u%s", path, ticket->again + 1U,
                       verified ? "&verify=1" : "");
        if (r < 0)
                return r;
        return http_request_reply_redirect(
                        request, url,
                        "The value is not here any more. With curl, use -L to follow the redirect.\n");
}
