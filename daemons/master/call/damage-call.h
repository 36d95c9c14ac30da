/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Damage call: a volume tells which of its copies it found damaged; each becomes a mark in the
 * index (see store/index/damage.h). */

#include "rpc/rpc-request.h"

int damage_call_finish(RpcRequest *request);
