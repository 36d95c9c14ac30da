/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "rpc/channel-types.h"

#define CALL_ENTRY(name, path, caller, receiver, body, answer, ...) \
        [CALL_##name] = { .body_max = body, .answer_max = answer },

const ChannelCallType rpc_channel_types[_CALL_MAX] = { CALLS(CALL_ENTRY) };
