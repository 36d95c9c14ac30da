/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>

#include "base/error.h"
#include "http/status.h"

TEST(an_error_has_a_status) {
        static const int internal[] = { 0, EIO, EDOM, 100000, -EPIPE };

        assert_int_equal(http_status(ENOENT)->code, 404);
        assert_int_equal(http_status(EREMCHG)->code, 409);
        assert_ptr_equal(http_status(-ENOENT), http_status(ENOENT));
        for (size_t i = 0; i < ELEMENTSOF(internal); i++)
                assert_int_equal(http_status(internal[i])->code, 500);
}

/* No error that has a sentence of its own may reach a client as an internal one. */
TEST(an_error_with_a_sentence_has_a_status_of_its_own) {
        for (int error = 1; error < 200; error++)
                assert_int_equal(http_status(error)->error, error_info(error)->error);
}

TEST(a_fault_of_a_store_is_the_servers) {
        for (StoreFault fault = STORE_FAULT_NONE + 1; fault < _STORE_FAULT_MAX; fault++)
                assert_in_range(http_status(store_fault_to_error(fault))->code, 500, 599);
}

TEST(only_what_may_pass_says_when_to_retry) {
        assert_int_not_equal(http_status(EHOSTDOWN)->retry_sec, 0);
        assert_int_not_equal(http_status(ESHUTDOWN)->retry_sec, 0);
        assert_int_equal(http_status(ENOSPC)->retry_sec, 0);
        assert_int_equal(http_status(EINVAL)->retry_sec, 0);
}

TEST(status_goes_back_to_its_error) {
        assert_int_equal(http_status_to_error(404), ENOENT);
        assert_int_equal(http_status_to_error(507), ENOSPC);
        assert_int_equal(http_status_to_error(403), EACCES);
        assert_int_equal(http_status_to_error(409), EEXIST);    /* shared with others */
        assert_int_equal(http_status_to_error(503), EHOSTDOWN); /* shared by others */
        assert_int_equal(http_status_to_error(418), EREMOTEIO);
        assert_int_equal(http_status_to_error(500), EREMOTEIO);

        /* Passed on by a second daemon, an error keeps its status. */
        for (unsigned status = 400; status < 600; status++) {
                int error = http_status_to_error(status);

                if (error != EREMOTEIO)
                        assert_int_equal(http_status(error)->code, status);
        }
}

TEST(status_of_a_call_says_nothing_of_what_the_call_is_about) {
        assert_int_equal(http_status_to_call_error(404), EHOSTDOWN);
        assert_int_equal(http_status_to_call_error(502), EHOSTDOWN);
        assert_int_equal(http_status_to_call_error(507), EHOSTDOWN);
        assert_int_equal(http_status_to_call_error(409), EHOSTDOWN);
        assert_int_equal(http_status_to_call_error(403), EACCES);
        assert_int_equal(http_status_to_call_error(421), EREMOTE);
        assert_int_equal(http_status_to_call_error(503), EHOSTDOWN);
}

TEST(only_errors_of_ours_ask_to_be_tried_again) {
        for (int error = 0; error < 200; error++) {
                const HttpStatus *status = http_status(error);

                assert_in_range(status->code, 400, 599);
                if (status->retry_sec > 0)
                        assert_true(status->code == 503 || status->code == 425);
        }
}

/* After 503 a client may think that nothing has happened, unless it is told otherwise. */
TEST(what_a_status_does_not_tell_has_a_type_of_its_own) {
        assert_string_equal(http_status_problem_type(ECOMM), "outcome-unknown");
        assert_string_equal(http_status_problem_type(-ECOMM), "outcome-unknown");
        assert_string_equal(http_status_problem_type(-ENOLINK), "no-leader");
        for (int error = 0; error < 200; error++)
                if (error != ECOMM && error != ENOLINK)
                        assert_string_equal(http_status_problem_type(error), "about:blank");
}

/* What a stranger at a volume's address answers must not look as if a value were gone or damaged.
 */
TEST(no_status_of_a_call_is_about_a_value) {
        for (unsigned status = 400; status < 600; status++) {
                int error = http_status_to_call_error(status);

                assert_true(error > 0);
                assert_int_not_equal(error, ENOENT);
                assert_int_not_equal(error, EBADMSG);
                assert_int_not_equal(error, EEXIST);
                assert_int_not_equal(error, ENOSPC);
        }
}

/* A reader of such a value has not used a wrong version of HTTP. */
TEST(unknown_format_of_what_is_stored_is_internal) {
        assert_int_equal(http_status(-EPROTONOSUPPORT)->code, 500);

        for (unsigned status = 400; status < 600; status++)
                assert_int_not_equal(http_status_to_error(status), EPROTONOSUPPORT);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_error_has_a_status),
                cmocka_unit_test(an_error_with_a_sentence_has_a_status_of_its_own),
                cmocka_unit_test(a_fault_of_a_store_is_the_servers),
                cmocka_unit_test(only_what_may_pass_says_when_to_retry),
                cmocka_unit_test(status_goes_back_to_its_error),
                cmocka_unit_test(status_of_a_call_says_nothing_of_what_the_call_is_about),
                cmocka_unit_test(only_errors_of_ours_ask_to_be_tried_again),
                cmocka_unit_test(what_a_status_does_not_tell_has_a_type_of_its_own),
                cmocka_unit_test(no_status_of_a_call_is_about_a_value),
                cmocka_unit_test(unknown_format_of_what_is_stored_is_internal),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
