/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/event-ids.h"
#include "base/file.h"
#include "base/log.h"
#include "daemon/endpoint.h"

/* The last event */
static char event_id[64], event_text[1024];

void __wrap_log_event(
                int level,
                const char *message_id,
                const char *const fields[],
                const char *format,
                ...) _printf_(4, 5);

void __wrap_log_event(
                int level,
                const char *message_id,
                const char *const fields[],
                const char *format,
                ...) {
        va_list arguments;

        (void) snprintf(event_id, sizeof(event_id), "%s", message_id);
        va_start(arguments, format);
        (void) vsnprintf(event_text, sizeof(event_text), format, arguments);
        va_end(arguments);
}

typedef struct Fixture {
        char directory[sizeof("/tmp/test-endpoint-XXXXXX")], path[64];
        EndpointConf conf;
        Secret *secret;
        HttpClient *client, *bulk;
} Fixture;

static int setup(void **state) {
        Fixture *fixture = calloc(1, sizeof(*fixture));

        assert_non_null(fixture);
        strcpy(fixture->directory, "/tmp/test-endpoint-XXXXXX");
        assert_non_null(mkdtemp(fixture->directory));
        (void) snprintf(fixture->path, sizeof(fixture->path), "%s/secret", fixture->directory);
        fixture->conf = (EndpointConf){
                .listen = (char *) "127.0.0.1:0",
                .secret_file = fixture->path,
                .threads = 1,
                .connections_max = 8,
                .header_size_max = 8 * KIB,
                .timeout_usec = USEC_PER_SEC,
        };
        event_id[0] = event_text[0] = '\0';
        *state = fixture;
        return 0;
}

static int teardown(void **state) {
        Fixture *fixture = *state;

        (void) http_client_free(fixture->bulk);
        (void) http_client_free(fixture->client);
        (void) secret_free(fixture->secret);
        (void) unlink(fixture->path);
        (void) rmdir(fixture->directory);
        free(fixture);
        return 0;
}

static int connect_with(Fixture *fixture, const char *secret, mode_t mode) {
        if (secret) {
                assert_ok(write_file(AT_FDCWD, fixture->path, secret, strlen(secret), mode));
                assert_ok(chmod(fixture->path, mode));
        }
        return endpoint_connect(
                        &fixture->conf, &fixture->secret, &fixture->client, &fixture->bulk, NULL);
}

/* There is an event that says what is wrong, where, and what to do. */
static void assert_told(const Fixture *fixture, const char *what) {
        assert_string_equal(event_id, EVENT_SECRET_UNUSABLE);
        assert_non_null(strstr(event_text, what));
        assert_non_null(strstr(event_text, fixture->path));
        assert_non_null(strstr(event_text, "dkvadm secret create"));
        assert_non_null(strstr(event_text, "/etc/credstore/dkv.secret"));
        assert_null(fixture->client);
}

TEST(missing_secret_is_told_with_what_to_do) {
        assert_int_equal(connect_with(*state, NULL, 0), -ENOENT);
        assert_told(*state, "is missing");
}

TEST(short_secret_is_refused) {
        assert_int_equal(connect_with(*state, "short", 0600), -EINVAL);
        assert_told(*state, "too short");
}

TEST(secret_that_others_can_read_is_refused) {
        assert_int_equal(connect_with(*state, "0123456789abcdef", 0640), -EPERM);
        assert_told(*state, "read by others");
}

TEST(good_secret_makes_all) {
        Fixture *fixture = *state;

        assert_int_equal(connect_with(fixture, "0123456789abcdef", 0600), 0);
        assert_string_equal(event_id, "");
        assert_non_null(fixture->secret);
        assert_non_null(fixture->client);
        assert_non_null(fixture->bulk);
}

TEST(server_starts_where_it_can) {
        static const HttpRoute routes[] = { {} };
        Fixture *fixture = *state;
        HttpServer *server = NULL;

        assert_int_equal(endpoint_serve(&fixture->conf, NULL, routes, NULL, &server), 0);
        assert_int_equal(http_server_active(server), 0);
        endpoint_cut(server); /* returns, since there is nothing to cut */
        endpoint_cut(NULL);
        assert_null(http_server_free(server));

        fixture->conf.listen = (char *) "nonsense";
        assert_int_equal(endpoint_serve(&fixture->conf, NULL, routes, NULL, &server), -EINVAL);
}

#define ENDPOINT_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        static const struct CMUnitTest tests[] = {
                ENDPOINT_TEST(missing_secret_is_told_with_what_to_do),
                ENDPOINT_TEST(short_secret_is_refused),
                ENDPOINT_TEST(secret_that_others_can_read_is_refused),
                ENDPOINT_TEST(good_secret_makes_all),
                ENDPOINT_TEST(server_starts_where_it_can),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
