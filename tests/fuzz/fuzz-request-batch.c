/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "fuzz.h"
#include "store/index/request-batch.h"

/* Encodes all requests of a batch once more. Returns how many they are, or a negative errno. */
static int encode_again(const void *data, size_t size, Buffer *ret) {
        RequestBatch batch;
        int n, r;

        r = request_batch_open(data, size, &batch);
        if (r < 0)
                return r;

        request_batch_begin(batch.term, ret);
        for (n = 0;; n++) {
                DecodedRequest request;

                r = request_batch_next(&batch, &request);
                if (r > 0)
                        request_batch_add(&request.request, ret);
                request_done(&request);
                if (r <= 0)
                        return r < 0 ? r : n;
        }
}

/* As for one request: what is decoded is what would be encoded, once it was encoded. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(buffer_done) Buffer first = {}, second = {};
        int n;

        n = encode_again(data, size, &first);
        assert(n != 0);
        if (n > 0) {
                assert(buffer_error(&first) == 0);
                assert(encode_again(first.data, first.size, &second) == n);
                assert(first.size == second.size &&
                       memcmp(first.data, second.data, first.size) == 0);
        }
        return 0;
}
