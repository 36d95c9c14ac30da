/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Fetch: sends copies to another volume, as many as it asks for, one after another as they come
 * from the disk; see core/call/wire.h.
 *
 * Up to INLINE_MAX a value is verified before its head says that it is good. Of a larger one the
 * first block is; if a later one turns out to be damaged, the answer ends there. */

#include "http/server.h"
#include "volume/upkeep/copies.h"

/* For the route table. COPIES is not owned and outlives the requests. */
int fetch_finish(const Copies *copies, HttpRequest *request);
