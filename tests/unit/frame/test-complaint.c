/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>

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

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(complaint_returns_its_error),
                cmocka_unit_test(control_characters_do_not_reach_the_terminal),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
