/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The states of a volume, from the first report to its removal, and which may follow which. */

#include <stdbool.h>

#include "base/macro.h"

typedef enum VolumeState {
        VOLUME_NEW,      /* known, holds nothing, waits to be added */
        VOLUME_ACTIVE,   /* takes part in placement */
        VOLUME_DRAINING, /* read, no longer written */
        VOLUME_REMOVED,  /* gone; the number is never used again */
        _VOLUME_STATE_MAX,
} VolumeState;

const char *volume_state_to_string(VolumeState state) _const_;

/* Whether a volume may go from one state to the other, or is in that already. A removed one stays
 * removed, and none is new again. */
bool volume_state_may_follow(VolumeState from, VolumeState to) _const_;
