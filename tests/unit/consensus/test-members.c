/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "consensus/members.h"
#include "test.h"

static const char url[] = "http://a.example:3000";

static Members three(void) {
        return (Members){
                .n = 3,
                .member = { { 1, MEMBER_VOTER, "a" },
                            { 2, MEMBER_VOTER, "b" },
                            { 3, MEMBER_VOTER, "c" } },
        };
}

static int change(Members *members, MemberChangeType type, uint64_t id) {
        return members_change(members, &(MemberChange){ type, id, url }, members);
}

TEST(a_member_comes_as_a_standby_and_is_promoted) {
        Members members = three();

        assert_ok(change(&members, MEMBER_ADD, 4));
        assert_int_equal(members.n, 4);
        assert_int_equal(members_voters(&members), 3);
        assert_string_equal(members_find(&members, 4)->url, url);
        assert_false(members_is_voter(&members, 4));

        assert_ok(change(&members, MEMBER_PROMOTE, 4));
        assert_true(members_is_voter(&members, 4));
        assert_ok(change(&members, MEMBER_DEMOTE, 4));
        assert_ok(change(&members, MEMBER_REMOVE, 1));
        assert_null(members_find(&members, 1));
        assert_non_null(members_find(&members, 4));
        assert_int_equal(members.n, 3);
}

TEST(what_makes_no_sense_is_refused_and_changes_nothing) {
        Members members = three(), before = members;

        assert_int_equal(change(&members, MEMBER_ADD, 1), -EEXIST);
        assert_int_equal(change(&members, MEMBER_ADD, 0), -EINVAL);
        assert_int_equal(
                        members_change(&members, &(MemberChange){ MEMBER_ADD, 9, NULL }, &members),
                        -EINVAL);
        assert_int_equal(change(&members, MEMBER_PROMOTE, 1), -EALREADY);
        assert_int_equal(change(&members, MEMBER_PROMOTE, 9), -ENOENT);
        assert_int_equal(change(&members, MEMBER_REMOVE, 9), -ENOENT);
        assert_memory_equal(&members, &before, sizeof members);
}

TEST(the_last_voter_stays_one) {
        Members members = { .n = 2,
                            .member = { { 1, MEMBER_VOTER, "a" }, { 2, MEMBER_STANDBY, "b" } } };

        assert_int_equal(change(&members, MEMBER_REMOVE, 1), -EINVAL);
        assert_int_equal(change(&members, MEMBER_DEMOTE, 1), -EINVAL);
        assert_int_equal(members.n, 2);
}

TEST(there_are_limits_of_members_and_of_voters) {
        Members members = three();

        for (uint64_t id = 4; id <= MEMBERS_MAX; id++)
                assert_ok(change(&members, MEMBER_ADD, id));
        assert_int_equal(change(&members, MEMBER_ADD, 99), -E2BIG);
        assert_ok(change(&members, MEMBER_PROMOTE, 4));
        assert_ok(change(&members, MEMBER_PROMOTE, 5));
        assert_int_equal(change(&members, MEMBER_PROMOTE, 6), -E2BIG);
}

TEST(a_set_survives_its_bytes_and_no_part_of_them_is_one) {
        Members members = three(), decoded;
        Buffer buffer = { 0 };

        assert_ok(change(&members, MEMBER_ADD, 4));
        members_encode(&members, &buffer);
        assert_ok(buffer_error(&buffer));
        assert_true(buffer.size <= MEMBERS_SIZE_MAX);
        assert_ok(members_decode(buffer.data, buffer.size, &decoded));
        assert_memory_equal(&decoded, &members, sizeof members);

        for (size_t size = 0; size < buffer.size; size++)
                assert_int_equal(members_decode(buffer.data, size, &decoded), -EBADMSG);
        buffer_put_u8(&buffer, 0);
        assert_int_equal(members_decode(buffer.data, buffer.size, &decoded), -EBADMSG);
        buffer_done(&buffer);
}

TEST(bytes_with_a_wrong_role_or_an_id_twice_are_no_set) {
        Buffer buffer = { 0 };
        Members decoded, twice = three();

        twice.member[1].id = 1;
        members_encode(&twice, &buffer);
        assert_int_equal(members_decode(buffer.data, buffer.size, &decoded), -EBADMSG);

        buffer_clear(&buffer);
        twice = three();
        members_encode(&twice, &buffer);
        buffer.data[2 + 8] = _MEMBER_ROLE_MAX;
        assert_int_equal(members_decode(buffer.data, buffer.size, &decoded), -EBADMSG);

        buffer_clear(&buffer);
        twice = (Members){ .n = 1, .member = { { 1, MEMBER_STANDBY, "a" } } };
        members_encode(&twice, &buffer);
        assert_int_equal(members_decode(buffer.data, buffer.size, &decoded), -EBADMSG);
        buffer_done(&buffer);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_member_comes_as_a_standby_and_is_promoted),
                cmocka_unit_test(what_makes_no_sense_is_refused_and_changes_nothing),
                cmocka_unit_test(the_last_voter_stays_one),
                cmocka_unit_test(there_are_limits_of_members_and_of_voters),
                cmocka_unit_test(a_set_survives_its_bytes_and_no_part_of_them_is_one),
                cmocka_unit_test(bytes_with_a_wrong_role_or_an_id_twice_are_no_set),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
