/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Order: a call of the master that this volume follows; and what calls of others have in common
 * with it. They are refused before any of their body is kept. */

#include "http/request.h"
#include "rpc/rpc-call.h"
#include "volume/link/allegiance.h"

typedef struct VolumeDaemon VolumeDaemon;

/* For the route table: refuses what is no order to this store, see allegiance_check_order(). */
int order_begin(HttpRequest *request);

/* What such functions begin with: refuses a call that CHECK says not to be for this volume, or that
 * has no good signature. */
int call_begin(HttpRequest *request, int (*check)(Allegiance *allegiance, const Parties *parties));

/* Returns 0 and the body; -EACCES if that is not the one that was announced, -EKEYREVOKED if the
 * order is one no longer. */
int order_read(HttpRequest *request, const Buffer **ret_body);

/* Likewise, for calls of other volumes of the cluster. */
int neighbor_begin(HttpRequest *request);
int neighbor_read(HttpRequest *request, const Buffer **ret_body);

/* Calls the master, as rpc_call() does. Returns 0, -EINPROGRESS while there is no leader that this
 * volume follows, or another negative errno. */
int master_call(VolumeDaemon *volume,
                CallKind kind,
                Buffer *body,
                void (*on_done)(HttpCall *call, const HttpResult *result, void *userdata),
                void *userdata);

/* What the answer says: 0 for a status of 2xx, or a negative errno. When that says that the master
 * does not know this volume, it will soon. */
int master_call_result(VolumeDaemon *volume, const HttpResult *result);
