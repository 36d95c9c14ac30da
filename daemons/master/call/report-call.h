/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Report call: a volume tells each second what it is and how full; the answer tells it whom it
 * follows. */

#include "rpc/rpc-request.h"

/* For the route table. */
int report_call_finish(RpcRequest *request);
