/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include "adm/view/job-limits.h"
#include "frame/complaint.h"

/* clang-format off */
static const struct {
        const char *rate;
        uint64_t parallel;
        int result;
        JobLimits limits;
} rows[] = {
        { NULL,   0,  0, {} },
        { "0",    0,  0, { .has_rate = true } },
        { "50M",  0,  0, { .has_rate = true, .rate = 50 * 1024 * 1024 } },
        { "1T",   0,  0, { .has_rate = true, .rate = UINT64_C(1) << 40 } },
        { "7",    64, 0, { .has_rate = true, .rate = 7, .parallel = 64 } },
        { NULL,   1,  0, { .parallel = 1 } },
        { NULL,   65, EXIT_USAGE },
        { NULL,   UINT64_C(1) << 32, EXIT_USAGE },
        { "",     0,  EXIT_USAGE },
        { "fast", 0,  EXIT_USAGE },
        { "-1",   0,  EXIT_USAGE },
        { "1.5M", 0,  EXIT_USAGE },
        { "99999999999T", 0, EXIT_USAGE },
};
/* clang-format on */

TEST(limits_are_as_typed) {
        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                JobLimits limits = { .rate = 77 };

                assert_int_equal(
                                job_limits_parse(rows[i].rate, rows[i].parallel, &limits),
                                rows[i].result);
                if (rows[i].result != 0) {
                        assert_int_equal(limits.rate, 77); /* nothing is written */
                        continue;
                }
                assert_int_equal(limits.has_rate, rows[i].limits.has_rate);
                assert_true(limits.rate == rows[i].limits.rate);
                assert_int_equal(limits.parallel, rows[i].limits.parallel);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(limits_are_as_typed) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
