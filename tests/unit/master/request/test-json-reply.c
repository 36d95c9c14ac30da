/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include "core/etag.h"
#include "master/request/json-reply.h"

TEST(a_record_is_told_in_the_words_of_the_headers) {
        _cleanup_(json_freep) Json *json = json_new_object();
        Record record = {
                .version = 99, /* which is nobody's business */
                .revision = 7,
                .size = UINT64_C(5000000000),
                .mtime_usec = UINT64_C(1767323045000000),
                .checksum = checksum_of("value", 5),
        };
        char etag[ETAG_SIZE];
        uint64_t figure;

        etag_of_checksum(&record.checksum, etag);
        assert_ok(json_reply_add_record(json, &record));
        assert_ok(json_get_uint(json, "version", &figure));
        assert_int_equal(figure, 7);
        assert_ok(json_get_uint(json, "size", &figure));
        assert_int_equal(figure, UINT64_C(5000000000));
        assert_string_equal(json_get_string(json, "etag"), etag);
        assert_string_equal(json_get_string(json, "mtime"), "2026-01-02T03:04:05Z");
}

/* Whatever a record says, the answer stays one that can be read. */
TEST(any_time_of_a_record_is_told) {
        static const struct {
                uint64_t usec;
                const char *text;
        } rows[] = {
                { 0, "1970-01-01T00:00:00Z" },
                { 999999, "1970-01-01T00:00:00Z" },
                { UINT64_C(951782400000000), "2000-02-29T00:00:00Z" },
                { UINT64_C(253402300799000000), "9999-12-31T23:59:59Z" },
                { UINT64_C(253402300800000000), "10000-01-01T00:00:00Z" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_(json_freep) Json *json = json_new_object();

                assert_ok(json_reply_add_record(json, &(Record){ .mtime_usec = rows[i].usec }));
                assert_string_equal(json_get_string(json, "mtime"), rows[i].text);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_record_is_told_in_the_words_of_the_headers),
                cmocka_unit_test(any_time_of_a_record_is_told),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
