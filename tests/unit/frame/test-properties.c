/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "adm/message.h"
#include "adm/verb.h"
#include "adm/view/troubles.h"
#include "frame/properties.h"

typedef struct Object {
        char *name;
        bool up;
        uint32_t small;
        uint64_t large;
        Numbers numbers;
        TroublesView troubles;
} Object;

#define AT(field) offsetof(Object, field)

/* clang-format off */
static const Property properties[] = {
        { "Name",     's',              AT(name)                           },
        { "Up",       'b',              AT(up)                             },
        { "Small",    'u',              AT(small)                          },
        { "Large",    't',              AT(large)                          },
        { "Numbers",  PROPERTY_COMPLEX, AT(numbers),  &property_numbers    },
        { "Troubles", PROPERTY_COMPLEX, AT(troubles), &property_troubles   },
        {}
};
/* clang-format on */

/* Reads the words into OBJECT. */
static int read_words(const char *text, Object *object) {
        MessageMaker maker;
        int r = properties_read(message_begin(&maker, "a{sv}", text), properties, object);

        message_end(&maker);
        return r;
}

TEST(known_properties_are_read_and_others_skipped) {
        Object object = { .small = 7 };

        assert_ok(read_words(
                        "6 Name s a Novelty as 2 x y Up b 1 Large t 18446744073709551615 "
                        "Numbers au 2 5 6 Odd (sv) b s c",
                        &object));
        assert_string_equal(object.name, "a");
        assert_true(object.up);
        assert_int_equal(object.small, 7); /* it was not in the message */
        assert_true(object.large == UINT64_MAX);
        assert_int_equal(object.numbers.n, 2);
        assert_int_equal(object.numbers.items[1], 6);
        properties_done(properties, &object);
        assert_null(object.name);
        assert_null(object.numbers.items);
}

TEST(later_values_replace_earlier_ones) {
        Object object = {};

        assert_ok(read_words("2 Name s a Numbers au 3 1 2 3", &object));
        assert_ok(read_words("2 Name s longer Numbers au 0", &object));
        assert_string_equal(object.name, "longer");
        assert_int_equal(object.numbers.n, 0);
        properties_done(properties, &object);
}

TEST(other_types_are_refused) {
        static const char *const texts[] = { "1 Name u 1",  "1 Up u 1",       "1 Small t 1",
                                             "1 Large s x", "1 Numbers as 0", "1 Troubles s x" };

        for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
                Object object = {};

                assert_int_equal(read_words(texts[i], &object), -EBADMSG);
                properties_done(properties, &object);
        }
}

TEST(troubles_come_in_their_order) {
        _cleanup_(json_freep) Json *json = NULL;
        _cleanup_free_ char *text = NULL;
        Object object = {};

        assert_ok(read_words(
                        "1 Troubles a(ssutss) 2 disk-full error 3 5 'It is full.' 'Clean it.' clock warning 0 0 "
                        "'It is wrong.' ''",
                        &object));
        assert_int_equal(object.troubles.n, 2);
        assert_string_equal(object.troubles.items[0].name, "disk-full");
        assert_int_equal(object.troubles.items[0].volume, 3);
        assert_string_equal(object.troubles.items[1].sentence, "It is wrong.");

        json = troubles_view_to_json(&object.troubles);
        text = json_format(json, false);
        assert_string_equal(
                        text,
                        "[{\"trouble\":\"disk-full\",\"level\":\"error\",\"volume\":3,\"since\":5,"
                        "\"sentence\":\"It is full.\",\"advice\":\"Clean it.\"},"
                        "{\"trouble\":\"clock\",\"level\":\"warning\",\"volume\":0,\"since\":0,"
                        "\"sentence\":\"It is wrong.\",\"advice\":\"\"}]\n");
        assert_ok(read_words("1 Troubles a(ssutss) 0", &object));
        assert_int_equal(object.troubles.n, 0);
        properties_done(properties, &object);
}

TEST(strings_that_are_missing_become_empty) {
        Object object = {};

        assert_ok(properties_complete(properties, &object));
        assert_string_equal(object.name, "");
        object.name[0] = '\0';
        assert_ok(properties_complete(properties, &object));
        properties_done(properties, &object);
}

/* What a reply of GetManagedObjects() becomes. */
static int read_objects(const char *text, Object **objects, size_t *n) {
        MessageMaker maker;
        int r;

        *objects = NULL;
        *n = 0;
        r = properties_read_objects(
                        message_begin(&maker, "a{oa{sa{sv}}}", text), "a.b.Thing", properties,
                        sizeof(**objects), objects, n);
        message_end(&maker);
        return r;
}

static void free_objects(Object *objects, size_t n) {
        for (size_t i = 0; i < n; i++)
                properties_done(properties, objects + i);
        free(objects);
}

TEST(objects_with_the_interface_are_read) {
        Object *objects;
        size_t n;

        assert_ok(read_objects(
                        "4 /a 1 a.b.Thing 2 Name s one Small u 1 /b 1 a.b.Other 1 Name u 7 "
                        "/c 2 a.b.Other 0 a.b.Thing 1 Small u 3 /d 0",
                        &objects, &n));
        assert_int_equal(n, 2);
        assert_string_equal(objects[0].name, "one");
        assert_int_equal(objects[0].small, 1);
        assert_string_equal(objects[1].name, ""); /* it was not told */
        assert_int_equal(objects[1].small, 3);
        free_objects(objects, n);

        assert_ok(read_objects("0", &objects, &n));
        assert_int_equal(n, 0);
        free_objects(objects, n);
}

TEST(object_of_another_form_spoils_the_reply_and_leaks_nothing) {
        Object *objects;
        size_t n;

        assert_int_equal(
                        read_objects("2 /a 1 a.b.Thing 2 Name s one Numbers au 1 5 "
                                     "/b 1 a.b.Thing 2 Name s two Small s x",
                                     &objects, &n),
                        -EBADMSG);
        free_objects(objects, n);
}

TEST(one_string_is_asked_for) {
        static const Answer answers[ANSWERS_MAX] = {
                { .member = "Get", .path = "/org/a", .types = "v", .text = "s text" },
                { .member = "Get", .path = "/org/b", .types = "v", .text = "u 7" },
                { .member = "Get", .path = "/org/c", .error = "org.example.No", .text = "No." },
        };
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_free_ char *text = NULL;

        stand_in_set(answers);
        assert_ok(bus_open(stand_in_address(), &bus));
        assert_ok(property_get_string(
                        bus, "org.dkv.Master1", "/org/a", "a.b", "P", false, &text, &error));
        assert_string_equal(text, "text");
        assert_string_equal(stand_in_calls(), "Get a ss a.b P\n");

        free(TAKE_PTR(text));
        assert_true(property_get_string(
                                    bus, "org.dkv.Master1", "/org/b", "a.b", "P", false, &text,
                                    NULL) < 0);
        assert_true(property_get_string(
                                    bus, "org.dkv.Master1", "/org/c", "a.b", "P", true, &text,
                                    &error) < 0);
        assert_string_equal(error.name, "org.example.No");
        assert_null(text);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(known_properties_are_read_and_others_skipped),
                cmocka_unit_test(later_values_replace_earlier_ones),
                cmocka_unit_test(other_types_are_refused),
                cmocka_unit_test(troubles_come_in_their_order),
                cmocka_unit_test(strings_that_are_missing_become_empty),
                cmocka_unit_test(objects_with_the_interface_are_read),
                cmocka_unit_test(object_of_another_form_spoils_the_reply_and_leaks_nothing),
                cmocka_unit_test(one_string_is_asked_for),
        };

        return verb_run_tests(tests);
}
