/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-event.h>

#include "adm/context/bus-names.h"
#include "adm/verb.h"
#include "adm/view/view.h"
#include "bus/bus.h"

/* A master of the other end of a socket, some of whose properties are of a later release. */
typedef struct Fake {
        sd_event *event;
        sd_bus *server, *client;
        View *view;
        int result;
        char error[128];
        bool there;
} Fake;

static int get_fixed(
                sd_bus *bus,
                const char *path,
                const char *interface,
                const char *property,
                sd_bus_message *reply,
                void *userdata,
                sd_bus_error *error) {
        bool second = strstr(path, "volume/12");
        const char *slash = strrchr(path, '/');

        if (strcmp(property, "Number") == 0)
                return sd_bus_message_append(reply, "u", (uint32_t) strtoul(slash + 1, NULL, 10));
        if (strcmp(property, "Up") == 0)
                return sd_bus_message_append(reply, "b", second);
        if (strcmp(property, "Copies") == 0)
                return sd_bus_message_append(reply, "u", 2);
        if (strcmp(property, "Keys") == 0)
                return sd_bus_message_append(reply, "t", UINT64_C(1) << 40);
        if (strcmp(property, "Novelty") == 0)
                return sd_bus_message_append(reply, "as", 2, "a", "b");
        return sd_bus_message_append(
                        reply, "s", strcmp(property, "Health") == 0 ? "degraded" : "active");
}

static int get_number(
                sd_bus *bus,
                const char *path,
                const char *interface,
                const char *property,
                sd_bus_message *reply,
                void *userdata,
                sd_bus_error *error) {
        return sd_bus_message_append(reply, "u", 1);
}

/* clang-format off */
static const sd_bus_vtable manager[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Novelty", "as", get_fixed, 0, 0),
        SD_BUS_PROPERTY("Health",  "s",  get_fixed, 0, 0),
        SD_BUS_PROPERTY("Copies",  "u",  get_fixed, 0, 0),
        SD_BUS_PROPERTY("Keys",    "t",  get_fixed, 0, 0),
        SD_BUS_VTABLE_END
};

static const sd_bus_vtable odd_manager[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Health", "u", get_number, 0, 0),
        SD_BUS_VTABLE_END
};

static const sd_bus_vtable volume[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Number",  "u",  get_fixed, 0, 0),
        SD_BUS_PROPERTY("State",   "s",  get_fixed, 0, 0),
        SD_BUS_PROPERTY("Novelty", "as", get_fixed, 0, 0),
        SD_BUS_PROPERTY("Up",      "b",  get_fixed, 0, 0),
        SD_BUS_VTABLE_END
};
/* clang-format on */

static int setup(void **state) {
        static Fake fake;

        fake = (Fake){};
        assert_ok(sd_event_new(&fake.event));
        assert_ok(bus_new_pair(fake.event, &fake.server, &fake.client));
        *state = &fake;
        return 0;
}

static int teardown(void **state) {
        Fake *fake = *state;

        (void) view_free(fake->view);
        (void) sd_bus_flush_close_unref(fake->client);
        (void) sd_bus_flush_close_unref(fake->server);
        (void) sd_event_unref(fake->event);
        return 0;
}

static void add_objects(Fake *fake, const sd_bus_vtable *of_manager) {
        assert_ok(sd_bus_add_object_vtable(
                        fake->server, NULL, MASTER_PATH, MASTER_INTERFACE, of_manager, NULL));
        assert_ok(sd_bus_add_object_manager(fake->server, NULL, MASTER_PATH));
        assert_ok(sd_bus_add_object_vtable(
                        fake->server, NULL, MASTER_PATH "/volume/12", MASTER_VOLUME_INTERFACE,
                        volume, NULL));
        assert_ok(sd_bus_add_object_vtable(
                        fake->server, NULL, MASTER_PATH "/volume/3", MASTER_VOLUME_INTERFACE,
                        volume, NULL));
        assert_ok(sd_bus_add_object_vtable(
                        fake->server, NULL, MASTER_PATH "/job/1", "org.dkv.Master1.Job", volume,
                        NULL));
}

