/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <string.h>

#include "frame/capture.h"
#include "frame/complaint.h"

TEST(complaint_returns_its_error) {
        Capture capture;
        char *text;

        capture_begin(&capture, STDERR_FILENO, stderr);
        assert_int_equal(complain(-ENOENT, "Failed to open '%s': %m", "x"), -ENOENT);
        assert_int_equal(complain(EPERM, "No."), -EPERM);
        assert_int_equal(complain_usage("Bad %d.", 7), EXIT_USAGE);
        advise("Try: %s", "that");
        text = capture_end(&capture, stderr);
        assert_string_equal(
                        text,
                        "Failed to open 'x': No such file or directory\nNo.\nBad 7.\nTry: that\n");
        free(text);
}

TEST(control_characters_do_not_reach_the_terminal) {
        Capture capture;
        char *text;

        capture_begin(&capture, STDERR_FILENO, stderr);
        advise("a\x1b[31mb\nc\td\x7f ä");
        text = capture_end(&capture, stderr);
        assert_string_equal(text, "a?[31mb?c?d? ä\n");
        free(text);
}

TEST(error_of_either_sign_is_explained) {
        static const int errors[] = { EACCES, -EACCES };

        for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
                Capture capture;
                char *text;

                capture_begin(&capture, STDERR_FILENO, stderr);
                errno = EIO; /* what happened meanwhile does not count */
                assert_int_equal(complain(errors[i], "Failed: %m"), -EACCES);
                text = capture_end(&capture, stderr);
                assert_string_equal(text, "Failed: Permission denied\n");
                free(text);
        }
}

TEST(complaint_may_be_longer_than_a_line) {
        _cleanup_free_ char *name = calloc(1, 100001);
        Capture capture;
        char *text;

        memset(name, 'x', 100000);
        capture_begin(&capture, STDERR_FILENO, stderr);
        (void) complain(0, "'%s' is long.", name);
        text = capture_end(&capture, stderr);
        assert_int_equal(strlen(text), 100000 + strlen("'' is long.\n"));
        free(text);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(complaint_returns_its_error),
                cmocka_unit_test(control_characters_do_not_reach_the_terminal),
                cmocka_unit_test(error_of_either_sign_is_explained),
                cmocka_unit_test(complaint_may_be_longer_than_a_line),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
