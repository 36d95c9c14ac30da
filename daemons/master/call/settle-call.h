/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Settle call: a volume asks what became of objects in doubt. What is not current becomes garbage,
 * and is never committed again. */

#include "rpc/rpc-request.h"

/* For the route table. */
int settle_call_finish(RpcRequest *request);
