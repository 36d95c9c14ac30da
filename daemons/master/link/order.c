/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>

#include "http/status.h"
#include "master/cluster/run.h"
#include "master/link/order.h"

int order_send(Volumes *volumes, const Order *order, HttpCall **ret) {
        char url[VOLUME_URL_SIZE];
        Parties parties;
        int r;

        r = volumes_receiver(volumes, order->volume, &parties, url);
        if (r < 0)
                return r;

        return rpc_call(
                        &(RpcCall){
                                        .client = order->client,
                                        .kind = order->kind,
                                        .url = url,
                                        .parties = &parties,
                                        .body = order->body,
                                        .stall_timeout_usec = order->stall_timeout_usec,
                                        .on_done = order->on_done,
                                        .userdata = order->userdata,
                        },
                        ret);
}

int order_result(const HttpResult *result) {
        int r;

        if (result->error < 0 || result->status == 200)
                return result->error;
        if (result->status < 400)
                return -EREMOTEIO;

        /* What came before, because a connection broke, is sent under another number. */
        r = -http_status_to_error(result->status);
        return r == -EEXIST ? -EINPROGRESS : r;
}
