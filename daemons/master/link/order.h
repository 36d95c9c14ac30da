/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Order: a call of the master to a volume. It names the store and the run that the master has heard
 * of in this term, so nobody else carries it out. */

#include "master/cluster/volumes.h"
#include "rpc/rpc-call.h"

/* All but VOLUME as in RpcCall. */
typedef struct Order {
        uint32_t volume;
        CallKind kind;
        Peers *peers;
        Buffer *body;
        uint64_t timeout_usec;
        void (*on_done)(const RpcResult *result, void *userdata);
        void *userdata;
} Order;

/* Sends the order, as rpc_call() does. RET is optional. Returns 0, -ENOENT, -EHOSTDOWN if the
 * volume is down, -EINPROGRESS if it has not reported in this term yet, or another negative errno.
 */
int order_send(Volumes *volumes, const Order *order, RpcCallHandle **ret);
