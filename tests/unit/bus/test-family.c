/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <stdio.h>

#include "base/clock.h"
#include "bus/bus-ends.h"
#include "bus/family.h"
#include "bus/property.h"

#define PATH      "/org/dkv/Test/thing"
#define INTERFACE "org.dkv.Test.Thing"

typedef struct Thing {
        uint32_t size;
        uint64_t weight, unwatched;
        char name[16];
} Thing;

static BusEnds ends;
static BusServer *server;
static BusFamily *family;
static char signals[1024]; /* that came, as "new PATH;", "gone PATH;" or "PATH:Name,Name;" */
static unsigned n_looks, n_added, n_told;

static int find(sd_bus *bus,
                const char *path,
                const char *interface,
                void *userdata,
                void **ret,
                sd_bus_error *e) {
        return bus_family_find_path(family, path, ret);
}

static int enumerate(
                sd_bus *bus, const char *prefix, void *userdata, char ***ret, sd_bus_error *error) {
        return bus_family_enumerate(family, ret);
}

/* clang-format off */
static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Size",      "u", NULL,         BUS_STATE(Thing, size),      BUS_TELLS),
        SD_BUS_PROPERTY("Weight",    "t", NULL,         BUS_STATE(Thing, weight),    BUS_TELLS),
        SD_BUS_PROPERTY("Name",      "s", bus_get_text, BUS_STATE(Thing, name),      BUS_TELLS),
        SD_BUS_PROPERTY("Unwatched", "t", NULL,         BUS_STATE(Thing, unwatched), 0),
        SD_BUS_VTABLE_END,
};

static const BusObject objects[] = {
        { "/org/dkv/Test", "org.dkv.Test", NULL, .manages = true },
        { PATH, INTERFACE, vtable, find, enumerate },
        {}
};

static const BusWatched watched[] = {
        BUS_WATCHED("Size",      Thing, size),
        BUS_WATCHED("Weight",    Thing, weight),
        BUS_WATCHED_TEXT("Name", Thing, name),
        {}
};
/* clang-format on */

static int on_signal(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        size_t n = strlen(signals);
        const char *text;

        if (!sd_bus_message_is_signal(message, NULL, "PropertiesChanged")) {
                assert_ok(sd_bus_message_read(message, "o", &text));
                (void) snprintf(signals + n, sizeof(signals) - n, "%s %s;",
                                sd_bus_message_is_signal(message, NULL, "InterfacesAdded") ? "new"
                                                                                           : "gone",
                                text + strlen(PATH));
                return 0;
        }

        n += (size_t) snprintf(
                        signals + n, sizeof(signals) - n,
                        "%s:", sd_bus_message_get_path(message) + strlen(PATH));
        assert_ok(sd_bus_message_skip(message, "s"));
        assert_ok(sd_bus_message_enter_container(message, 'a', "{sv}"));
        while (sd_bus_message_enter_container(message, 'e', "sv") > 0) {
                assert_ok(sd_bus_message_read(message, "s", &text));
                n += (size_t) snprintf(signals + n, sizeof(signals) - n, "%s,", text);
                assert_ok(sd_bus_message_skip(message, "v"));
                assert_ok(sd_bus_message_exit_container(message));
        }
        (void) snprintf(signals + n, sizeof(signals) - n, ";");
        return 0;
}

static int on_added(sd_bus *bus, const char *path, const void *state, void *userdata) {
        assert_ptr_equal(userdata, signals);
        n_added++;
        return 0;
}

static int on_told(sd_bus *bus, const char *path, const void *before, const void *state, void *u) {
        const Thing *then = before, *now = state;

        assert_true(then->size != now->size || then->weight != now->weight ||
                    strcmp(then->name, now->name) != 0);
        n_told++;
        return 0;
}

static void look(uint32_t number, void *state, void *userdata) {
        Thing *thing = state;

        thing->unwatched = number * 100;
        n_looks++;
}

static void start(uint64_t interval_usec) {
        assert_ok(
                        bus_family_new(server, ends.event,
                                       &(BusFamilyOptions){
                                                       .path = PATH,
                                                       .interface = INTERFACE,
                                                       .state_size = sizeof(Thing),
                                                       .watched = watched,
                                                       .interval_usec = interval_usec,
                                                       .userdata = signals,
                                                       .on_added = on_added,
                                                       .on_told = on_told,
                                                       .look = look,
                                       },
                                       &family));
}

static int setup(void **state) {
        *signals = '\0';
        n_looks = n_added = n_told = 0;
        bus_ends_init(&ends);
        assert_ok(bus_server_new(
                        ends.event, &(BusServerOptions){ .bus = ends.server, .objects = objects },
                        &server));
        assert_ok(sd_bus_match_signal(ends.client, NULL, NULL, NULL, NULL, NULL, on_signal, NULL));
        start(0);
        return 0;
}

static int teardown(void **state) {
        family = bus_family_free(family);
        server = bus_server_free(server);
        bus_ends_done(&ends);
        return 0;
}

static void run_loop(void) {
        while (sd_event_run(ends.event, 0) > 0)
                ;
}

#define assert_signals(expected) \
        do { \
                run_loop(); \
                assert_string_equal(signals, expected); \
                *signals = '\0'; \
        } while (0)

static void set(uint32_t number, Thing thing) {
        assert_ok(bus_family_set(family, number, &thing));
}

TEST(members_come_change_and_go) {
        set(2, (Thing){ .size = 1 });
        set(1, (Thing){ .size = 1 });
        assert_signals("new /2;new /1;");
        set(2, (Thing){ .size = 2, .name = "x" });
        assert_signals("/2:Size,Name,;");
        set(2, (Thing){ .size = 2, .name = "x" });
        assert_signals("");
        set(2, (Thing){ .size = 2, .name = "x", .unwatched = 7 });
        assert_signals("");
        assert_ok(bus_family_remove(family, 2));
        assert_signals("gone /2;");
        assert_null(bus_family_find(family, 2));
        assert_ok(bus_family_remove(family, 2));
        assert_signals("");
        assert_int_equal(n_added, 2);
        assert_int_equal(n_told, 1);
}

