/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Channel types: what both ends of a channel between daemons know of its calls, whose kinds are
 * those of core/call/calls.h. */

#include "channel/channel.h"
#include "core/call/calls.h"

/* Of the channels that carry these calls. */
#define RPC_PURPOSE 1

extern const ChannelCallType rpc_channel_types[_CALL_MAX];
