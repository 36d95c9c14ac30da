/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdio.h>

#include "base/error.h"
#include "master/cluster/run.h"
#include "master/link/order.h"

int order_new(HttpClient *client,
              Volumes *volumes,
              uint32_t volume,
              const char *path,
              Buffer *body,
              HttpCall **ret) {
        Parties parties;
        char volume_url[VOLUME_URL_SIZE], url[VOLUME_URL_SIZE + 32];
        _cleanup_(http_call_unrefp) HttpCall *call = NULL;
        int r;

        r = volumes_receiver(volumes, volume, &parties, volume_url);
        if (r < 0)
                return r;

        (void) snprintf(url, sizeof(url), "%s%s", volume_url, path);
        r = http_call_new(client, "POST", url, &call);
        if (r < 0)
                return r;
        http_call_set_body(call, body);
        r = http_call_sign(call, &parties);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(call);
        return 0;
}

int order_result(const HttpResult *result) {
        int r;

        if (result->error < 0 || result->status == 200)
                return result->error;
        if (result->status < 400)
                return -EREMOTEIO;

        /* What came before, because a connection broke, is sent under another number. */
        r = -error_from_http_status(result->status);
        return r == -EEXIST ? -EINPROGRESS : r;
}