static void on_view(View *view, int result, const sd_bus_error *error, void *userdata) {
        Fake *fake = userdata;

        assert_false(fake->there);
        fake->there = true;
        fake->view = view;
        fake->result = result;
        if (error->name)
                (void) strncpy(fake->error, error->name, sizeof(fake->error) - 1);
}

static void ask(Fake *fake) {
        _cleanup_(view_question_freep) ViewQuestion *question = NULL;

        assert_ok(view_ask(fake->client, on_view, fake, &question));
        while (!fake->there)
                assert_true(sd_event_run(fake->event, 10 * USEC_PER_SEC) > 0);
}

TEST(view_has_what_is_known_of_both_sides) {
        Fake *fake = *state;

        add_objects(fake, manager);
        ask(fake);

        assert_int_equal(fake->result, 0);
        assert_string_equal(fake->view->health, "degraded");
        assert_string_equal(fake->view->health_reason, "");
        assert_int_equal(fake->view->copies, 2);
        assert_int_equal(fake->view->keys, UINT64_C(1) << 40);
        assert_true(fake->view->taken > 0);
}

TEST(volumes_are_in_the_order_of_their_numbers) {
        Fake *fake = *state;

        add_objects(fake, manager);
        ask(fake);

        assert_int_equal(fake->view->n_volumes, 2);
        assert_int_equal(fake->view->volumes[0].number, 3);
        assert_int_equal(fake->view->volumes[1].number, 12);
        assert_false(fake->view->volumes[0].up);
        assert_true(fake->view->volumes[1].up);
        assert_string_equal(fake->view->volumes[1].state, "active");
        assert_string_equal(fake->view->volumes[1].url, "");
        assert_ptr_equal(view_find(fake->view, 12), fake->view->volumes + 1);
        assert_null(view_find(fake->view, 4));
}

TEST(many_volumes_are_in_order) {
        Fake *fake = *state;

        add_objects(fake, manager);
        for (unsigned i = 100; i < 150; i++) {
                char path[64];

                (void) snprintf(path, sizeof(path), MASTER_PATH "/volume/%u", i);
                assert_ok(sd_bus_add_object_vtable(
                                fake->server, NULL, path, MASTER_VOLUME_INTERFACE, volume, NULL));
        }
        ask(fake);

        assert_int_equal(fake->view->n_volumes, 52);
        for (size_t i = 1; i < fake->view->n_volumes; i++)
                assert_true(fake->view->volumes[i].number > fake->view->volumes[i - 1].number);
}

TEST(property_of_another_type_is_an_error) {
        Fake *fake = *state;

        add_objects(fake, odd_manager);
        ask(fake);
        assert_int_equal(fake->result, -EBADMSG);
        assert_null(fake->view);
}

TEST(failure_comes_with_its_error) {
        Fake *fake = *state;

        ask(fake);
        assert_true(fake->result < 0);
        assert_string_equal(fake->error, SD_BUS_ERROR_UNKNOWN_OBJECT);
        assert_null(fake->view);
}

TEST(lost_connection_is_a_failure) {
        _cleanup_(view_question_freep) ViewQuestion *question = NULL;
        Fake *fake = *state;

        add_objects(fake, manager);
        assert_ok(view_ask(fake->client, on_view, fake, &question));
        sd_bus_close(fake->server);
        while (!fake->there)
                assert_true(sd_event_run(fake->event, 10 * USEC_PER_SEC) > 0);

        assert_true(fake->result < 0);
        assert_null(fake->view);
}

TEST(freed_question_has_no_answer) {
        Fake *fake = *state;
        ViewQuestion *question;

        add_objects(fake, manager);
        assert_ok(view_ask(fake->client, on_view, fake, &question));
        question = view_question_free(question);
        assert_null(question);
        while (sd_event_run(fake->event, 0) > 0)
                ;
        assert_false(fake->there);
}

/* clang-format off */
static const Answer stores[ANSWERS_MAX] = {
        { .member = "GetAll", .path = "/org/dkv/Volume1", .types = "a{sv}",
          .text = "10 Number u 7 Directory s /v Listen s h:1 Master s http://m MasterAccepts b 1 DiskFree t 5 DiskSize t 6"
                  " Objects t 8 Bytes t 9 Requests t 10" },
};
/* clang-format on */

