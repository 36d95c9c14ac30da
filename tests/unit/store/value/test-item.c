/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>

#include "core/record.h"
#include "store/value/item.h"

static const Item pointer = {
        .is_pointer = true,
        .is_inline = true,
        .value_size = 1024,
        .place = { 7, 123456 },
        .size = 1100,
};

TEST(a_pointer_comes_back_and_is_small) {
        _cleanup_(buffer_done) Buffer buffer = {};
        Item item;

        item_encode(&pointer, &buffer);
        assert_in_range(buffer.size, 1, 16);
        assert_int_equal(item_decode(buffer.data, buffer.size, &item), 0);
        assert_true(item.is_pointer && item.is_inline);
        assert_int_equal(item.value_size, 1024);
        assert_int_equal(item.place.file, 7);
        assert_int_equal(item.place.offset, 123456);
        assert_int_equal(item.size, 1100);
}

TEST(it_says_whether_there_is_a_file) {
        _cleanup_(buffer_done) Buffer buffer = {};
        Item item = pointer;

        item.is_inline = false;
        item_encode(&item, &buffer);
        assert_int_equal(item_decode(buffer.data, buffer.size, &item), 0);
        assert_true(item.is_pointer && !item.is_inline);
}

TEST(an_object_is_an_item_too) {
        const Object object = {
                .record = { .version = 1, .size = 3, .content_type = "", .metadata = "" },
                .key = "k",
                .is_inline = true,
                .value = "abc",
        };
        _cleanup_(buffer_done) Buffer buffer = {};
        Item item;

        object_encode(&object, &buffer);
        assert_int_equal(item_decode(buffer.data, buffer.size, &item), 0);
        assert_true(!item.is_pointer && item.is_inline);
        assert_int_equal(item.value_size, 3);
        assert_int_equal(item.size, buffer.size);
}

TEST(what_is_cut_or_too_long_or_unknown_is_refused) {
        _cleanup_(buffer_done) Buffer buffer = {};
        Item item;

        item_encode(&pointer, &buffer);
        for (size_t size = 0; size < buffer.size; size++)
                assert_true(item_decode(buffer.data, size, &item) < 0);
        buffer_put_u8(&buffer, 0);
        assert_int_equal(item_decode(buffer.data, buffer.size, &item), -EBADMSG);
        buffer.data[0] = 0x33;
        assert_int_equal(item_decode(buffer.data, buffer.size, &item), -EPROTONOSUPPORT);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_pointer_comes_back_and_is_small),
                cmocka_unit_test(it_says_whether_there_is_a_file),
                cmocka_unit_test(an_object_is_an_item_too),
                cmocka_unit_test(what_is_cut_or_too_long_or_unknown_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
