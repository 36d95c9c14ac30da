/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Check: tells the master which of given versions this volume has; see core/call/wire.h. Whole
 * values are read one after another on the verifier's thread. */

#include "store/object/workers.h"
#include "volume/link/caller.h"
#include "volume/upkeep/copies.h"

/* None of it is owned; it outlives the requests. */
typedef struct CheckOptions {
        const Callers *callers;
        const Copies *copies;
        Workers *workers; /* may block on the disk */
} CheckOptions;

/* For the table of calls. */
int check_finish(const CheckOptions *options, RpcRequest *request);
