/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "store/index/apply/term.h"
#include "store/index/index-fixture.h"

static const uint8_t stored[] = "\x01"
                                "0123456789abcdef"
                                "\x07\x00\x00\x00\x00\x00\x00\x80";

static Buffer as_buffer(const void *data, size_t size) {
        return (Buffer){ .data = (uint8_t *) data, .size = size };
}

TEST(the_stored_form_of_an_identity_is_this) {
        Buffer buffer = as_buffer(stored, sizeof(stored) - 1);
        IndexIdentity identity = { .leader = 5 };

        assert_int_equal(term_decode(&buffer, &identity), 0);
        assert_memory_equal(identity.cluster, "0123456789abcdef", 16);
        assert_true(identity.term == UINT64_C(0x8000000000000007));
        assert_int_equal(identity.leader, 5); /* it is not stored */
}

TEST(an_identity_that_is_cut_or_unknown_is_refused) {
        uint8_t unknown[sizeof(stored) - 1];
        IndexIdentity identity = {};
        Buffer buffer;

        for (size_t size = 0; size < sizeof(stored); size++) {
                buffer = as_buffer(stored, size == sizeof(stored) - 1 ? sizeof(stored) : size);
                assert_int_equal(term_decode(&buffer, &identity), -EBADMSG);
        }
        memcpy(unknown, stored, sizeof(unknown));
        unknown[0] = 2;
        buffer = as_buffer(unknown, sizeof(unknown));
        assert_int_equal(term_decode(&buffer, &identity), -EPROTONOSUPPORT);
        assert_int_equal(identity.term, 0); /* nothing is returned with an error */
}

TEST(how_far_the_versions_have_come_is_eight_bytes) {
        Buffer buffer = as_buffer("\x41\x42\x0f\x00\x00\x00\x00\x00", 8);
        uint64_t end = 0;

        assert_int_equal(versions_decode(&buffer, &end), 0);
        assert_int_equal(end, 1000001);
        for (size_t size = 0; size < 8; size++) {
                buffer.size = size;
                assert_int_equal(versions_decode(&buffer, &end), -EBADMSG);
        }
        buffer.size = 9;
        assert_int_equal(versions_decode(&buffer, &end), -EBADMSG);
        assert_int_equal(end, 1000001);
}

static uint64_t stored_end(Fixture *fixture) {
        uint64_t end;

        assert_int_equal(
                        environment_get_state(
                                        fixture->index->tables.environment, VERSIONS_STATE,
                                        &fixture->scratch),
                        0);
        assert_int_equal(versions_decode(&fixture->scratch, &end), 0);
        return end;
}

TEST(each_reservation_goes_on_behind_the_one_before) {
        Fixture *fixture = *state;
        uint64_t end = stored_end(fixture);

        for (uint64_t i = 1; i <= 3; i++) {
                IndexReserve reserve = { .count = 10 * i };

                assert_int_equal(
                                submit_and_wait(&fixture->index->submitter, REQUEST_RESERVE,
                                                &reserve.request),
                                0);
                end += 10 * i;
                assert_int_equal(reserve.new_end, end);
                assert_int_equal(stored_end(fixture), end);
        }
}

/* Versions are reserved before they are given out, and a clean end stores the last one. */
TEST(a_clean_end_stores_how_many_versions_were_given_out) {
        Fixture *fixture = *state;
        uint64_t last = 0;

        for (unsigned i = 0; i < 10; i++)
                last = index_next_version(fixture->index, VERSION_DIRECT);
        assert_true(2 * stored_end(fixture) > last + VERSIONS_BLOCK);

        reopen(fixture);
        assert_int_equal(index_next_version(fixture->index, VERSION_DIRECT), last + 2);
}

TEST(each_opening_is_the_next_term_of_the_same_cluster) {
        Fixture *fixture = *state;
        IndexIdentity first = *index_identity(fixture->index), second;

        reopen(fixture);
        second = *index_identity(fixture->index);
        assert_int_equal(second.term, first.term + 1);
        assert_memory_equal(second.cluster, first.cluster, sizeof(first.cluster));
        assert_true(second.leader != first.leader && second.leader != 0);
}

#define RUN(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_stored_form_of_an_identity_is_this),
                cmocka_unit_test(an_identity_that_is_cut_or_unknown_is_refused),
                cmocka_unit_test(how_far_the_versions_have_come_is_eight_bytes),
                RUN(each_reservation_goes_on_behind_the_one_before),
                RUN(a_clean_end_stores_how_many_versions_were_given_out),
                RUN(each_opening_is_the_next_term_of_the_same_cluster),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
