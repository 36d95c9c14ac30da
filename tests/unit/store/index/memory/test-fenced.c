/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <string.h>

#include "store/index/memory/fenced.h"

static Fenced fenced;

static int clear(void **state) {
        memset(&fenced, 0, sizeof(fenced));
        return 0;
}

static void set_one(uint32_t volume) {
        fenced_set(&fenced, &volume, 1);
}

TEST(a_volume_is_fenced_at_once_and_only_it) {
        const uint32_t volumes[] = { 3, VOLUME_MAX };

        fenced_set(&fenced, volumes, 2);
        for (uint32_t volume = 0; volume <= VOLUME_MAX; volume++)
                assert_int_equal(fenced_has(&fenced, volume), volume == 3 || volume == VOLUME_MAX);
        assert_false(fenced_has(&fenced, VOLUME_MAX + 1));
        assert_false(fenced_has(&fenced, UINT32_MAX));
}

TEST(a_new_list_takes_the_place_of_the_old_one) {
        set_one(3);
        fenced_keep(&fenced);
        set_one(4);
        fenced_keep(&fenced);
        assert_false(fenced_has(&fenced, 3));
        assert_true(fenced_has(&fenced, 4));

        fenced_set(&fenced, NULL, 0);
        fenced_keep(&fenced);
        assert_false(fenced_has(&fenced, 4));
}

/* However often it has changed them. */
TEST(a_transaction_that_is_rolled_back_leaves_what_was_before_it) {
        set_one(3);
        fenced_keep(&fenced);

        set_one(4);
        set_one(5);
        fenced_undo(&fenced);
        assert_true(fenced_has(&fenced, 3));
        assert_false(fenced_has(&fenced, 4));
        assert_false(fenced_has(&fenced, 5));
}

TEST(a_transaction_without_changes_ends_without_any) {
        set_one(3);
        fenced_keep(&fenced);
        fenced_undo(&fenced);
        fenced_keep(&fenced);
        assert_true(fenced_has(&fenced, 3));
}

TEST(the_stored_form_is_this) {
        static const uint8_t expected[] = "\x01\x03\x00\x00\x00\xff\x0f\x00\x00";
        const uint32_t volumes[] = { 3, 0xfff };
        Buffer buffer = {};

        fenced_encode(volumes, 2, &buffer);
        assert_int_equal(buffer.size, sizeof(expected) - 1);
        assert_memory_equal(buffer.data, expected, buffer.size);

        set_one(7);
        fenced_keep(&fenced);
        assert_int_equal(fenced_decode(&fenced, buffer.data, buffer.size), 0);
        assert_true(fenced_has(&fenced, 3) && fenced_has(&fenced, 0xfff));
        assert_false(fenced_has(&fenced, 7));
        buffer_done(&buffer);
}

TEST(what_is_cut_or_unknown_is_refused) {
        const uint32_t volumes[] = { 3, 4 }, too_high = VOLUME_MAX + 1;
        Buffer buffer = {};

        fenced_encode(volumes, 2, &buffer);
        for (size_t size = 0; size < buffer.size; size++) {
                int r = fenced_decode(&fenced, buffer.data, size);

                assert_int_equal(r, size % 4 == 1 ? 0 : -EBADMSG);
        }
        buffer.data[0] = 2;
        assert_int_equal(fenced_decode(&fenced, buffer.data, buffer.size), -EPROTONOSUPPORT);

        buffer_clear(&buffer);
        fenced_encode(&too_high, 1, &buffer);
        assert_int_equal(fenced_decode(&fenced, buffer.data, buffer.size), -EBADMSG);
        buffer_done(&buffer);
}

#define RUN(name) cmocka_unit_test_setup(name, clear)

int main(void) {
        const struct CMUnitTest tests[] = {
                RUN(a_volume_is_fenced_at_once_and_only_it),
                RUN(a_new_list_takes_the_place_of_the_old_one),
                RUN(a_transaction_that_is_rolled_back_leaves_what_was_before_it),
                RUN(a_transaction_without_changes_ends_without_any),
                RUN(the_stored_form_is_this),
                RUN(what_is_cut_or_unknown_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
