/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Rebalance: makes passes over all keys until one finds that every copy is where placement wants
 * it. Clients that keep writing cannot keep it from ending. */

#include "master/move/pass.h"

/* The kind, for job_queue_add_kind(). PASSES is not owned. */
JobKind rebalance_kind(Passes *passes);
