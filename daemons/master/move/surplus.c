/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "master/move/surplus.h"
#include "store/index/garbage.h"
#include "store/index/move.h"

#define ITEMS_MAX 4096

bool surplus_exists(Index *index, const Surplus *surplus) {
        return index_is_surplus(index, surplus->version, surplus->volume);
}

/* Of more than ITEMS_MAX this finds a time that is too early rather than none. */
uint64_t surplus_due(Index *index, const Surplus *surplus) {
        _cleanup_free_ Garbage *items = calloc(ITEMS_MAX, sizeof(*items));
        uint64_t due = 0;
        int n;

        if (!items)
                return 0;

        n = index_garbage(index, surplus->volume, UINT64_MAX - 1, items, ITEMS_MAX);
        for (int i = 0; i < n; i++) {
                due = items[i].due_usec;
                if (items[i].version == surplus->version)
                        break;
        }
        return due;
}
