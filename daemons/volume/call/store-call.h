/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Store call: many small objects to store, in one order of the master; see core/call/wire.h. It is
 * answered when all of them are durable or have failed. */

#include "base/buffer.h"
#include "volume/call/activity.h"
#include "volume/link/caller.h"
#include "volume/upkeep/copies.h"

/* None of it is owned. */
typedef struct StoreCallOptions {
        const Callers *callers;
        const Copies *copies;
        Activity *activity;
} StoreCallOptions;

/* For the table of calls. */
int store_call_finish(const StoreCallOptions *options, RpcRequest *request);

/* Takes the versions at the beginning of a body off what is pending: their writes are committed.
 * Returns 0 or -EBADMSG. */
int store_call_read_confirmed(Pending *pending, Reader *reader);
