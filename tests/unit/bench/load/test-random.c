/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <string.h>

#include "base/macro.h"
#include "bench/load/random.h"

#define DRAWS 20000

TEST(same_seed_gives_the_same_numbers) {
        Random a = { .state = 7 }, b = { .state = 7 }, c = { .state = 8 };
        bool differs = false;

        for (unsigned i = 0; i < 100; i++) {
                uint64_t x = random_next(&a);

                assert_true(x == random_next(&b));
                differs = differs || x != random_next(&c);
        }
        assert_true(differs);

        /* Splitmix64 as others have it, from 0. */
        a.state = 0;
        assert_true(random_next(&a) == UINT64_C(0xe220a8397b1dcdaf));
        assert_true(random_next(&a) == UINT64_C(0x6e789e6aa1b965f4));
}

TEST(numbers_are_spread_evenly_below_a_limit) {
        static const uint64_t limits[] = { 1, 2, 3, 10, 1000, UINT64_MAX };
        Random random = { .state = 1 };

        for (size_t i = 0; i < ELEMENTSOF(limits); i++) {
                double sum = 0;

                for (unsigned j = 0; j < DRAWS; j++) {
                        uint64_t x = random_below(&random, limits[i]);

                        assert_true(x < limits[i]);
                        sum += (double) x / (double) limits[i];
                }
                if (limits[i] > 100)
                        assert_true(sum / DRAWS > 0.48 && sum / DRAWS < 0.52);
        }
        for (unsigned j = 0; j < DRAWS; j++) {
                double x = random_unit(&random);

                assert_true(x >= 0 && x < 1);
        }
}

/* clang-format off */
static const struct {
        const char *text;
        int result;
        uint64_t least, most; /* that are drawn */
} rows[] = {
        { "0",             0, 0, 0 },
        { "1K",            0, 1024, 1024 },
        { "1M",            0, 1048576, 1048576 },
        { "1-1K",          0, 1, 1024 },
        { "0-0",           0, 0, 0 },
        { "5-5",           0, 5, 5 },
        { "1K:90,1M:10",   0, 1024, 1048576 },
        { "7,9",           0, 7, 9 },
        { "",              -EINVAL },
        { "x",             -EINVAL },
        { "1K,",           -EINVAL },
        { ",1K",           -EINVAL },
        { "1K-",           -EINVAL },
        { "-1K",           -EINVAL },
        { "1K:",           -EINVAL },
        { "1K:x",          -EINVAL },
        { "2K-1K",         -ERANGE },
        { "1K:0",          -ERANGE },
        { "1:18446744073709551615,1:1", -ERANGE },
};
/* clang-format on */

TEST(sizes_are_drawn_within_what_was_typed) {
        Random random = { .state = 3 };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                uint64_t least = UINT64_MAX, most = 0;
                Sizes sizes;
                int r = sizes_parse(rows[i].text, &sizes);

                assert_int_equal(r, rows[i].result);
                for (unsigned j = 0; r >= 0 && j < 2000; j++) {
                        uint64_t size = sizes_draw(&sizes, &random);

                        least = MIN(least, size);
                        most = MAX(most, size);
                }
                if (r >= 0)
                        assert_true(least >= rows[i].least && most <= rows[i].most);
        }
}

TEST(too_many_sizes_are_refused) {
        char text[2 * (SIZES_MAX + 1) + 1] = "";
        Sizes sizes;

        for (unsigned i = 0; i < SIZES_MAX; i++)
                strcat(text, i > 0 ? ",1" : "1");
        assert_ok(sizes_parse(text, &sizes));
        strcat(text, ",1");
        assert_int_equal(sizes_parse(text, &sizes), -ERANGE);
}

TEST(weights_count) {
        Random random = { .state = 5 };
        unsigned n = 0;
        Sizes sizes;

        assert_ok(sizes_parse("1:90,2:10", &sizes));
        for (unsigned i = 0; i < DRAWS; i++)
                n += sizes_draw(&sizes, &random) == 2;
        assert_true(n > DRAWS / 12 && n < DRAWS / 8);
}

/* Half of the sizes between 1 and 1M are below 1K. */
TEST(ranges_are_uniform_in_their_logarithm) {
        Random random = { .state = 5 };
        unsigned n = 0;
        Sizes sizes;

        assert_ok(sizes_parse("1-1M", &sizes));
        for (unsigned i = 0; i < DRAWS; i++)
                n += sizes_draw(&sizes, &random) < 1024;
        assert_true(n > DRAWS * 45 / 100 && n < DRAWS * 55 / 100);
}

TEST(zipf_favours_low_numbers) {
        static const uint64_t limits[] = { 1, 2, 100, 1000000 };
        Random random = { .state = 9 };

        for (size_t i = 0; i < ELEMENTSOF(limits); i++) {
                unsigned first = 0, second = 0;
                Zipf zipf;

                zipf_init(&zipf, limits[i]);
                for (unsigned j = 0; j < DRAWS; j++) {
                        uint64_t x = zipf_draw(&zipf, &random);

                        assert_true(x < limits[i]);
                        first += x == 0;
                        second += x == 1;
                }
                if (limits[i] == 1)
                        assert_int_equal(first, DRAWS);
                else /* 1 : 1/2^0.99 */
                        assert_true((double) first / second > 1.8 && (double) first / second < 2.2);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(same_seed_gives_the_same_numbers),
                cmocka_unit_test(numbers_are_spread_evenly_below_a_limit),
                cmocka_unit_test(sizes_are_drawn_within_what_was_typed),
                cmocka_unit_test(too_many_sizes_are_refused),
                cmocka_unit_test(weights_count),
                cmocka_unit_test(ranges_are_uniform_in_their_logarithm),
                cmocka_unit_test(zipf_favours_low_numbers),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
