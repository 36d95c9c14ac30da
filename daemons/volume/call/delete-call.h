/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Delete call: an order to delete versions; see core/call/wire.h and upkeep/deletions.h. */

#include "volume/link/caller.h"
#include "volume/upkeep/deletions.h"
#include "volume/upkeep/faults.h"

/* None of it is owned. */
typedef struct DeleteCallOptions {
        const Callers *callers;
        Deletions *deletions;
        Faults *faults;
} DeleteCallOptions;

/* For the table of calls. */
int delete_call_finish(const DeleteCallOptions *options, RpcRequest *request);
