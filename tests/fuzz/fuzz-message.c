/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "consensus/message-codec.h"
#include "fuzz.h"

static void assert_same_entries(const Entry *a, const Entry *b, size_t n) {
        for (size_t i = 0; i < n; i++) {
                assert(a[i].type == b[i].type && a[i].term == b[i].term && a[i].size == b[i].size);
                assert(a[i].size == 0 || memcmp(a[i].data, b[i].data, a[i].size) == 0);
        }
}

/* What can be decoded is encoded as the same bytes, but for lengths that are longer than need be;
 * and what cannot is refused with a sentence. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ Entry *entries = NULL, *entries_again = NULL;
        _cleanup_(buffer_done) Buffer buffer = {};
        Message message, again;
        const char *why = NULL;
        int r;

        r = message_decode(data, size, &message, &entries, &why);
        if (r < 0) {
                assert((r == -EBADMSG || r == -EPROTONOSUPPORT) && strlen(why) > 0);
                return 0;
        }

        message_encode(&message, &buffer);
        assert(buffer_error(&buffer) == 0 && buffer.size <= size);
        if (buffer.size == size)
                assert(memcmp(buffer.data, data, size) == 0);
        assert(message_decode(buffer.data, buffer.size, &again, &entries_again, &why) == 0);
        assert_same_entries(entries, entries_again, message.n);
        return 0;
}
