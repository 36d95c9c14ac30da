/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>

#include "master/cluster/run.h"
#include "master/link/order.h"

int order_send(Volumes *volumes, const Order *order, RpcCallHandle **ret) {
        char url[VOLUME_URL_SIZE];
        Parties parties;
        int r;

        r = volumes_receiver(volumes, order->volume, &parties, url);
        if (r < 0)
                return r;

        return rpc_call(
                        &(RpcCall){
                                        .peers = order->peers,
                                        .kind = order->kind,
                                        .url = url,
                                        .parties = &parties,
                                        .body = order->body,
                                        .timeout_usec = order->timeout_usec,
                                        .on_done = order->on_done,
                                        .userdata = order->userdata,
                        },
                        ret);
}
