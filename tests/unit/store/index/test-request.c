/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <string.h>

#include "random-requests.h"

#define EACH 200 /* of each type */

static void encode(const IndexRequest *request, Buffer *buffer) {
        buffer_clear(buffer);
        request_encode(request, buffer);
        assert_int_equal(buffer_error(buffer), 0);
}

static void with_each(void (*test)(const Buffer *encoded, RequestType type)) {
        RandomSource source = { .state = 1, .version = 1000 };
        _cleanup_(buffer_done) Buffer encoded = {};
        RandomRequest request;

        for (RequestType type = 1; type < _REQUEST_TYPE_MAX; type++)
                for (unsigned i = 0; i < EACH; i++) {
                        random_request(&source, type, &request);
                        encode(&request.decoded.request, &encoded);
                        test(&encoded, type);
                }
}

static void check_round_trip(const Buffer *encoded, RequestType type) {
        _cleanup_(buffer_done) Buffer again = {};
        DecodedRequest decoded;

        assert_int_equal(request_decode(encoded->data, encoded->size, &decoded), 0);
        assert_int_equal(decoded.request.type, type);
        encode(&decoded.request, &again);
        assert_int_equal(again.size, encoded->size);
        assert_memory_equal(again.data, encoded->data, encoded->size);
        request_done(&decoded);
}

TEST(what_is_decoded_is_what_was_encoded) {
        with_each(check_round_trip);
}

static void check_cuts(const Buffer *encoded, RequestType type) {
        for (size_t size = 0; size < encoded->size; size++) {
                _cleanup_free_ uint8_t *cut = malloc(size + 1);
                DecodedRequest decoded;

                memcpy(cut, encoded->data, size);
                assert_int_equal(request_decode(cut, size, &decoded), -EBADMSG);
                request_done(&decoded);
        }
}

TEST(a_request_that_is_cut_is_refused) {
        with_each(check_cuts);
}

static void check_tail(const Buffer *encoded, RequestType type) {
        _cleanup_(buffer_done) Buffer longer = {};
        DecodedRequest decoded;

        buffer_put(&longer, encoded->data, encoded->size);
        buffer_put_u8(&longer, 0);
        assert_int_equal(request_decode(longer.data, longer.size, &decoded), -EBADMSG);
        request_done(&decoded);
}

TEST(bytes_behind_a_request_are_refused) {
        with_each(check_tail);
}

/* The first bytes: format, type, whether there was room. */
TEST(unknown_formats_and_types_are_refused) {
        static const struct {
                uint8_t offset, value;
                int error;
        } cases[] = {
                { 0, 0, -EPROTONOSUPPORT },   { 0, 2, -EPROTONOSUPPORT },
                { 1, 0, -EPROTONOSUPPORT },   { 1, _REQUEST_TYPE_MAX, -EPROTONOSUPPORT },
                { 1, 255, -EPROTONOSUPPORT }, { 2, 2, -EBADMSG },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                IndexDelete deletion = { .request.type = REQUEST_DELETE, .key = "k" };
                _cleanup_(buffer_done) Buffer encoded = {};
                DecodedRequest decoded;

                encode(&deletion.request, &encoded);
                encoded.data[cases[i].offset] = cases[i].value;
                assert_int_equal(
                                request_decode(encoded.data, encoded.size, &decoded),
                                cases[i].error);
                request_done(&decoded);
        }
}

static void assert_refused(const IndexRequest *request) {
        _cleanup_(buffer_done) Buffer encoded = {};
        DecodedRequest decoded;

        encode(request, &encoded);
        assert_int_equal(request_decode(encoded.data, encoded.size, &decoded), -EBADMSG);
        request_done(&decoded);
}

/* What another index sends has to be what this one would have sent. */
TEST(what_no_index_would_ask_for_is_refused) {
        static char long_key[1100];
        const uint32_t far = VOLUME_MAX + 1;
        IndexDelete empty = { .request.type = REQUEST_DELETE, .key = "" };
        IndexDelete too_long = { .request.type = REQUEST_DELETE, .key = long_key };
        IndexSet private = { .request.type = REQUEST_SET, .name = ".counters" };
        IndexFences fences = { .request.type = REQUEST_FENCES, .volumes = &far, .n_volumes = 1 };
        IndexMove move = { .request.type = REQUEST_MOVE, .key = "k", .add = far };
        IndexSettle settle = { .request.type = REQUEST_SETTLE, .volume = far };
        IndexCollected collected = { .request.type = REQUEST_COLLECTED, .n_gone = 1 };
        IndexDamageItem item = { .key = "k", .kind = _DAMAGE_KIND_MAX };
        IndexDamage damage = { .request.type = REQUEST_DAMAGE, .items = &item, .n_items = 1 };

        memset(long_key, 'k', sizeof(long_key) - 1);
        assert_refused(&empty.request);
        assert_refused(&too_long.request);
        assert_refused(&private.request);
        assert_refused(&fences.request);
        assert_refused(&move.request);
        assert_refused(&settle.request);
        assert_refused(&collected.request);
        assert_refused(&damage.request);
}

/* A count must not make it allocate more than the bytes could hold. */
TEST(a_count_that_lies_is_refused) {
        _cleanup_(buffer_done) Buffer encoded = {};
        DecodedRequest decoded;

        buffer_put_u8(&encoded, 1);
        buffer_put_u8(&encoded, REQUEST_FENCES);
        buffer_put_u8(&encoded, 1);
        buffer_put_u64(&encoded, 0);
        buffer_put_varint(&encoded, UINT64_MAX);
        assert_int_equal(request_decode(encoded.data, encoded.size, &decoded), -EBADMSG);
        request_done(&decoded);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_decoded_is_what_was_encoded),
                cmocka_unit_test(a_request_that_is_cut_is_refused),
                cmocka_unit_test(bytes_behind_a_request_are_refused),
                cmocka_unit_test(unknown_formats_and_types_are_refused),
                cmocka_unit_test(what_no_index_would_ask_for_is_refused),
                cmocka_unit_test(a_count_that_lies_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
