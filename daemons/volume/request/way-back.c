/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "core/key.h"
#include "core/url.h"
#include "volume/request/way-back.h"

static const char text[] =
                "The value is not here any more. With curl, use -L to follow the redirect.\n";

bool way_back_is_here(const Allegiance *allegiance, const Ticket *ticket) {
        return ticket->store == allegiance_ticket_store(allegiance);
}

int way_back(HttpRequest *request, const char *key, const Ticket *ticket) {
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
        r = http_request_add_header(request, "Location", url);
        if (r >= 0)
                r = http_request_add_header(request, "Cache-Control", "no-store");
        return r < 0 ? r : http_request_reply_data(request, 307, "text/plain", text, strlen(text));
}
