/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What has come waits in its order, up to a limit, until it is taken. */

#include "test.h"

#include <errno.h>

#include "base/clock.h"
#include "master/group/inbox.h"

static Inbox inbox;

static int setup(void **state) {
        inbox_init(&inbox);
        return 0;
}

static int teardown(void **state) {
        inbox_done(&inbox);
        return 0;
}

/* SIZE bytes, which are not looked at. */
static int put(LetterType type, uint64_t member, size_t size) {
        Buffer data = { .data = malloc(size + 1), .size = size, .allocated = size + 1 };
        int r;

        r = inbox_put(&inbox, &(Letter){ type, .member = member }, &data);
        assert_int_equal(data.data == NULL, r >= 0); /* it was taken over */
        buffer_done(&data);
        return r;
}

/* Takes all letters, which are numbered from 1 on. Returns how many. */
static size_t take(void) {
        Letter *letters;
        size_t n = 0;

        (void) inbox_wait(&inbox, 0, &letters);
        while (letters) {
                Letter *next = letters->next;

                assert_int_equal(letters->member, ++n);
                (void) letter_free(letters);
                letters = next;
        }
        return n;
}

TEST(letters_keep_their_order) {
        assert_int_equal(take(), 0);
        assert_ok(put(LETTER_PROPOSAL, 1, 10));
        assert_ok(inbox_put(&inbox, &(Letter){ LETTER_CLOSED, .member = 2 }, NULL));
        assert_ok(put(LETTER_MESSAGE, 3, 0));
        assert_int_equal(take(), 3);
        assert_int_equal(take(), 0);
        assert_ok(put(LETTER_MESSAGE, 1, 10));
        assert_int_equal(take(), 1);
}

/* Puts letters until one is refused. Returns how many were not. */
static size_t fill(LetterType type, size_t size) {
        size_t n = 0;
        int r;

        do
                r = put(type, ++n, size);
        while (r >= 0 && n * size <= 2 * INBOX_SIZE_MAX);
        assert_int_equal(r, -EAGAIN);
        return n - 1;
}

TEST(too_many_of_a_type_are_refused_until_they_are_taken) {
        static const LetterType types[] = { LETTER_PROPOSAL, LETTER_MESSAGE };

        for (size_t i = 0; i < 2; i++) {
                size_t n = fill(types[i], MIB);

                assert_int_equal(n, INBOX_SIZE_MAX / MIB - 1); /* a letter takes something, too */
                assert_int_equal(put(types[i], 0, MIB), -EAGAIN);
                assert_int_equal(take(), n);
                assert_int_equal(fill(types[i], MIB), n);
                assert_int_equal(take(), n);
        }
}

TEST(proposals_do_not_keep_messages_out) {
        size_t n = fill(LETTER_PROPOSAL, 4 * MIB);

        assert_ok(put(LETTER_MESSAGE, ++n, MIB));
        assert_ok(put(LETTER_CLOSED, ++n, 0));
        assert_int_equal(take(), n);
}

TEST(what_is_closed_takes_no_more_and_gives_out_the_rest) {
        Letter *letters;

        assert_ok(put(LETTER_PROPOSAL, 1, 10));
        inbox_close(&inbox);
        assert_int_equal(put(LETTER_PROPOSAL, 2, 10), -ESHUTDOWN);
        assert_false(inbox_wait(&inbox, USEC_PER_HOUR, &letters));
        assert_int_equal(letters->member, 1);
        assert_null(letters->next);
        (void) letter_free(letters);
        assert_false(inbox_wait(&inbox, USEC_PER_HOUR, &letters));
        assert_null(letters);
}

TEST(what_was_not_taken_is_freed) {
        assert_ok(put(LETTER_PROPOSAL, 1, 10));
        assert_ok(put(LETTER_MESSAGE, 2, 10));
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                RUN(letters_keep_their_order),
                RUN(too_many_of_a_type_are_refused_until_they_are_taken),
                RUN(proposals_do_not_keep_messages_out),
                RUN(what_is_closed_takes_no_more_and_gives_out_the_rest),
                RUN(what_was_not_taken_is_freed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
