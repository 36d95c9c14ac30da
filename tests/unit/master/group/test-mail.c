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

static int take(uint64_t id, uint64_t run, uint64_t sequence, const void *data, size_t size) {
        const Parties parties = { .from = member("a group", id, run), .sequence = sequence };
        _cleanup_(buffer_done) Buffer bytes = {};
        uint64_t who;
        size_t begin;
        int r;

        buffer_put(&bytes, data, size);
        r = mail_take(mail, &parties, &bytes, &who, &begin);
        if (r >= 0) {
                assert_int_equal(who, id);
                assert_true(begin <= size);
        }
        return r;
}

static int check(uint64_t id, uint64_t run, uint64_t sequence) {
        return take(id, run, sequence, "", 1);
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
        Buffer bytes = { .data = (uint8_t[1]){}, .size = 1 };
        uint64_t who;
        size_t begin;

        assert_int_equal(mail_opened(mail, &stranger), 0);
        assert_int_equal(mail_closed(mail, &stranger), 0);
        assert_false(mail_is_open(mail, 2));
        assert_int_equal(
                        mail_take(mail, &(Parties){ .from = stranger, .sequence = 1 }, &bytes, &who,
                                  &begin),
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

TEST(who_sends_has_said_where_it_is) {
        _cleanup_(buffer_done) Buffer bytes = {};
        char url[MEMBER_URL_MAX + 1];

        mail_begin("http://two", &bytes);
        buffer_put(&bytes, "hello", 5);
        assert_false(mail_find_url(mail, 2, url));
        assert_int_equal(take(2, 5, 1, bytes.data, bytes.size), 0);
        assert_true(mail_find_url(mail, 2, url));
        assert_string_equal(url, "http://two");
        assert_int_equal(check(2, 5, 2), 0); /* it may not know */
        assert_true(mail_find_url(mail, 2, url));
        assert_false(mail_find_url(mail, 3, url));
}

TEST(what_ends_in_an_address_is_no_message) {
        assert_int_equal(take(2, 5, 1, "", 0), -EBADMSG);
        assert_int_equal(take(2, 5, 1, "\5http", 5), -EBADMSG);
        assert_int_equal(take(2, 5, 1, "\5http", 6), -EBADMSG); /* a NUL in it */
        assert_int_equal(take(2, 5, 1, "\4http", 5), 0);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                RUN(what_is_late_is_dropped),
                RUN(a_member_is_there_until_all_its_channels_have_ended),
                RUN(who_is_of_another_group_is_no_member),
                RUN(who_is_no_member_any_more_makes_room),
                RUN(who_has_a_channel_is_not_forgotten),
                RUN(who_sends_has_said_where_it_is),
                RUN(what_ends_in_an_address_is_no_message),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
