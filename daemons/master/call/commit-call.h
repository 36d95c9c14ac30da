/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Commit call: a volume asks to make stored versions current; each is answered alone. */

#include "rpc/rpc-request.h"

/* For the route table. */
int commit_call_finish(RpcRequest *request);
