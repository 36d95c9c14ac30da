/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is wrong, as the property Troubles of the master and of its volumes tells it. */

#include "test.h"

#include <errno.h>
#include <stdio.h>

#include "master/bus/bus-fixture.h"
#include "master/bus/bus-reports.h"
#include "master/bus/troubles.h"

#define VOLUME_2 MANAGER_PATH "/volume/2"

typedef struct Told {
        unsigned n, n_with_advice;
        char text[1024]; /* "name level volume;" of each */
        uint64_t oldest_usec;
} Told;

static Told read_troubles(const char *path, const char *interface) {
        sd_bus_message *reply = assert_no_bus_error(
                        bus_ends_call(&ends, path, "org.freedesktop.DBus.Properties", "Get", "ss",
                                      interface, "Troubles"));
        const char *name, *level, *sentence, *advice;
        Told told = { .oldest_usec = UINT64_MAX };
        uint32_t volume;
        uint64_t since;
        size_t n = 0;

        assert_ok(sd_bus_message_enter_container(reply, 'v', TROUBLES_BUS_TYPE));
        assert_ok(sd_bus_message_enter_container(reply, 'a', TROUBLES_BUS_ITEM));
        for (; sd_bus_message_read(
                               reply, TROUBLES_BUS_ITEM, &name, &level, &volume, &since, &sentence,
                               &advice) > 0;
             told.n++) {
                assert_true(*sentence);
                told.n_with_advice += *advice != '\0';
                if (since > 0)
                        told.oldest_usec = MIN(told.oldest_usec, since);
                n += (size_t) snprintf(
                                told.text + n, sizeof(told.text) - n, "%s %s %u;", name, level,
                                volume);
        }
        (void) sd_bus_message_unref(reply);
        return told;
}

static Told all(void) {
        return read_troubles(MANAGER_PATH, MANAGER_INTERFACE);
}

static Told of_volume(const char *path) {
        return read_troubles(path, VOLUME_INTERFACE);
}

TEST(a_cluster_without_volumes_is_down) {
        Told told = all();

        assert_int_equal(told.n, 1);
        assert_non_null(strstr(told.text, " down 0;"));
        assert_int_equal(told.n_with_advice, 1);
}

TEST(a_healthy_volume_has_none) {
        assert_int_equal(of_volume(VOLUME_1).n, 0);
        assert_int_equal(of_volume(VOLUME_2).n, 0);
}

TEST(a_trouble_is_told_of_its_volume_and_of_the_whole) {
        Fixture *fixture = *state;
        uint64_t before = clock_realtime();
        Told whole, one;

        troubles_note(fixture->troubles, TROUBLE_DISK_READ_ONLY, 2, "%s", "/srv/dkv/2");
        troubles_note(fixture->troubles, TROUBLE_SECRET, 0, "%s", "10.0.0.3");
        master_bus_refresh(fixture->bus);
        whole = all();
        one = of_volume(VOLUME_2);
        assert_int_equal(one.n, 1);
        assert_non_null(strstr(one.text, " degraded 2;"));
        assert_non_null(strstr(whole.text, one.text));
        assert_non_null(strstr(whole.text, " degraded 0;"));
        assert_int_equal(whole.n, 2);
        assert_int_equal(of_volume(VOLUME_1).n, 0);
        assert_true(one.oldest_usec >= before && one.oldest_usec <= clock_realtime());

        troubles_clear(fixture->troubles, TROUBLE_DISK_READ_ONLY, 2);
        master_bus_refresh(fixture->bus);
        assert_int_equal(of_volume(VOLUME_2).n, 0);
        assert_int_equal(all().n, 1);
}

TEST(the_worst_comes_first) {
        Fixture *fixture = *state;

        troubles_note(fixture->troubles, TROUBLE_DISK_READ_ONLY, 2, "%s", "/srv/dkv/2");
        troubles_note(fixture->troubles, TROUBLE_INDEX_DISK_FULL, 0, "%s", "/srv/dkv");
        master_bus_refresh(fixture->bus);
        assert_true(strstr(all().text, "down 0;") < strstr(all().text, "degraded 2;"));
        assert_string_equal(get_text(MANAGER_PATH, MANAGER_INTERFACE, "Health"), "down");
        assert_non_null(strstr(
                        get_text(MANAGER_PATH, MANAGER_INTERFACE, "HealthReason"), "/srv/dkv"));
}

static unsigned n_told;

static int on_signal(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const char *name;

        assert_ok(sd_bus_message_skip(message, "s"));
        assert_ok(sd_bus_message_enter_container(message, 'a', "{sv}"));
        while (sd_bus_message_enter_container(message, 'e', "sv") > 0) {
                assert_ok(sd_bus_message_read(message, "s", &name));
                n_told += strcmp(name, "Troubles") == 0;
                assert_ok(sd_bus_message_skip(message, "v"));
                assert_ok(sd_bus_message_exit_container(message));
        }
        return 0;
}

/* A second trouble of the same level does not change the health, but is news. */
TEST(each_change_is_announced_once) {
        Fixture *fixture = *state;

        n_told = 0;
        assert_ok(sd_bus_match_signal(
                        ends.client, NULL, NULL, MANAGER_PATH, "org.freedesktop.DBus.Properties",
                        "PropertiesChanged", on_signal, NULL));
        troubles_note(fixture->troubles, TROUBLE_DISK_READ_ONLY, 2, "%s", "/srv/dkv/2");
        master_bus_refresh(fixture->bus);
        bus_ends_await(&ends, n_told == 1);
        troubles_note(fixture->troubles, TROUBLE_DISK_READ_ONLY, 3, "%s", "/srv/dkv/3");
        master_bus_refresh(fixture->bus);
        bus_ends_await(&ends, n_told == 2);
        troubles_note(fixture->troubles, TROUBLE_DISK_READ_ONLY, 3, "%s", "/srv/dkv/3");
        master_bus_refresh(fixture->bus);
        troubles_clear(fixture->troubles, TROUBLE_DISK_READ_ONLY, 3);
        master_bus_refresh(fixture->bus);
        bus_ends_await(&ends, n_told == 3);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                WITHOUT_VOLUMES(a_cluster_without_volumes_is_down),
                WITH_VOLUMES(a_healthy_volume_has_none),
                WITH_VOLUMES(a_trouble_is_told_of_its_volume_and_of_the_whole),
                WITH_VOLUMES(the_worst_comes_first),
                WITH_VOLUMES(each_change_is_announced_once),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
