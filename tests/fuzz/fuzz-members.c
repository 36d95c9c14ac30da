/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "consensus/members.h"
#include "fuzz.h"

/* What can be decoded is encoded as the same bytes, but for lengths that are longer than need be.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(buffer_done) Buffer buffer = {};
        Members members, again;

        if (members_decode(data, size, &members) < 0)
                return 0;

        assert(members_voters(&members) > 0 && members_voters(&members) <= VOTERS_MAX);
        members_encode(&members, &buffer);
        assert(buffer_error(&buffer) == 0 && buffer.size <= MEMBERS_SIZE_MAX &&
               buffer.size <= size);
        assert(members_decode(buffer.data, buffer.size, &again) == 0);
        assert(memcmp(&members, &again, sizeof members) == 0);
        return 0;
}
