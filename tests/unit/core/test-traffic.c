/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <string.h>

#include "core/traffic.h"

/* The server counts by index, others read by name: each row has to mean the same field. */
TEST(struct_array_and_table_are_one) {
        Traffic traffic;
        uint64_t numbers[TRAFFIC_SIZE], value;

        for (size_t i = 0; i < TRAFFIC_SIZE; i++)
                numbers[i] = 100 + i;
        memcpy(&traffic, numbers, sizeof(traffic));

        assert_int_equal(traffic.bytes_sent, numbers[TRAFFIC_INDEX(bytes_sent)]);
        for (size_t i = 0; i < TRAFFIC_SIZE; i++) {
                assert_ok(
                                metric_read(traffic_metrics, TRAFFIC_SIZE,
                                            traffic_metrics[i].property, &traffic, &value));
                assert_int_equal(value, 100 + i);
        }
}

TEST(each_metric_has_a_name_of_its_own_and_a_sentence) {
        for (size_t i = 0; i < TRAFFIC_SIZE; i++) {
                const char *help = traffic_metrics[i].help;

                assert_int_equal(help[strlen(help) - 1], '.');
                for (size_t j = 0; j < i; j++) {
                        assert_string_not_equal(traffic_metrics[i].name, traffic_metrics[j].name);
                        assert_string_not_equal(
                                        traffic_metrics[i].property, traffic_metrics[j].property);
                }
        }
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(struct_array_and_table_are_one),
                cmocka_unit_test(each_metric_has_a_name_of_its_own_and_a_sentence),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
