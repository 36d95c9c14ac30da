/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Pull: fetches copies from other volumes because the master wants them here; see core/call/wire.h.
 * It is answered when each of them is durable or given up.
 *
 * Values pass through as they come: those that this volume keeps in files are never in memory as a
 * whole. Each is compared with its checksum before it counts. */

#include "rpc/client.h"
#include "store/object/workers.h"
#include "volume/call/activity.h"
#include "volume/link/caller.h"
#include "volume/upkeep/copies.h"

/* None of it is owned; it outlives the requests. */
typedef struct PullOptions {
        const Callers *callers;
        const Copies *copies;
        HttpClient *client; /* its thread writes what comes to files */
        Workers *workers;   /* may block on the disk */
        const Activity *activity;
} PullOptions;

/* For the table of calls. */
int pull_finish(const PullOptions *options, RpcRequest *request);
