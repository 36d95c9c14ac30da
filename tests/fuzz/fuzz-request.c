/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "fuzz.h"
#include "store/index/request.h"

/* What is decoded is what would be encoded: but for the lengths, which have several forms, and for
 * records of an older form. So it is compared once it was encoded. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(buffer_done) Buffer first = {}, second = {};
        DecodedRequest request, again;

        if (request_decode(data, size, &request) == 0) {
                request_encode(&request.request, &first);
                assert(buffer_error(&first) == 0);
                assert(request_decode(first.data, first.size, &again) == 0);
                request_encode(&again.request, &second);
                assert(first.size == second.size &&
                       memcmp(first.data, second.data, first.size) == 0);
                request_done(&again);
        }
        request_done(&request);
        return 0;
}
