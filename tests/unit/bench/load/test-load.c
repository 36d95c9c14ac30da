/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <math.h>
#include <string.h>

#include "test.h"

#include "bench/load/load.h"

static Options options;
static Load load;

static int setup(void **state) {
        char *arguments[] = { (char *) "test", NULL };

        assert_int_equal(options_parse(&options, 1, arguments), 0);
        assert_ok(load_init(&load, &options));
        load_start(&load, 1000);
        return 0;
}

static int teardown(void **state) {
        load_done(&load);
        options_done(&options);
        options = (Options){};
        return 0;
}

TEST(options_are_taken_out) {
        char *arguments[] = { (char *) "test",   (char *) "--keys=7",    (char *) "put",
                              (char *) "--size", (char *) "2K",          (char *) "http://a",
                              (char *) "--json", (char *) "--verify=no", NULL };

        assert_int_equal(options_parse(&options, ELEMENTSOF(arguments) - 1, arguments), 2);
        assert_string_equal(arguments[0], "put");
        assert_string_equal(arguments[1], "http://a");
        assert_int_equal(options.keys, 7);
        assert_string_equal(options.size, "2K");
        assert_true(options.json);
        assert_false(options.verify);
}

TEST(bad_options_are_refused) {
        static const char *const bad[] = { "--nothing", "--keys=0",   "--keys=x",
                                           "--keys",    "--read=101", "--json=maybe" };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                char *arguments[] = { (char *) "test", (char *) bad[i], NULL };

                assert_int_equal(options_parse(&options, 2, arguments), -EINVAL);
        }
}

TEST(sizes_are_parsed) {
        static const char *const bad[] = { "",   "-",  "1-",  "-1", "2-1",
                                           "1,", "1:", "1:0", "x",  "1:1:1" };
        Random random = { 1 };
        Sizes sizes;
        unsigned n_small = 0;

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_true(sizes_parse(bad[i], &sizes) < 0);

        assert_ok(sizes_parse("4K", &sizes));
        assert_int_equal(sizes_draw(&sizes, &random), 4096);

        assert_ok(sizes_parse("1:3,1M:1", &sizes));
        for (size_t i = 0; i < 10000; i++) {
                uint64_t size = sizes_draw(&sizes, &random);

                assert_true(size == 1 || size == MIB);
                n_small += size == 1;
        }
        assert_in_range(n_small, 7300, 7700);

        /* As many between 16 and 256 as between 256 and 4096. */
        assert_ok(sizes_parse("16-4K", &sizes));
        n_small = 0;
        for (size_t i = 0; i < 10000; i++) {
                uint64_t size = sizes_draw(&sizes, &random);

                assert_in_range(size, 16, 4096);
                n_small += size < 256;
        }
        assert_in_range(n_small, 4800, 5200);
}

TEST(zipf_favours_low_numbers_as_it_should) {
        static uint64_t counts[1000];
        Random random = { 1 };
        Zipf zipf;

        zipf_init(&zipf, ELEMENTSOF(counts));
        for (size_t i = 0; i < 1000000; i++) {
                uint64_t k = zipf_draw(&zipf, &random);

                assert_true(k < ELEMENTSOF(counts));
                counts[k]++;
        }

        /* 1/k^0.99 of a million, over the sum of all thousand of these. */
        for (size_t k = 1; k <= 20; k++) {
                double expected = 1e6 / pow((double) k, 0.99) / 7.7289;

                assert_true(fabs((double) counts[k - 1] - expected) < 5 * sqrt(expected));
        }

        zipf_init(&zipf, 1);
        assert_int_equal(zipf_draw(&zipf, &random), 0);
}

TEST(count_ends_the_load) {
        Random random = {};
        Operation operation;
        uint64_t due;

        load.count = 2;
        load.keys = 1;
        assert_ok(load_next(&load, &random, 1000, &operation, &due));
        assert_ok(load_next(&load, &random, 1000, &operation, &due));
        assert_int_equal(load_next(&load, &random, 1000, &operation, &due), -ENODATA);
}

TEST(duration_ends_the_load) {
        Random random = {};
        Operation operation;
        uint64_t due;

        load.duration_usec = 500;
        assert_ok(load_next(&load, &random, 1499, &operation, &due));
        assert_int_equal(load_next(&load, &random, 1500, &operation, &due), -ENODATA);
}

TEST(rate_tells_when_to_start) {
        Random random = {};
        Operation operation;
        uint64_t due = 0;

        load.rate = 1000;
        assert_ok(load_next(&load, &random, 1000, &operation, &due));
        assert_int_equal(operation.start_usec, 1000);
        assert_int_equal(load_next(&load, &random, 1000, &operation, &due), -EAGAIN);
        assert_int_equal(due, 2000);

        /* Late, so that two are due; the time that counts is the intended one. */
        assert_ok(load_next(&load, &random, 3500, &operation, &due));
        assert_int_equal(operation.start_usec, 2000);
        assert_ok(load_next(&load, &random, 3500, &operation, &due));
        assert_int_equal(operation.start_usec, 3000);
        assert_int_equal(load_next(&load, &random, 3500, &operation, &due), -EAGAIN);
}

TEST(claimed_keys_are_not_written_twice) {
        Random random = {};
        Operation operations[3], again;
        uint64_t due;

        load.pattern = LOAD_RANDOM;
        load.keys = ELEMENTSOF(operations);
        load.read_percent = 0;
        assert_ok(load_claim_keys(&load));

        for (size_t i = 0; i < ELEMENTSOF(operations); i++) {
                assert_ok(load_next(&load, &random, 1000, operations + i, &due));
                for (size_t j = 0; j < i; j++)
                        assert_int_not_equal(operations[i].number, operations[j].number);
        }

        load_finished(&load, operations + 1);
        assert_ok(load_next(&load, &random, 1000, &again, &due));
        assert_int_equal(again.number, operations[1].number);
        assert_true(again.generation > operations[1].generation);
}

TEST(path_is_made_of_prefix_and_number) {
        char *names[] = { (char *) "some%20name" };
        char path[KEY_PATH_SIZE];

        load_path(&load, 0, path);
        assert_string_equal(path, "/bench/0");
        load_path(&load, UINT64_MAX, path);
        assert_string_equal(path, "/bench/18446744073709551615");

        load.names = names;
        load_path(&load, 0, path);
        assert_string_equal(path, "/some%20name");
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(options_are_taken_out, teardown),
                cmocka_unit_test_teardown(bad_options_are_refused, teardown),
                cmocka_unit_test(sizes_are_parsed),
                cmocka_unit_test(zipf_favours_low_numbers_as_it_should),
                cmocka_unit_test_setup_teardown(count_ends_the_load, setup, teardown),
                cmocka_unit_test_setup_teardown(duration_ends_the_load, setup, teardown),
                cmocka_unit_test_setup_teardown(rate_tells_when_to_start, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                claimed_keys_are_not_written_twice, setup, teardown),
                cmocka_unit_test_setup_teardown(path_is_made_of_prefix_and_number, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
