/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/file.h"
#include "net/service.h"

TEST(listens_where_it_is_told) {
        static const char *const addresses[] = { "127.0.0.1:0", "localhost:0", "0" };

        for (size_t i = 0; i < ELEMENTSOF(addresses); i++) {
                _cleanup_close_ int fd = -1;
                int listening = 0;
                socklen_t size = sizeof(listening);

                fd = service_listen(addresses[i]);
                assert_ok(fd);
                assert_true(service_port(fd) > 0);
                assert_ok(getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size));
                assert_true(listening);
                assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
                assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
        }
}

TEST(refuses_malformed_addresses) {
        static const char *const addresses[] = {
                "",
                ":",
                ":80",
                "x",
                "127.0.0.1",
                "127.0.0.1:",
                "127.0.0.1:65536",
                "127.0.0.1:-1",
                "::1:80",
                "[::1]",
                "[]:80",
                "127.0.0.1:http",
                "300.0.0.1:80",
        };

        for (size_t i = 0; i < ELEMENTSOF(addresses); i++)
                assert_int_equal(service_listen(addresses[i]), -EINVAL);
}

TEST(refuses_an_address_in_use) {
        _cleanup_close_ int fd = -1;
        char address[64];

        fd = service_listen("127.0.0.1:0");
        assert_ok(fd);
        (void) snprintf(address, sizeof(address), "127.0.0.1:%i", service_port(fd));
        assert_int_equal(service_listen(address), -EADDRINUSE);
}

/* Runs in a child, whose descriptor 3 and environment are as systemd would make them. */
static void be_activated(const char *names, const char *n_sockets, int fd) {
        char pid[32];
        int got;

        (void) snprintf(pid, sizeof(pid), "%i", (int) getpid());
        if (dup2(fd, 3) != 3 || dup2(fd, 4) != 4 || setenv("LISTEN_PID", pid, 1) < 0 ||
            setenv("LISTEN_FDS", n_sockets, 1) < 0 || setenv("LISTEN_FDNAMES", names, 1) < 0)
                _exit(99);

        got = service_listen("127.0.0.1:0");
        _exit(got >= 0 && got <= 4 && (fcntl(got, F_GETFD) & FD_CLOEXEC) ? got : 98);
}

static int activate(const char *names, const char *n_sockets) {
        _cleanup_close_ int fd = -1;
        int status;
        pid_t pid;

        fd = service_listen("127.0.0.1:0");
        assert_ok(fd);
        pid = fork();
        assert_ok(pid);
        if (pid == 0)
                be_activated(names, n_sockets, fd);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        return WEXITSTATUS(status);
}

TEST(takes_the_socket_that_is_passed) {
        assert_int_equal(activate("anything", "1"), 3);
        assert_int_equal(activate("other:http", "2"), 4);
        assert_int_equal(activate("http:other", "2"), 3);
}

static int on_reload(void *userdata) {
        int *n_reloads = userdata;

        (*n_reloads)++;
        return kill(getpid(), SIGTERM) < 0 ? -errno : 0;
}

TEST(signals_reload_and_end_the_loop) {
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        int n_reloads = 0;

        assert_ok(service_new(on_reload, &n_reloads, &event));
        assert_ok(kill(getpid(), SIGHUP));
        assert_int_equal(sd_event_loop(event), 0);
        assert_int_equal(n_reloads, 1);
}

static void assert_secret(const char *path, const char *expected) {
        _cleanup_free_ void *secret = NULL;
        size_t size;

        assert_ok(service_read_secret(path, &secret, &size));
        assert_int_equal(size, strlen(expected));
        assert_memory_equal(secret, expected, size);
}

TEST(secret_is_read_if_it_is_one) {
        char directory[] = "/tmp/test-service-XXXXXX", path[64], credential[64];
        void *secret;
        size_t size;

        assert_non_null(mkdtemp(directory));
        (void) snprintf(path, sizeof(path), "%s/secret", directory);
        (void) snprintf(credential, sizeof(credential), "%s/dkv.secret", directory);

        assert_int_equal(service_read_secret(path, &secret, &size), -ENOENT);
        assert_ok(write_file(AT_FDCWD, path, "short", 5, 0600));
        assert_int_equal(service_read_secret(path, &secret, &size), -EINVAL);
        assert_ok(write_file(AT_FDCWD, path, "0123456789abcdef", 16, 0600));
        assert_secret(path, "0123456789abcdef");
        assert_ok(chmod(path, 0640));
        assert_int_equal(service_read_secret(path, &secret, &size), -EPERM);

        assert_ok(write_file(AT_FDCWD, credential, "fedcba9876543210", 16, 0440));
        assert_ok(setenv("CREDENTIALS_DIRECTORY", directory, 1));
        assert_secret(path, "fedcba9876543210");
        assert_ok(unsetenv("CREDENTIALS_DIRECTORY"));

        assert_ok(unlink(path));
        assert_ok(unlink(credential));
        assert_ok(rmdir(directory));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(listens_where_it_is_told),
                cmocka_unit_test(refuses_malformed_addresses),
                cmocka_unit_test(refuses_an_address_in_use),
                cmocka_unit_test(takes_the_socket_that_is_passed),
                cmocka_unit_test(signals_reload_and_end_the_loop),
                cmocka_unit_test(secret_is_read_if_it_is_one),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
