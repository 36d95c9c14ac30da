/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"

TEST(error_has_name_and_sentence) {
        const ErrorInfo *info = error_info(ENOENT);

        assert_string_equal(info->bus_name, "org.dkv.Error.NotFound");
        assert_ptr_equal(error_info(-ENOENT), info);

        info = error_info(EREMCHG);
        assert_string_equal(info->bus_name, "org.dkv.Error.Conflict");
}

TEST(unknown_error_is_internal) {
        static const int errors[] = { 0, EIO, EDOM, 100000, -EPIPE };

        for (size_t i = 0; i < ELEMENTSOF(errors); i++)
                assert_string_equal(error_info(errors[i])->bus_name, "org.dkv.Error.Internal");
}

TEST(titles_are_sentences) {
        for (int error = 0; error < 200; error++) {
                const char *title = error_info(error)->title;

                assert_true(title[0] >= 'A' && title[0] <= 'Z');
                assert_int_equal(title[strlen(title) - 1], '.');
        }
}

TEST(an_errno_of_the_system_means_something_for_the_store) {
        /* clang-format off */
        static const struct {
                int error;
                StoreFault fault;
                int answer;
        } cases[] = {
                { ENOSPC,    STORE_FAULT_FULL,       -ENOSPC    },
                { EDQUOT,    STORE_FAULT_FULL,       -ENOSPC    },
                { EFBIG,     STORE_FAULT_FULL,       -ENOSPC    },
                { EROFS,     STORE_FAULT_READ_ONLY,  -EREMOTEIO },
                { EACCES,    STORE_FAULT_DENIED,     -EREMOTEIO },
                { EPERM,     STORE_FAULT_DENIED,     -EREMOTEIO },
                { ENOENT,    STORE_FAULT_MISSING,    -EREMOTEIO },
                { ESTALE,    STORE_FAULT_MISSING,    -EREMOTEIO },
                { ENXIO,     STORE_FAULT_MISSING,    -EREMOTEIO },
                { EIO,       STORE_FAULT_FAILED,     -EREMOTEIO },
                { ETIMEDOUT, STORE_FAULT_FAILED,     -EREMOTEIO },
                { EMFILE,    STORE_FAULT_OVERLOADED, -EAGAIN    },
                { ENOMEM,    STORE_FAULT_OVERLOADED, -EAGAIN    },
        };
        /* clang-format on */

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                StoreFault fault = error_store_fault(-cases[i].error);

                assert_int_equal(fault, cases[i].fault);
                assert_int_equal(store_fault_to_error(fault), cases[i].answer);
                assert_int_equal(store_fault_from_string(store_fault_to_string(fault)), fault);
        }

        /* These are dkv's own, whoever they are told by. */
        assert_int_equal(error_store_fault(0), STORE_FAULT_NONE);
        assert_int_equal(error_store_fault(-EBADMSG), STORE_FAULT_NONE);
        assert_int_equal(error_store_fault(-EEXIST), STORE_FAULT_NONE);
        assert_int_equal(error_store_fault(-EREMOTEIO), STORE_FAULT_NONE);
        assert_int_equal(store_fault_from_string("nonsense"), STORE_FAULT_NONE);
}

TEST(a_reason_is_told_with_what_to_do) {
        static const int errors[] = { EACCES, ENOENT, ENOSPC, EROFS,     EIO,        EBADMSG,
                                      EINVAL, ENOMEM, EMFILE, EHOSTDOWN, EADDRINUSE, EXDEV };
        char reason[ERROR_REASON_SIZE], other[ERROR_REASON_SIZE], plain[128];

        for (size_t i = 0; i < ELEMENTSOF(errors); i++) {
                const char *inside;

                error_format_reason(errors[i], reason);
                error_format_reason(-errors[i], other);
                assert_string_equal(reason, other);

                /* What people search for, and more than that before and behind it. */
                (void) snprintf(plain, sizeof(plain), " (%s); ", strerror(errors[i]));
                inside = strstr(reason, plain);
                assert_non_null(inside);
                assert_true(inside > reason);
                assert_true(strlen(inside) > strlen(plain));
                assert_non_null(strchr(".?", reason[strlen(reason) - 1]));
        }
}

/* A sentence that is cut off would help nobody. */
TEST(every_reason_has_room) {
        char reason[ERROR_REASON_SIZE];

        for (int error = 1; error < 256; error++) {
                error_format_reason(error, reason);
                assert_in_range(strlen(reason), 10, sizeof(reason) - 2);
                assert_non_null(strchr(".?", reason[strlen(reason) - 1]));
        }
}

/* Programs on the bus tell errors by their names, and so do people who search for them. */
TEST(each_name_belongs_to_one_error) {
        for (int a = 1; a < 200; a++) {
                const ErrorInfo *info = error_info(a);

                assert_int_equal(strncmp(info->bus_name, "org.dkv.Error.", 14), 0);
                for (int b = a + 1; b < 200; b++)
                        if (error_info(b) != info)
                                assert_string_not_equal(error_info(b)->bus_name, info->bus_name);
        }
}

TEST(every_fault_has_a_name_and_an_answer) {
        for (StoreFault fault = STORE_FAULT_NONE + 1; fault < _STORE_FAULT_MAX; fault++) {
                const char *name = store_fault_to_string(fault);

                assert_true(strlen(name) > 0 &&
                            strcspn(name, " ABCDEFGHIJKLMNOPQRSTUVWXYZ") == strlen(name));
                assert_int_equal(store_fault_from_string(name), fault);
                assert_true(store_fault_to_error(fault) < 0);
        }
        assert_int_equal(store_fault_to_error(STORE_FAULT_NONE), 0);
        assert_int_equal(store_fault_from_string(""), STORE_FAULT_NONE);
        assert_int_equal(store_fault_from_string("Full"), STORE_FAULT_NONE);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(error_has_name_and_sentence),
                cmocka_unit_test(unknown_error_is_internal),
                cmocka_unit_test(titles_are_sentences),
                cmocka_unit_test(an_errno_of_the_system_means_something_for_the_store),
                cmocka_unit_test(a_reason_is_told_with_what_to_do),
                cmocka_unit_test(every_reason_has_room),
                cmocka_unit_test(each_name_belongs_to_one_error),
                cmocka_unit_test(every_fault_has_a_name_and_an_answer),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
