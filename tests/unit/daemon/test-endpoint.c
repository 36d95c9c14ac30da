/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/event-ids.h"
#include "base/file.h"
#include "base/log.h"
#include "daemon/endpoint.h"
#include "http/http.h"

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

typedef struct Scene {
        char directory[sizeof("/tmp/test-endpoint-XXXXXX")], path[64];
        EndpointConf conf;
        Secret *secret;
        HttpClient *client, *bulk;
} Scene;

static int setup(void **state) {
        Scene *scene = calloc(1, sizeof(*scene));

        assert_non_null(scene);
        strcpy(scene->directory, "/tmp/test-endpoint-XXXXXX");
        assert_non_null(mkdtemp(scene->directory));
        (void) snprintf(scene->path, sizeof(scene->path), "%s/secret", scene->directory);
        scene->conf = (EndpointConf){
                .listen = (char *) "127.0.0.1:0",
                .secret_file = scene->path,
                .threads = 1,
                .connections_max = 8,
                .header_size_max = 8 * KIB,
                .timeout_usec = USEC_PER_SEC,
        };
        event_id[0] = event_text[0] = '\0';
        *state = scene;
        return 0;
}

static int teardown(void **state) {
        Scene *scene = *state;

        (void) http_client_free(scene->bulk);
        (void) http_client_free(scene->client);
        (void) secret_free(scene->secret);
        (void) unlink(scene->path);
        (void) rmdir(scene->directory);
        free(scene);
        return 0;
}

static int connect_with(Scene *scene, const char *secret, mode_t mode) {
        if (secret) {
                assert_ok(write_file(AT_FDCWD, scene->path, secret, strlen(secret), mode));
                assert_ok(chmod(scene->path, mode));
        }
        return endpoint_connect(&scene->conf, &scene->secret, &scene->client, &scene->bulk, NULL);
}

/* There is an event that says what is wrong, where, and what to do. */
static void assert_told(const Scene *scene, const char *what) {
        assert_string_equal(event_id, EVENT_SECRET_UNUSABLE);
        assert_non_null(strstr(event_text, what));
        assert_non_null(strstr(event_text, scene->path));
        assert_non_null(strstr(event_text, "dkvadm secret create"));
        assert_non_null(strstr(event_text, "/etc/credstore/dkv.secret"));
        assert_null(scene->client);
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
        Scene *scene = *state;

        assert_int_equal(connect_with(scene, "0123456789abcdef", 0600), 0);
        assert_string_equal(event_id, "");
        assert_non_null(scene->secret);
        assert_non_null(scene->client);
        assert_non_null(scene->bulk);
}

TEST(server_starts_where_it_can) {
        static const HttpRoute routes[] = { {} };
        Scene *scene = *state;
        HttpServer *server = NULL;

        assert_int_equal(endpoint_serve(&scene->conf, NULL, NULL, routes, NULL, &server), 0);
        assert_int_equal(http_server_active(server), 0);
        endpoint_cut(server, EXIT_SUCCESS); /* returns, since there is nothing to cut */
        endpoint_cut(NULL, EXIT_SUCCESS);
        assert_null(http_server_free(server));

        scene->conf.listen = (char *) "nonsense";
        assert_int_equal(endpoint_serve(&scene->conf, NULL, NULL, routes, NULL, &server), -EINVAL);
}

/* Returns the exit status of a child that runs this. */
static int in_a_child(Scene *scene, int (*function)(Scene *scene)) {
        int status;
        pid_t pid = fork();

        assert_ok(pid);
        if (pid == 0)
                _exit(function(scene));
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        return WEXITSTATUS(status);
}

static int wait_finish(HttpRequest *request) {
        return HTTP_LATER; /* and nobody ever answers */
}

static int cut_a_request(Scene *scene) {
        static const HttpRoute routes[] = { { "GET", "/", HTTP_PUBLIC, .finish = wait_finish },
                                            {} };
        char address[SERVICE_ADDRESS_SIZE];
        HttpServer *server;
        Fixture fixture;
        int fd;

        /* A port that was free a moment ago. */
        fd = service_listen("127.0.0.1:0");
        if (service_format_address(fd, address) < 0)
                return 97;
        fixture.port = service_port(fd);
        (void) close(fd);
        scene->conf.listen = address;
        if (endpoint_serve(&scene->conf, NULL, NULL, routes, NULL, &server) < 0)
                return 98;
        fd = fixture_connect(&fixture);
        send_text(fd, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
        while (http_server_active(server) == 0)
                (void) usleep(1000);
        endpoint_cut(server, 12);
        return 99;
}

/* Its threads work with what the daemon would free next. */
TEST(a_request_that_does_not_end_ends_with_the_process) {
        assert_int_equal(in_a_child(*state, cut_a_request), 12);
}

static int serve_with(Scene *scene, rlim_t descriptors) {
        static const HttpRoute routes[] = { {} };
        struct rlimit limit = { descriptors, descriptors };
        HttpServer *server;

        if (setrlimit(RLIMIT_NOFILE, &limit) < 0 ||
            endpoint_serve(&scene->conf, NULL, NULL, routes, NULL, &server) < 0)
                return 98;
        (void) http_server_free(server);
        return 0;
}

static int serve_with_few(Scene *scene) {
        scene->conf.connections_max = 1000000;
        return serve_with(scene, 1024);
}

static int serve_with_fewest(Scene *scene) {
        return serve_with(scene, 64);
}

/* The limit of the unit is lower than the setting: there are fewer connections, and a warning. */
TEST(a_server_with_few_descriptors_serves_few) {
        assert_int_equal(in_a_child(*state, serve_with_few), 0);
        assert_int_equal(in_a_child(*state, serve_with_fewest), 0);
}

TEST(an_address_in_use_is_told_and_keeps_nothing) {
        static const HttpRoute routes[] = { {} };
        _cleanup_close_ int fd = service_listen("127.0.0.1:0");
        HttpServer *server = NULL;
        Scene *scene = *state;
        char address[64];

        assert_ok(fd);
        assert_ok(service_format_address(fd, address));
        scene->conf.listen = address;
        assert_int_equal(
                        endpoint_serve(&scene->conf, NULL, NULL, routes, NULL, &server),
                        -EADDRINUSE);
        assert_null(server);
}

TEST(a_daemon_that_writes_files_has_a_client_for_them) {
        HttpClient *disk = NULL;
        Scene *scene = *state;

        assert_ok(write_file(AT_FDCWD, scene->path, "0123456789abcdef", 16, 0600));
        assert_int_equal(
                        endpoint_connect(
                                        &scene->conf, &scene->secret, &scene->client, &scene->bulk,
                                        &disk),
                        0);
        assert_non_null(disk);
        assert_true(disk != scene->client && disk != scene->bulk);
        (void) http_client_free(disk);
}

#define ENDPOINT_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        static const struct CMUnitTest tests[] = {
                ENDPOINT_TEST(missing_secret_is_told_with_what_to_do),
                ENDPOINT_TEST(short_secret_is_refused),
                ENDPOINT_TEST(secret_that_others_can_read_is_refused),
                ENDPOINT_TEST(good_secret_makes_all),
                ENDPOINT_TEST(server_starts_where_it_can),
                ENDPOINT_TEST(a_request_that_does_not_end_ends_with_the_process),
                ENDPOINT_TEST(a_server_with_few_descriptors_serves_few),
                ENDPOINT_TEST(an_address_in_use_is_told_and_keeps_nothing),
                ENDPOINT_TEST(a_daemon_that_writes_files_has_a_client_for_them),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
