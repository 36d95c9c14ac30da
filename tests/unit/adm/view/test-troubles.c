/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "adm/message.h"

#include <errno.h>
#include <stdlib.h>

#include "adm/view/troubles.h"

#define TYPES "a(ssutss)"

/* As a field of an object: VIEW takes the place of what was there. */
static int read_from(const char *types, const char *text, TroublesView *view) {
        MessageMaker maker;
        int r = property_troubles.read(message_begin(&maker, types, text), view);

        message_end(&maker);
        return r;
}

static void assert_json(const TroublesView *view, const char *expected) {
        _cleanup_(json_freep) Json *json = troubles_view_to_json(view);
        _cleanup_free_ char *text = json_format(json, false);

        assert_string_equal(text, expected);
}

TEST(all_that_is_told_comes_out_in_its_order) {
        TroublesView view = {};

        assert_string_equal(property_troubles.signature, TYPES);
        assert_ok(read_from(
                        TYPES,
                        "2 volume-down down 3 1000000 'Volume 3 is down.' 'Start it.' clock degraded 0 0 'A clock is wrong.' ''",
                        &view));
        assert_int_equal(view.n, 2);
        assert_string_equal(view.items[0].name, "volume-down");
        assert_string_equal(view.items[0].level, "down");
        assert_int_equal(view.items[0].volume, 3);
        assert_int_equal(view.items[0].since, 1000000);
        assert_string_equal(view.items[0].sentence, "Volume 3 is down.");
        assert_string_equal(view.items[0].advice, "Start it.");
        assert_string_equal(view.items[1].name, "clock");
        assert_int_equal(view.items[1].volume, 0); /* of the cluster */
        assert_string_equal(view.items[1].advice, "");
        assert_json(&view,
                    "[{\"trouble\":\"volume-down\",\"level\":\"down\",\"volume\":3,\"since\":1000000,"
                    "\"sentence\":\"Volume 3 is down.\",\"advice\":\"Start it.\"},"
                    "{\"trouble\":\"clock\",\"level\":\"degraded\",\"volume\":0,\"since\":0,"
                    "\"sentence\":\"A clock is wrong.\",\"advice\":\"\"}]\n");
        property_troubles.done(&view);
        assert_int_equal(view.n, 0);
        assert_null(view.items);
}

TEST(no_troubles_are_an_empty_list) {
        TroublesView view = {};

        assert_ok(read_from(TYPES, "0", &view));
        assert_int_equal(view.n, 0);
        assert_json(&view, "[]\n");
        property_troubles.done(&view);
}

TEST(what_was_read_before_is_replaced) {
        TroublesView view = {};

        assert_ok(read_from(TYPES, "2 a b 1 2 c d e f 3 4 g h", &view));
        assert_ok(read_from(TYPES, "1 i k 5 6 l m", &view));
        assert_int_equal(view.n, 1);
        assert_string_equal(view.items[0].name, "i");
        assert_ok(read_from(TYPES, "0", &view));
        assert_int_equal(view.n, 0);
        property_troubles.done(&view);
}

TEST(list_of_another_form_is_refused) {
        static const char *const rows[][2] = {
                { "a(ssuts)", "1 a b 1 2 c" },
                { "as", "1 a" },
                { "s", "a" },
                { "a(ssutsss)", "1 a b 1 2 c d e" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                TroublesView view = {};

                assert_true(read_from(rows[i][0], rows[i][1], &view) < 0);
                assert_int_equal(view.n, 0);
                property_troubles.done(&view);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(all_that_is_told_comes_out_in_its_order),
                cmocka_unit_test(no_troubles_are_an_empty_list),
                cmocka_unit_test(what_was_read_before_is_replaced),
                cmocka_unit_test(list_of_another_form_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
