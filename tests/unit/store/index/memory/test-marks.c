/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <string.h>

#include "store/index/memory/marks.h"

static Marks marks;

static int clear(void **state) {
        memset(&marks, 0, sizeof(marks));
        return 0;
}

TEST(a_mark_is_seen_when_its_transaction_is_committed) {
        marks_raise(&marks, 3, 100, 7);
        assert_true(marks_have_changed(&marks));
        assert_int_equal(marks_get(&marks, 3), 0);
        assert_int_equal(atomic_load(&marks.changed_usec), 0);

        marks_keep(&marks);
        assert_int_equal(marks_get(&marks, 3), 100);
        assert_int_equal(atomic_load(&marks.changed_usec), 7);
        assert_false(marks_have_changed(&marks));
}

TEST(a_transaction_that_is_rolled_back_leaves_the_marks_as_they_were) {
        marks_raise(&marks, 3, 100, 7);
        marks_keep(&marks);

        marks_raise(&marks, 3, 200, 8);
        marks_raise(&marks, 4, 50, 8);
        marks_undo(&marks);
        assert_false(marks_have_changed(&marks));
        assert_int_equal(marks_get(&marks, 3), 100);
        assert_int_equal(marks_get(&marks, 4), 0);
        assert_int_equal(atomic_load(&marks.changed_usec), 7);

        marks_keep(&marks);
        assert_int_equal(atomic_load(&marks.changed_usec), 7);

        /* And what it had raised can be raised again. */
        marks_raise(&marks, 4, 50, 9);
        marks_keep(&marks);
        assert_int_equal(marks_get(&marks, 4), 50);
}

TEST(nothing_lowers_a_mark) {
        marks_raise(&marks, 3, 100, 7);
        marks_keep(&marks);
        marks_raise(&marks, 3, 99, 8);
        marks_raise(&marks, 3, 100, 8);
        assert_false(marks_have_changed(&marks));
        marks_keep(&marks);
        assert_int_equal(marks_get(&marks, 3), 100);
}

TEST(a_volume_that_cannot_be_has_no_mark) {
        marks_raise(&marks, VOLUME_MAX + 1, 100, 7);
        marks_raise(&marks, UINT32_MAX, 100, 7);
        assert_false(marks_have_changed(&marks));
        assert_int_equal(marks_get(&marks, VOLUME_MAX + 1), 0);
        assert_int_equal(marks_get(&marks, UINT32_MAX), 0);

        marks_raise(&marks, VOLUME_MAX, 100, 7);
        marks_keep(&marks);
        assert_int_equal(marks_get(&marks, VOLUME_MAX), 100);
}

TEST(the_stored_form_is_this) {
        static const uint8_t expected[] = "\x01"
                                          "\x09\x00\x00\x00\x00\x00\x00\x00"
                                          "\x02\x00\x00\x00\x11\x00\x00\x00\x00\x00\x00\x00"
                                          "\x05\x00\x00\x00\x22\x00\x00\x00\x00\x00\x00\x00";
        Buffer buffer = {};

        marks_raise(&marks, 5, 0x22, 8);
        marks_raise(&marks, 2, 0x11, 9);
        marks_encode(&marks, &buffer);
        assert_int_equal(buffer.size, sizeof(expected) - 1);
        assert_memory_equal(buffer.data, expected, buffer.size);
        buffer_done(&buffer);
}

TEST(what_is_stored_is_read_back) {
        static Marks other;
        Buffer buffer = {};

        memset(&other, 0, sizeof(other));
        for (uint32_t volume = 1; volume <= VOLUME_MAX; volume += 7)
                marks_raise(&marks, volume, UINT64_C(1000000007) * volume, volume);
        marks_keep(&marks);
        marks_encode(&marks, &buffer);

        assert_int_equal(marks_decode(&other, buffer.data, buffer.size), 0);
        for (uint32_t volume = 0; volume <= VOLUME_MAX; volume++)
                assert_true(marks_get(&other, volume) == marks_get(&marks, volume));
        assert_true(atomic_load(&other.changed_usec) == atomic_load(&marks.changed_usec));
        assert_false(marks_have_changed(&other));
        buffer_done(&buffer);
}

TEST(what_is_cut_or_unknown_is_refused) {
        Buffer buffer = {};

        marks_raise(&marks, 5, 0x22, 8);
        marks_encode(&marks, &buffer);
        for (size_t size = 0; size < buffer.size; size++) {
                static Marks other;

                /* Behind the time there may be any number of volumes, none among them. */
                assert_int_equal(marks_decode(&other, buffer.data, size), size == 9 ? 0 : -EBADMSG);
        }

        buffer.data[0] = 2;
        assert_int_equal(marks_decode(&marks, buffer.data, buffer.size), -EPROTONOSUPPORT);
        buffer_done(&buffer);
}

TEST(a_stored_volume_that_cannot_be_is_refused) {
        Buffer buffer = {};

        buffer_put_u8(&buffer, 1);
        buffer_put_u64(&buffer, 0);
        buffer_put_u32(&buffer, VOLUME_MAX + 1);
        buffer_put_u64(&buffer, 7);
        assert_int_equal(marks_decode(&marks, buffer.data, buffer.size), -EBADMSG);
        buffer_done(&buffer);
}

static uint64_t next(uint64_t *random) {
        *random = *random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        return *random >> 33;
}

/* Transactions of some raises each, of which every third is rolled back. */
TEST(any_transactions_leave_what_a_simple_model_says) {
        for (uint64_t seed = 1; seed <= 20; seed++) {
                uint64_t model[32] = {}, in_transaction[32], random = seed;

                memset(&marks, 0, sizeof(marks));
                for (unsigned i = 0; i < 500; i++) {
                        memcpy(in_transaction, model, sizeof(model));
                        for (uint64_t n = next(&random) % 5; n > 0; n--) {
                                uint32_t volume = (uint32_t) (next(&random) % ELEMENTSOF(model));
                                uint64_t version = next(&random) % 10000;

                                marks_raise(&marks, volume, version, i);
                                in_transaction[volume] = MAX(in_transaction[volume], version);
                        }
                        if (next(&random) % 3 == 0)
                                marks_undo(&marks);
                        else {
                                marks_keep(&marks);
                                memcpy(model, in_transaction, sizeof(model));
                        }
                        for (uint32_t volume = 0; volume < ELEMENTSOF(model); volume++)
                                assert_true(marks_get(&marks, volume) == model[volume]);
                }
        }
}

#define RUN(name) cmocka_unit_test_setup(name, clear)

int main(void) {
        const struct CMUnitTest tests[] = {
                RUN(a_mark_is_seen_when_its_transaction_is_committed),
                RUN(a_transaction_that_is_rolled_back_leaves_the_marks_as_they_were),
                RUN(nothing_lowers_a_mark),
                RUN(a_volume_that_cannot_be_has_no_mark),
                RUN(the_stored_form_is_this),
                RUN(what_is_stored_is_read_back),
                RUN(what_is_cut_or_unknown_is_refused),
                RUN(a_stored_volume_that_cannot_be_is_refused),
                RUN(any_transactions_leave_what_a_simple_model_says),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
