/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/key.h"
#include "volume/request/way-back.h"
#include "volume/volume.h"

static const char text[] =
                "The value is not here any more. With curl, use -L to follow the redirect.\n";

bool way_back_is_here(HttpRequest *request, const Ticket *ticket) {
        const VolumeDaemon *volume = http_request_userdata(request);

        return ticket->store == allegiance_ticket_store(volume->allegiance);
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
        if (asprintf(&url, "http://%s%s?again=%u%s", ticket->back, path, ticket->again + 1U,
                     verified ? "&verify=1" : "") < 0) {
                url = NULL;
                return -ENOMEM;
        }
        r = http_request_add_header(request, "Location", url);
        if (r >= 0)
                r = http_request_add_header(request, "Cache-Control", "no-store");
        return r < 0 ? r : http_request_reply_data(request, 307, "text/plain", text, strlen(text));
}
