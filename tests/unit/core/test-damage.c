/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <string.h>

#include "core/damage.h"

TEST(errors_say_what_is_wrong_with_a_copy) {
        assert_int_equal(damage_kind_of_error(-EBADMSG), DAMAGE_CORRUPT);
        assert_int_equal(damage_kind_of_error(-EPROTONOSUPPORT), DAMAGE_CORRUPT);
        assert_int_equal(damage_kind_of_error(-ENOENT), DAMAGE_MISSING);
        assert_int_equal(damage_kind_of_error(-ENODATA), DAMAGE_MISSING);
        assert_int_equal(damage_kind_of_error(-EIO), DAMAGE_UNREADABLE);
        assert_int_equal(damage_kind_of_error(EIO), DAMAGE_UNREADABLE);
}

TEST(errors_of_the_daemon_say_nothing_about_a_copy) {
        static const int errors[] = {
                0, ENOMEM, EMFILE, ENFILE, EINTR, EAGAIN, ESHUTDOWN,
        };

        for (size_t i = 0; i < ELEMENTSOF(errors); i++)
                assert_int_equal(damage_kind_of_error(-errors[i]), DAMAGE_NONE);
}

/* A disk may fail in ways that nobody has thought of. */
TEST(any_other_error_means_that_a_copy_cannot_be_read) {
        static const int errors[] = { EPERM, EACCES, EROFS, EISDIR, ELOOP, ENXIO, EILSEQ, 4095 };

        for (size_t i = 0; i < ELEMENTSOF(errors); i++) {
                assert_int_equal(damage_kind_of_error(-errors[i]), DAMAGE_UNREADABLE);
                assert_int_equal(damage_kind_of_error(errors[i]), DAMAGE_UNREADABLE);
        }
}

/* In a list there is a word, in a sentence there is more. */
TEST(each_kind_has_a_word_and_the_end_of_a_sentence) {
        for (DamageKind kind = 0; kind < _DAMAGE_KIND_MAX; kind++) {
                const char *word = damage_kind_to_string(kind),
                           *sentence = damage_kind_to_sentence(kind);

                assert_null(strchr(word, ' '));
                assert_non_null(strchr(sentence, ' '));
                for (DamageKind other = 0; other < kind; other++)
                        assert_string_not_equal(word, damage_kind_to_string(other));
        }
        assert_string_equal(damage_kind_to_sentence(DAMAGE_UNREADABLE), "cannot be read");
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(errors_say_what_is_wrong_with_a_copy),
                cmocka_unit_test(errors_of_the_daemon_say_nothing_about_a_copy),
                cmocka_unit_test(any_other_error_means_that_a_copy_cannot_be_read),
                cmocka_unit_test(each_kind_has_a_word_and_the_end_of_a_sentence),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
