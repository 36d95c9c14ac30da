/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Routes: what a volume answers. Over HTTP, values to clients with a ticket, its health to
 * everybody, and what is too early or too long for a channel to other daemons; over channels, the
 * master's orders. */

#include "http/server.h"
#include "volume/call/check.h"
#include "volume/call/delete-call.h"
#include "volume/call/fetch.h"
#include "volume/call/hello.h"
#include "volume/call/pull.h"
#include "volume/call/store-call.h"
#include "volume/request/get.h"
#include "volume/request/health.h"
#include "volume/request/upload.h"

/* What each handler needs. This is the userdata of the server. */
typedef struct VolumeRoutes {
        const Callers *callers;
        RpcService *calls; /* not owned */
        HealthOptions health;
        HelloOptions hello;
        StoreCallOptions store;
        DeleteCallOptions delete;
        PullOptions pull;
        CheckOptions check;
        const Copies *fetch;
        GetOptions get;
        UploadOptions upload;
} VolumeRoutes;

extern const HttpRoute volume_routes[];

/* What an RPC service needs to take the calls of the master. ROUTES must outlive it. */
RpcServiceOptions volume_calls(VolumeRoutes *routes);
