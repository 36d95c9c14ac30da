/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "master/move/stray.h"
#include "store/index/garbage.h"
#include "store/index/move.h"

#define ITEMS_MAX 4096

bool stray_exists(Index *index, const Stray *stray) {
        return index_is_stray(index, stray->version, stray->volume);
}

/* Of more than ITEMS_MAX this finds a time that is too early rather than none. */
uint64_t stray_due(Index *index, const Stray *stray) {
        _cleanup_free_ Garbage *items = calloc(ITEMS_MAX, sizeof(*items));
        uint64_t due = 0;
        int n;

        if (!items)
                return 0;

        n = index_garbage(index, stray->volume, UINT64_MAX - 1, items, ITEMS_MAX);
        for (int i = 0; i < n; i++) {
                due = items[i].due_usec;
                if (items[i].version == stray->version)
                        break;
        }
        return due;
}
