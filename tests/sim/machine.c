/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "core/checksum.h"
#include "sim/machine.h"

void machine_apply(Machine *machine, uint64_t index, const Item *item) {
        uint64_t what[] = { machine->hash, index, item->term, item->type, item->blob->hash };
        int r;

        assert(index == machine->applied.index + 1);

        machine->hash = checksum_seeded(what, sizeof what, 2);
        machine->applied.index = index;
        machine->applied.term = item->term;
        if (item->type == ENTRY_MEMBERS) {
                r = members_decode(item->blob->data, item->blob->size, &machine->applied.members);
                assert(r >= 0);
                machine->applied.members_index = index;
        }
        if (item->type != ENTRY_REQUESTS)
                return;

        for (size_t i = 0; i < item->blob->size / sizeof(Request); i++) {
                Request request;

                memcpy(&request, item->blob->data + i * sizeof request, sizeof request);
                machine->keys[request.key].write = request.write;
                machine->keys[request.key].revision = index;
        }
}
