/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/placement/volume-state.h"

const char *volume_state_to_string(VolumeState state) {
        static const char *const names[_VOLUME_STATE_MAX] = {
                [VOLUME_NEW] = "new",
                [VOLUME_ACTIVE] = "active",
                [VOLUME_DRAINING] = "draining",
                [VOLUME_REMOVED] = "removed",
        };

        assert(state >= 0 && state < _VOLUME_STATE_MAX);

        return names[state];
}

bool volume_state_may_follow(VolumeState from, VolumeState to) {
        static const bool allowed[_VOLUME_STATE_MAX][_VOLUME_STATE_MAX] = {
                [VOLUME_NEW] = { [VOLUME_ACTIVE] = true, [VOLUME_REMOVED] = true },
                [VOLUME_ACTIVE] = { [VOLUME_DRAINING] = true, [VOLUME_REMOVED] = true },
                [VOLUME_DRAINING] = { [VOLUME_ACTIVE] = true, [VOLUME_REMOVED] = true },
        };

        assert(from >= 0 && from < _VOLUME_STATE_MAX);
        assert(to >= 0 && to < _VOLUME_STATE_MAX);

        return from == to || allowed[from][to];
}