/* What is behind the end of a text is no change. */
TEST(texts_are_compared_up_to_their_ends) {
        set(1, (Thing){ .name = "ab\0cd" });
        set(1, (Thing){ .name = "ab\0ce" });
        assert_signals("new /1;");
        set(1, (Thing){ .name = "abc" });
        assert_signals("/1:Name,;");
}

TEST(a_member_is_looked_at_when_it_is_read) {
        uint64_t value;

        set(3, (Thing){ .weight = 5 });
        run_loop();
        n_looks = 0;
        bus_ends_get(&ends, PATH "/3", INTERFACE, "Unwatched", "t", &value);
        assert_int_equal(value, 300);
        assert_true(n_looks > 0);
        bus_ends_get(&ends, PATH "/3", INTERFACE, "Weight", "t", &value);
        assert_int_equal(value, 5);
}

TEST(members_are_in_order_however_they_come) {
        static const uint32_t numbers[] = { 50, 3, 10, 1, 4294967295, 7, 2 };
        char **paths;
        uint64_t last = 0;

        for (size_t i = 0; i < ELEMENTSOF(numbers); i++)
                set(numbers[i], (Thing){ .size = numbers[i] });
        for (size_t i = 0; i < ELEMENTSOF(numbers); i++)
                assert_int_equal(bus_family_find(family, numbers[i])->number, numbers[i]);
        assert_null(bus_family_find(family, 4));

        assert_ok(bus_family_enumerate(family, &paths));
        for (size_t i = 0; i < ELEMENTSOF(numbers); i++) {
                uint32_t number = bus_path_parse(PATH, paths[i]);

                assert_true(number > last);
                last = number;
                free(paths[i]);
        }
        assert_null(paths[ELEMENTSOF(numbers)]);
        free(paths);
}

TEST(a_number_has_one_spelling) {
        static const char *const wrong[] = {
                "",        PATH,       PATH "/",   PATH "/0", PATH "/01",  PATH "/1x",
                PATH "/x", PATH "/-1", PATH "x/1", "/1",      PATH "/1/2", PATH "/4294967296"
        };
        char path[BUS_PATH_SIZE];

        for (size_t i = 0; i < ELEMENTSOF(wrong); i++)
                assert_int_equal(bus_path_parse(PATH, wrong[i]), 0);
        assert_int_equal(bus_path_parse(PATH, PATH "/4294967295"), UINT32_MAX);
        assert_string_equal(bus_path_format(PATH, 17, path), PATH "/17");
        assert_int_equal(bus_path_parse(PATH, path), 17);
        assert_string_equal(bus_path_format(PATH, 0, path), "/");
}

TEST(a_family_that_is_not_there_has_no_members) {
        char **paths;
        void *object;

        assert_null(bus_family_find(NULL, 1));
        assert_int_equal(bus_family_find_path(NULL, PATH "/1", &object), 0);
        assert_ok(bus_family_enumerate(NULL, &paths));
        assert_null(paths[0]);
        free(paths);
}

#define INTERVAL (50 * USEC_PER_MSEC)

/* A change comes when the interval since the member was new is over, though nothing more happens.
 */
TEST(changes_are_held_back) {
        uint64_t begin, end;

        family = bus_family_free(family);
        start(INTERVAL);
        assert_ok(sd_event_now(ends.event, CLOCK_MONOTONIC, &begin));
        set(1, (Thing){});
        set(1, (Thing){ .size = 10 });
        bus_ends_await(&ends, strstr(signals, "Size"));
        assert_ok(sd_event_now(ends.event, CLOCK_MONOTONIC, &end));
        assert_true(end - begin >= INTERVAL);
        assert_string_equal(signals, "new /1;/1:Size,;");
        assert_int_equal(((const Thing *) bus_family_find(family, 1)->told)->size, 10);

        /* And then nothing is left to be told. */
        *signals = '\0';
        begin = clock_monotonic();
        while (clock_monotonic() - begin < 2 * INTERVAL)
                assert_ok(sd_event_run(ends.event, INTERVAL / 4));
        assert_string_equal(signals, "");
}

/* Nobody has to wait for the interval: what goes tells what it was last, and an end tells all. */
TEST(what_is_held_back_is_told_before_the_end) {
        family = bus_family_free(family);
        start(USEC_PER_HOUR);
        set(1, (Thing){});
        set(2, (Thing){});
        assert_signals("new /1;new /2;");

        for (uint32_t i = 1; i <= 7; i++)
                set(1, (Thing){ .size = i });
        set(2, (Thing){ .weight = 8 });
        assert_signals("");
        assert_ok(bus_family_remove(family, 1));
        assert_signals("/1:Size,;gone /1;");

        *signals = '\0';
        assert_ok(bus_family_flush(family));
        assert_signals("/2:Weight,;");
        *signals = '\0';
        assert_ok(bus_family_flush(family)); /* nothing is left */
        assert_signals("");
        assert_ok(bus_family_flush(NULL));
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
        static const struct CMUnitTest tests[] = {
                ROW(members_come_change_and_go),
                ROW(texts_are_compared_up_to_their_ends),
                ROW(a_member_is_looked_at_when_it_is_read),
                ROW(members_are_in_order_however_they_come),
                ROW(a_number_has_one_spelling),
                ROW(a_family_that_is_not_there_has_no_members),
                ROW(changes_are_held_back),
                ROW(what_is_held_back_is_told_before_the_end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
