/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <ctype.h>
#include <string.h>

#include "base/file.h"
#include "master/request/way-back.h"

unsigned way_back_count(HttpRequest *request) {
        char value[4];
        uint64_t n;

        if (!*http_request_query(request) ||
            http_request_parameter(request, "again", value, sizeof(value)) <= 0 ||
            parse_u64(value, UINT8_MAX, &n) < 0)
                return 0;
        return (unsigned) n;
}

/* What may stand in an address without being anything else than a host and its port. */
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
