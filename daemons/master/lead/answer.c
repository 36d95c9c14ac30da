/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What clients and volumes are told by a master that does not lead. */

#include <errno.h>

#include "core/url.h"
#include "http/record.h"
#include "master/lead/lead.h"

static const char redirect_text[] =
                "Ask the master that leads, at the address in the Location header. With curl, use -L to follow it.\n";

/* Sends the client to the same path and query there. */
static int redirect(HttpRequest *request, const char *leader) {
        const char *query = http_request_query(request);
        _cleanup_free_ char *url = NULL;
        int r;

        r = url_format(&url, url_authority(leader), "%s%s%s", http_request_path(request),
                       *query ? "?" : "", query);
        return r < 0 ? r : http_request_reply_redirect(request, url, redirect_text);
}

bool lead_redirects(Lead *lead, HttpRequest *request) {
        char leader[LEAD_URL_SIZE], reason[LEAD_REASON_SIZE];
        int r;

        if (!lead_is_following(lead))
                return false;

        lead_leader(lead, leader);
        r = *leader ? redirect(request, leader) : -ENOLINK;
        if (r < 0) {
                lead_reason(lead, reason);
                (void) http_request_reply_error(request, r, reason);
        }
        return true;
}

bool lead_refuses(Lead *lead, HttpRequest *request) {
        char reason[LEAD_REASON_SIZE];

        if (lead_is_leading(lead))
                return false;
        if (lead_redirects(lead, request))
                return true;

        lead_reason(lead, reason);
        (void) http_request_reply_error(request, -EOWNERDEAD, reason);
        return true;
}

int lead_check_call(Lead *lead, RpcRequest *request) {
        char reason[LEAD_REASON_SIZE];

        if (lead_is_leading(lead))
                return 0;
        if (lead_is_following(lead)) {
                lead_leader(lead, reason);
                rpc_request_explain(request, reason);
                return *reason ? -EDESTADDRREQ : -ENOLINK;
        }

        lead_reason(lead, reason);
        rpc_request_explain(request, reason);
        return -EOWNERDEAD;
}
