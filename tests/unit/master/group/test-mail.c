/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Who is at the other end of a channel, which messages are too late, and who is forgotten. */

#include "test.h"

#include <errno.h>
#include <string.h>

#include "master/group/mail.h"

#define SELF 1

static Mail *mail;

static int setup(void **state) {
        return mail_new(&(MailOptions){ .self = SELF, .group = "a group", .run = 9 }, &mail);
}

static int teardown(void **state) {
        mail = mail_free(mail);
        return 0;
}

/* A process of a member of the group with this name. */
static StoreIdentity member(const char *group, uint64_t id, uint64_t run) {
        StoreIdentity identity = { .run = run };

        assert_true(id < 256);
        (void) strncpy((char *) identity.uuid, group, 8);
        identity.uuid[8] = (uint8_t) id;
        return identity;
}

static int check(uint64_t id, uint64_t run, uint64_t sequence) {
        uint64_t who;

        return mail_check(
                        mail,
                        &(Parties){ .from = member("a group", id, run), .sequence = sequence },
                        &who);
}

TEST(what_is_late_is_dropped) {
        assert_int_equal(check(2, 5, 1), 0);
        assert_int_equal(check(2, 5, 3), 0);
        assert_int_equal(check(2, 5, 3), -EALREADY);
        assert_int_equal(check(2, 5, 2), -EALREADY);
        assert_int_equal(check(3, 5, 1), 0);
        assert_int_equal(check(2, 6, 1), 0);
        assert_int_equal(check(2, 5, 4), -EALREADY);
        assert_int_equal(check(2, 6, 2), 0);
}

TEST(a_member_is_there_until_all_its_channels_have_ended) {
        const StoreIdentity old = member("a group", 2, 5), new = member("a group", 2, 6);

        assert_false(mail_is_open(mail, 2));
        assert_int_equal(mail_opened(mail, &old), 2);
        assert_true(mail_is_open(mail, 2));
        assert_int_equal(mail_opened(mail, &new), 2);
        assert_int_equal(mail_closed(mail, &old), 2);
        assert_true(mail_is_open(mail, 2));
        assert_false(mail_is_open(mail, 3));
        assert_int_equal(mail_closed(mail, &new), 2);
        assert_false(mail_is_open(mail, 2));
}

TEST(who_is_of_another_group_is_no_member) {
        const StoreIdentity stranger = member("another", 2, 5);
        uint64_t who;

        assert_int_equal(mail_opened(mail, &stranger), 0);
        assert_int_equal(mail_closed(mail, &stranger), 0);
        assert_false(mail_is_open(mail, 2));
        assert_int_equal(
                        mail_check(mail, &(Parties){ .from = stranger, .sequence = 1 }, &who),
                        -EREMOTE);
}

/* Member 2 stays, all others come and go. */
TEST(who_is_no_member_any_more_makes_room) {
        Members members = { .n = 2, .member = { { .id = 2 } } };

        assert_int_equal(check(2, 5, 7), 0);
        for (uint64_t id = 3; id < 250; id++) {
                members.member[1].id = id;
                assert_int_equal(check(id, 5, 1), 0);
                mail_keep(mail, &members);
                assert_int_equal(check(id, 5, 1), -EALREADY);
        }
        assert_int_equal(check(2, 5, 7), -EALREADY);
        assert_int_equal(check(3, 5, 1), 0);
}

TEST(who_has_a_channel_is_not_forgotten) {
        const StoreIdentity other = member("a group", 2, 5);
        const Members nobody = {};

        (void) mail_opened(mail, &other);
        assert_int_equal(check(2, 5, 1), 0);
        mail_keep(mail, &nobody);
        assert_true(mail_is_open(mail, 2));
        assert_int_equal(check(2, 5, 1), -EALREADY);
        (void) mail_closed(mail, &other);
        mail_keep(mail, &nobody);
        assert_int_equal(check(2, 5, 1), 0);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                RUN(what_is_late_is_dropped),
                RUN(a_member_is_there_until_all_its_channels_have_ended),
                RUN(who_is_of_another_group_is_no_member),
                RUN(who_is_no_member_any_more_makes_room),
                RUN(who_has_a_channel_is_not_forgotten),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
