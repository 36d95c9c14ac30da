/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>

#include "core/placement/cluster.h"
#include "master/cluster/contact.h"

static Contacts *contacts;

static int set_up(void **state) {
        return contacts_new(&contacts);
}

static int tear_down(void **state) {
        contacts = contacts_free(contacts);
        return 0;
}

TEST(a_failed_call_counts_until_one_gets_through) {
        ContactState now;

        assert_true(contacts_is_good(contacts, 7));
        contacts_note(contacts, 7, -EHOSTDOWN, ECONNREFUSED, 100);
        contacts_note(contacts, 7, -ETIMEDOUT, 0, 200);
        assert_false(contacts_is_good(contacts, 7));
        assert_false(contacts_is_fit(contacts, 7, 1000));
        assert_true(contacts_is_good(contacts, 8));

        contacts_get(contacts, 7, &now);
        assert_int_equal(now.n_failed, 2);
        assert_int_equal(now.failed_usec, 100);
        assert_int_equal(now.error, -ETIMEDOUT);
        assert_int_equal(now.good_usec, 0);

        contacts_note(contacts, 7, 0, 0, 300);
        assert_true(contacts_is_good(contacts, 7));
        contacts_get(contacts, 7, &now);
        assert_int_equal(now.n_failed, 0);
        assert_int_equal(now.good_usec, 300);
        contacts_note(contacts, 7, -EACCES, 0, 400);
        contacts_get(contacts, 7, &now);
        assert_int_equal(now.failed_usec, 400);
}

TEST(what_is_of_our_side_says_nothing) {
        const int errors[] = { -ESHUTDOWN, -ECANCELED, -ENOMEM, -ECONNABORTED, -EBADMSG };

        for (size_t i = 0; i < ELEMENTSOF(errors); i++)
                contacts_note(contacts, VOLUME_MAX, errors[i], 0, 100);
        assert_true(contacts_is_good(contacts, VOLUME_MAX));
}

TEST(an_unfit_volume_gets_nothing_for_a_while) {
        contacts_note_unfit(contacts, 1, 500);
        assert_true(contacts_is_good(contacts, 1));
        assert_false(contacts_is_fit(contacts, 1, 499));
        assert_true(contacts_is_fit(contacts, 1, 500));
}

TEST(what_was_at_another_address_is_forgotten) {
        ContactState now;

        contacts_note(contacts, 7, 0, 0, 50);
        contacts_note(contacts, 7, -EHOSTDOWN, ECONNREFUSED, 100);
        contacts_note(contacts, 8, -EHOSTDOWN, ECONNREFUSED, 100);
        contacts_forget(contacts, 7);
        assert_true(contacts_is_good(contacts, 7));
        contacts_get(contacts, 7, &now);
        assert_int_equal(now.n_failed, 0);
        assert_int_equal(now.error, 0);
        assert_int_equal(now.good_usec, 0);
        assert_false(contacts_is_good(contacts, 8));

        contacts_note(contacts, 7, -ETIMEDOUT, 0, 200);
        contacts_get(contacts, 7, &now);
        assert_int_equal(now.n_failed, 1);
        assert_int_equal(now.failed_usec, 200);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
        static const struct CMUnitTest tests[] = {
                RUN(a_failed_call_counts_until_one_gets_through),
                RUN(what_is_of_our_side_says_nothing),
                RUN(an_unfit_volume_gets_nothing_for_a_while),
                RUN(what_was_at_another_address_is_forgotten),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
