/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The figures of the master: what each of them counts. */

#include "test.h"

#include <errno.h>
#include <string.h>

#include "master/bus/metrics.h"
#include "scratch.h"

static char *directory;
static MasterFigures figures;

static int setup(void **state) {
        IndexOptions options = { .directory = directory = scratch_new() };

        assert_ok(index_open(&options, &figures.index));
        figures.directory = directory;
        return 0;
}

static int teardown(void **state) {
        figures.index = index_free(figures.index);
        scratch_free(directory);
        return 0;
}

static uint64_t get(const char *property) {
        uint64_t value;

        assert_ok(metric_read(master_metrics, MASTER_METRICS_MAX, property, &figures, &value));
        return value;
}

static void write_value(const char *key, uint64_t size) {
        IndexCommit commit = {
                .request.done = scratch_answered,
                .key = key,
                .record = {
                        .version = index_next_version(figures.index, VERSION_DIRECT),
                        .size = size,
                        .content_type = "",
                        .metadata = "",
                        .n_copies = 2,
                        .copies = { 1, 2 },
                },
        };

        index_commit(figures.index, &commit);
        assert_ok(scratch_wait());
}

TEST(a_value_counts_once_however_many_copies_it_has) {
        assert_int_equal(get("Keys"), 0);
        assert_int_equal(get("Bytes"), 0);
        write_value("a", 100);
        write_value("b", 50);
        assert_int_equal(get("Keys"), 2);
        assert_int_equal(get("Bytes"), 150);
}

TEST(each_replaced_copy_is_garbage) {
        write_value("a", 100);
        assert_int_equal(get("Garbage"), 0);
        write_value("a", 30);
        assert_int_equal(get("Keys"), 1);
        assert_int_equal(get("Bytes"), 30);
        assert_int_equal(get("Garbage"), 2);
}

TEST(the_disk_is_that_of_the_index) {
        assert_true(get("DiskSize") > 0);
        assert_true(get("DiskFree") <= get("DiskSize"));
}

TEST(a_directory_that_is_gone_is_an_error_and_no_number) {
        uint64_t value = 77;

        figures.directory = "/nowhere/at/all";
        assert_int_equal(
                        metric_read(master_metrics, MASTER_METRICS_MAX, "DiskFree", &figures,
                                    &value),
                        -ENOENT);
        assert_int_equal(
                        metric_read(master_metrics, MASTER_METRICS_MAX, "DiskSize", &figures,
                                    &value),
                        -ENOENT);
        assert_int_equal(value, 77);
}

/* dkvadm and the man page are made from the same rows. */
TEST(the_table_has_a_row_for_each_property) {
        for (size_t i = 0; i < MASTER_METRICS_MAX; i++) {
                const Metric *metric = master_metrics + i;

                assert_non_null(metric->get);
                assert_int_equal(metric->type, METRIC_GAUGE);
                assert_int_equal(metric->help[strlen(metric->help) - 1], '.');
                (void) get(metric->property);
        }
        assert_int_equal(
                        metric_read(master_metrics, MASTER_METRICS_MAX, "Requests", &figures,
                                    &(uint64_t){ 0 }),
                        -ENOENT);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
        static const struct CMUnitTest tests[] = {
                ROW(a_value_counts_once_however_many_copies_it_has),
                ROW(each_replaced_copy_is_garbage),
                ROW(the_disk_is_that_of_the_index),
                ROW(a_directory_that_is_gone_is_an_error_and_no_number),
                ROW(the_table_has_a_row_for_each_property),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
