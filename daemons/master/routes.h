/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Routes: what the master answers, to clients over HTTP and to volumes over channels. */

#include "http/server.h"
#include "master/request/requests.h"
#include "rpc/rpc-service.h"

extern const HttpRoute master_routes[];

/* What an RPC service needs to take the calls of volumes. REQUESTS must outlive it. */
RpcServiceOptions master_calls(Requests *requests, Secret *secret);
