/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>

#include "store/entries/entry-record.h"

static int decode(uint8_t kind, const Buffer *buffer, size_t size, EntryRecord *ret) {
        LogEntry entry = { .kind = kind, .tag = 7, .size = (uint32_t) size, .data = buffer->data };

        return entry_record_decode(&entry, ret);
}

TEST(a_record_comes_back) {
        _cleanup_(buffer_done) Buffer buffer = {};
        EntryRecord record = { ENTRY_REQUESTS, 7, 3, 5, "hello" }, found;

        entry_record_encode(&record, &buffer);
        assert_int_equal(decode(ENTRY_REQUESTS, &buffer, buffer.size, &found), 0);
        assert_int_equal(found.index, 7);
        assert_int_equal(found.term, 3);
        assert_int_equal(found.size, 5);
        assert_memory_equal(found.data, "hello", 5);
        assert_true(entry_record_is_entry(&found));
}

TEST(what_is_no_record_is_refused) {
        _cleanup_(buffer_done) Buffer buffer = {};
        EntryRecord record = { RECORD_CUT, 7, 3, 0, NULL }, found;

        entry_record_encode(&record, &buffer);
        for (unsigned kind = 0; kind < 256; kind++) {
                bool is_known = (kind > 0 && kind < _ENTRY_TYPE_MAX) ||
                                (kind >= RECORD_BEGIN && kind <= RECORD_RESET);

                assert_int_equal(
                                decode((uint8_t) kind, &buffer, buffer.size, &found),
                                is_known ? 0 : -EPROTONOSUPPORT);
        }
        for (size_t size = 0; size < 8; size++)
                assert_int_equal(decode(RECORD_CUT, &buffer, size, &found), -EBADMSG);
        buffer_put_u8(&buffer, 0);
        assert_int_equal(decode(RECORD_CUT, &buffer, buffer.size, &found), -EBADMSG);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_record_comes_back),
                cmocka_unit_test(what_is_no_record_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
