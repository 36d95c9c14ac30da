/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <string.h>

#include "base/metric.h"

#define FIGURES(ROW) \
        ROW(apples, "Apples", COUNTER, "", "Apples that were eaten.") \
        ROW(juice, "Juice", GAUGE, "bytes", "Juice that is left.")

typedef struct Figures {
        uint64_t apples, juice;
} Figures;

#define IN(...) METRIC_IN(Figures, __VA_ARGS__)
static const Metric fields[] = { FIGURES(IN) };

static int get_apples(const void *source, uint64_t *ret) {
        *ret = ((const Figures *) source)->apples * 2;
        return 0;
}

static int get_juice(const void *source, uint64_t *ret) {
        return -EIO;
}

static const Metric functions[] = { FIGURES(METRIC_BY_FUNCTION) };

TEST(a_row_says_all_of_a_metric) {
        assert_string_equal(fields[1].name, "juice");
        assert_string_equal(fields[1].property, "Juice");
        assert_int_equal(fields[0].type, METRIC_COUNTER);
        assert_int_equal(fields[1].type, METRIC_GAUGE);
        assert_string_equal(fields[1].unit, "bytes");
        assert_string_equal(fields[1].help, "Juice that is left.");
}

TEST(a_metric_is_read_by_its_property) {
        const Figures figures = { .apples = 3, .juice = UINT64_MAX };
        uint64_t value = 0;

        assert_ok(metric_read(fields, ELEMENTSOF(fields), "Apples", &figures, &value));
        assert_int_equal(value, 3);
        assert_ok(metric_read(fields, ELEMENTSOF(fields), "Juice", &figures, &value));
        assert_true(value == UINT64_MAX);
        assert_ok(metric_read(functions, ELEMENTSOF(functions), "Apples", &figures, &value));
        assert_int_equal(value, 6);
}

TEST(what_cannot_be_read_is_an_error) {
        const Figures figures = {};
        uint64_t value = 7;

        assert_int_equal(
                        metric_read(functions, ELEMENTSOF(functions), "Juice", &figures, &value),
                        -EIO);
        assert_int_equal(
                        metric_read(fields, ELEMENTSOF(fields), "juice", &figures, &value),
                        -ENOENT);
        assert_int_equal(metric_read(fields, 1, "Juice", &figures, &value), -ENOENT);
        assert_int_equal(value, 7);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_row_says_all_of_a_metric),
                cmocka_unit_test(a_metric_is_read_by_its_property),
                cmocka_unit_test(what_cannot_be_read_is_an_error),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
