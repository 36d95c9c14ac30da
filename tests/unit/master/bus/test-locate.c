/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Where a key is, and what is no key. */

#include "test.h"

#include <errno.h>
#include <stdio.h>

#include "master/bus/bus-fixture.h"
#include "master/bus/bus-reports.h"

static sd_bus_message *locate(const char *key) {
        return bus_ends_call(&ends, MANAGER_PATH, MANAGER_INTERFACE, "Locate", "s", key);
}

TEST(locate_finds_a_key) {
        Fixture *fixture = *state;
        IndexCommit commit = {
                .request.done = scratch_answered,
                .key = "a key/ä",
                .record = {
                        .version = 77,
                        .size = 5,
                        .mtime_usec = 99,
                        .content_type = "text/\xe4",
                        .n_copies = 2,
                        .copies = { 1, 2 },
                },
        };
        sd_bus_message *reply;
        const char *name, *type;
        unsigned n = 0;

        report(fixture, 1);
        index_commit(fixture->index, &commit);
        assert_ok(scratch_wait());

        reply = assert_no_bus_error(locate("a%20key/%C3%A4"));
        assert_ok(sd_bus_message_enter_container(reply, 'a', "{sv}"));
        while (sd_bus_message_enter_container(reply, 'e', "sv") > 0) {
                assert_ok(sd_bus_message_read(reply, "s", &name));
                assert_ok(sd_bus_message_peek_type(reply, NULL, &type));
                if (strcmp(name, "version") == 0 || strcmp(name, "object") == 0) {
                        uint64_t number;

                        assert_ok(sd_bus_message_read(reply, "v", "t", &number));
                        assert_int_equal(number, *name == 'v' ? 1 : 77);
                } else if (strcmp(name, "copies") == 0) {
                        const char *urls[2];
                        uint32_t numbers[2];
                        int up[2];

                        assert_ok(sd_bus_message_read(
                                        reply, "v", "a(ubs)", 2, numbers, up, urls, numbers + 1,
                                        up + 1, urls + 1));
                        assert_true(numbers[0] == 1 && up[0]);
                        assert_true(numbers[1] == 2 && !up[1] && !*urls[1]);
                        assert_string_equal(urls[0], "http://127.0.0.1:3001");
                } else
                        assert_ok(sd_bus_message_skip(reply, "v"));
                assert_ok(sd_bus_message_exit_container(reply));
                n++;
        }
        (void) sd_bus_message_unref(reply);
        assert_int_equal(n, 7);
}

TEST(locate_refuses_what_is_no_key) {
        static char too_long[2 * KEY_PATH_SIZE];

        memset(too_long, 'k', sizeof(too_long) - 1);
        assert_bus_error(locate("nothing"), "org.dkv.Error.NotFound", "key");
        assert_bus_error(locate(""), "org.dkv.Error.Invalid", "");
        assert_bus_error(locate("%"), "org.dkv.Error.Invalid", "");
        assert_bus_error(locate("-/health"), "org.dkv.Error.NotSupported", "");
        assert_bus_error(locate(too_long), "org.dkv.Error.KeyTooLong", "");
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                WITHOUT_VOLUMES(locate_finds_a_key),
                WITHOUT_VOLUMES(locate_refuses_what_is_no_key),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