TEST(volumes_of_this_machine_are_asked_themselves) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        StoreView *found;
        size_t n;

        stand_in_set(stores);
        assert_ok(bus_open(stand_in_address(), &bus));
        assert_ok(stores_get(bus, &found, &n));
        assert_int_equal(n, 1);
        assert_int_equal(found[0].number, 7);
        assert_string_equal(found[0].directory, "/v");
        assert_string_equal(found[0].master, "http://m");
        assert_string_equal(found[0].master_error, ""); /* it was not told */
        assert_true(found[0].master_accepts);
        assert_int_equal(found[0].disk_free, 5);
        assert_int_equal(found[0].objects, 8);
        assert_int_equal(found[0].bytes, 9);
        assert_int_equal(found[0].traffic.requests, 10);
        assert_string_equal(stand_in_calls(), "GetAll Volume1 s org.dkv.Volume1.Store\n");
        stores_free(found, n);
}

TEST(volume_that_does_not_answer_is_left_out) {
        static const Answer answers[][ANSWERS_MAX] = {
                { { .member = "GetAll", .error = "org.dkv.Error.Internal", .text = "Oh." } },
                { { .member = "GetAll", .types = "a{sv}", .text = "1 Number s seven" } },
                { { .member = "GetAll", .types = "s", .text = "x" } },
        };

        for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
                _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
                StoreView *found;
                size_t n;

                stand_in_set(answers[i]);
                assert_ok(bus_open(stand_in_address(), &bus));
                assert_ok(stores_get(bus, &found, &n));
                assert_int_equal(n, 0);
                stores_free(found, n);
        }
}

TEST(bus_without_volumes_has_none) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        StoreView *found;
        size_t n;

        stand_in_leave();
        assert_ok(bus_open(stand_in_address(), &bus));
        assert_ok(stores_get(bus, &found, &n));
        stores_free(found, n);

        sd_bus_close(bus);
        assert_true(stores_get(bus, &found, &n) < 0);
}

TEST(every_figure_of_the_tables_is_read) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        Answer answers[ANSWERS_MAX] = {
                { .member = "GetAll", .types = "a{sv}" },
                { .member = "GetManagedObjects", .types = "a{oa{sa{sv}}}", .text = "0" },
        };
        char text[1024];
        uint64_t sum = 0;
        unsigned n = 0;
        View *view;

#define PUT(field, property, ...) \
        (void) snprintf(text + strlen(text), sizeof(text) - strlen(text), " %s t %u", property, \
                        1u << n++);
#define COUNT(...)              n++;
#define SUM(field, ...)         sum += view->field;
#define SUM_TRAFFIC(field, ...) sum += view->traffic.field;
        MASTER_METRICS(COUNT)
        TRAFFIC_METRICS(COUNT)
        (void) snprintf(text, sizeof(text), "%u", n);
        n = 0;
        MASTER_METRICS(PUT)
        TRAFFIC_METRICS(PUT)
        answers[0].text = text;

        stand_in_set(answers);
        assert_ok(bus_open(stand_in_address(), &bus));
        assert_ok(view_get(bus, &error, &view));
        MASTER_METRICS(SUM)
        TRAFFIC_METRICS(SUM_TRAFFIC)
        assert_int_equal(sum, (1u << n) - 1); /* each has come once */
        (void) view_free(view);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(
                                view_has_what_is_known_of_both_sides, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                volumes_are_in_the_order_of_their_numbers, setup, teardown),
                cmocka_unit_test_setup_teardown(many_volumes_are_in_order, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                property_of_another_type_is_an_error, setup, teardown),
                cmocka_unit_test_setup_teardown(failure_comes_with_its_error, setup, teardown),
                cmocka_unit_test_setup_teardown(lost_connection_is_a_failure, setup, teardown),
                cmocka_unit_test_setup_teardown(freed_question_has_no_answer, setup, teardown),
                cmocka_unit_test(volumes_of_this_machine_are_asked_themselves),
                cmocka_unit_test(volume_that_does_not_answer_is_left_out),
                cmocka_unit_test(bus_without_volumes_has_none),
                cmocka_unit_test(every_figure_of_the_tables_is_read),
        };

        return verb_run_tests(tests);
}
