/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "adm/view/volume-table.h"
#include "base/clock.h"

static char empty[] = "", active[] = "active", draining[] = "draining", removed[] = "removed",
            zone[] = "r1", url[] = "http://a:1", other_url[] = "https://b:2";

static VolumeView volume_new(uint32_t number, char *state) {
        return (VolumeView){ .number = number,
                             .weight = 1,
                             .state = state,
                             .url = url,
                             .zone = empty,
                             .uuid = empty,
                             .up = true };
}

/* The table of these volumes without titles; a new string. */
static char *format(VolumeView *volumes, size_t n, VolumeTableRows rows, bool colours) {
        const View view = { .volumes = volumes, .n_volumes = n };
        const TableLook look = { .colours = colours };
        Table *table;
        char *text;

        assert_ok(volume_table_new(&view, rows, &table));
        text = table_format(table, &look);
        assert_non_null(text);
        (void) table_free(table);
        return text;
}

static void check(VolumeView volume, const char *expected) {
        char *text = format(&volume, 1, VOLUME_TABLE_WITH_REMOVED, false);

        assert_string_equal(text, expected);
        free(text);
}

TEST(row_says_how_a_volume_is) {
        VolumeView volume = volume_new(1, active);

        check(volume, "1  active  up  a:1  -  0  never\n");
        volume.up = false;
        check(volume, "1  active  down  a:1  -  0  never\n");
        volume.maintenance_until = UINT64_MAX;
        check(volume, "1  active  maint. down  a:1  -  0  never\n");
        volume.up = true;
        check(volume, "1  active  maint.  a:1  -  0  never\n");
        volume.state = removed;
        check(volume, "1  removed  -  a:1  -  0  never\n");
}

TEST(columns_that_say_nothing_are_left_out) {
        VolumeView volume = volume_new(1, active);

        volume.zone = zone;
        check(volume, "1  active  up  a:1  r1  -  0  never\n");
        volume.weight = 5;
        check(volume, "1  active  up  a:1  r1  5  -  0  never\n");
        volume.zone = empty;
        check(volume, "1  active  up  a:1  5  -  0  never\n");
}

TEST(usual_scheme_is_left_out) {
        VolumeView volume = volume_new(1, active);

        volume.url = other_url;
        check(volume, "1  active  up  https://b:2  -  0  never\n");
        volume.url = empty;
        check(volume, "1  active  up  -  -  0  never\n");
}

TEST(removed_volumes_are_for_who_wants_them) {
        VolumeView volumes[] = { volume_new(1, active), volume_new(2, removed) };
        char *all = format(volumes, 2, VOLUME_TABLE_WITH_REMOVED, false),
             *present = format(volumes, 2, VOLUME_TABLE_PRESENT, false);

        assert_non_null(strstr(all, "2  removed"));
        assert_null(strstr(present, "removed"));
        free(all);
        free(present);

        assert_int_equal(volume_table_rows(&(Context){}), VOLUME_TABLE_PRESENT);
        assert_int_equal(
                        volume_table_rows(&(Context){ .options.all = true }),
                        VOLUME_TABLE_WITH_REMOVED);
        assert_int_equal(
                        volume_table_rows(&(Context){ .output.json = JSON_SHORT }),
                        VOLUME_TABLE_WITH_REMOVED);
}

TEST(colours_warn) {
        VolumeView volumes[] = { volume_new(1, draining), volume_new(2, active) };
        char *text;

        volumes[0].up = false;
        volumes[1].nearly_full = true;
        volumes[1].disk_free = 10;
        volumes[1].disk_size = 1000;
        text = format(volumes, 2, VOLUME_TABLE_PRESENT, true);
        assert_non_null(strstr(text, "\033[1;33mdraining\033[0m"));
        assert_non_null(strstr(text, "\033[1;31mdown\033[0m"));
        assert_non_null(strstr(text, "\033[32mup\033[0m"));
        assert_non_null(strstr(text, "\033[1;31m10B 1%\033[0m"));
        free(text);
}

TEST(details_tell_of_maintenance) {
        const TableLook look = {};
        VolumeView volume = volume_new(1, active);
        Table *table;
        char *text;

        volume.maintenance_until = UINT64_MAX;
        volume.last_seen = clock_realtime() - 61 * USEC_PER_SEC;
        assert_ok(volume_table_new_detailed(&volume, &table));
        text = table_format_list(table, &look);
        assert_non_null(strstr(text, "Maintenance: until turned off\n"));
        assert_non_null(strstr(text, " (1min 1s ago)\n"));
        free(text);
        (void) table_free(table);

        volume.maintenance_until = 1000000;
        assert_ok(volume_table_new_detailed(&volume, &table));
        text = table_format_list(table, &look);
        assert_non_null(strstr(text, "Maintenance: until 1970-01-0"));
        free(text);
        (void) table_free(table);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(row_says_how_a_volume_is),
                cmocka_unit_test(columns_that_say_nothing_are_left_out),
                cmocka_unit_test(usual_scheme_is_left_out),
                cmocka_unit_test(removed_volumes_are_for_who_wants_them),
                cmocka_unit_test(colours_warn),
                cmocka_unit_test(details_tell_of_maintenance),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
