/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/file.h"
#include "base/periodic.h"
#include "daemon/service.h"

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
        _exit(got >= 0 && (fcntl(got, F_GETFD) & FD_CLOEXEC) ? MIN(got, 5) : 98);
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

TEST(socket_that_was_kept_is_for_the_address_that_it_was_opened_for) {
        assert_int_equal(activate("listen-127.0.0.1_0", "1"), 3);
        assert_int_equal(activate("other:listen-127.0.0.1_0", "2"), 4);
        assert_int_equal(activate("listen-127.0.0.1_0:http", "2"), 4);

        /* Another Listen= than now */
        assert_int_equal(activate("listen-127.0.0.1_1", "1"), 5);
        assert_int_equal(activate("other:listen-127.0.0.1_1", "2"), 5);
}

/* Runs in a child that was passed four sockets: descriptors 3 to 6. */
static void be_activated_with_more(const char *names, int fd, int of_another_kind) {
        int more[2];
        char pid[32];
        int n;

        (void) snprintf(pid, sizeof(pid), "%i", (int) getpid());
        fd = fcntl(fd, F_DUPFD_CLOEXEC, 10); /* out of the way */
        of_another_kind = fcntl(of_another_kind, F_DUPFD_CLOEXEC, 10);
        if (dup2(fd, 3) != 3 || dup2(fd, 4) != 4 || dup2(fd, 5) != 5 ||
            dup2(of_another_kind, 6) != 6 || setenv("LISTEN_PID", pid, 1) < 0 ||
            setenv("LISTEN_FDS", "4", 1) < 0 || setenv("LISTEN_FDNAMES", names, 1) < 0)
                _exit(99);

        if (service_listen("127.0.0.1:0") != 3 || !service_is_activated())
                _exit(98);
        n = service_listen_more(more, ELEMENTSOF(more));
        for (int i = 0; i < n; i++)
                if (more[i] != 4 + i || !(fcntl(more[i], F_GETFL) & O_NONBLOCK))
                        _exit(97);
        _exit(n == -E2BIG ? 96 : n < 0 ? 95 : n);
}

static int activate_with_more(const char *names, int of_another_kind) {
        _cleanup_close_ int fd = -1;
        int status;
        pid_t pid;

        fd = service_listen("127.0.0.1:0");
        assert_ok(fd);
        pid = fork();
        assert_ok(pid);
        if (pid == 0)
                be_activated_with_more(names, fd, of_another_kind);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        return WEXITSTATUS(status);
}

/* A drop-in of the socket unit has added addresses. */
TEST(all_sockets_of_the_kind_are_served) {
        _cleanup_close_ int local = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        _cleanup_close_ int unbound = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        _cleanup_close_ int tcp = service_listen("127.0.0.1:0");

        assert_true(local >= 0 && unbound >= 0 && tcp >= 0);
        assert_int_equal(activate_with_more("http:http:http:http", local), 2);
        assert_int_equal(activate_with_more("http:http:http:http", unbound), 2);
        assert_int_equal(activate_with_more("http:http:other:other", tcp), 1);
        assert_int_equal(activate_with_more("http:other:other:other", tcp), 0);
        assert_int_equal(activate_with_more("http:http:http:http", tcp), 96); /* too many */
}

TEST(a_socket_of_another_kind_has_no_port) {
        _cleanup_close_ int local = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        char address[SERVICE_ADDRESS_SIZE];

        assert_ok(local);
        assert_int_equal(service_port(local), -EAFNOSUPPORT);
        assert_int_equal(service_port(-1), -EBADF);
        assert_int_equal(service_format_address(-1, address), -EBADF);
}

TEST(an_address_of_another_machine_is_not_available) {
        assert_int_equal(service_listen("192.0.2.1:0"), -EADDRNOTAVAIL); /* RFC 5737 */
}

/* Where there is IPv6. */
TEST(ipv6_is_written_in_brackets) {
        _cleanup_close_ int fd = service_listen("[::1]:0"), all = service_listen("0");
        char address[SERVICE_ADDRESS_SIZE], expected[64];

        if (fd < 0) {
                assert_int_equal(fd, -EADDRNOTAVAIL);
                skip();
        }
        assert_ok(service_format_address(fd, address));
        (void) snprintf(expected, sizeof(expected), "[::1]:%i", service_port(fd));
        assert_string_equal(address, expected);
        assert_ok(service_format_address(all, address));
        (void) snprintf(expected, sizeof(expected), "[::]:%i", service_port(all));
        assert_string_equal(address, expected);
}

TEST(address_is_told_as_it_is_written) {
        _cleanup_close_ int fd = -1;
        char address[SERVICE_ADDRESS_SIZE], expected[64];

        fd = service_listen("127.0.0.1:0");
        assert_ok(fd);
        assert_ok(service_format_address(fd, address));
        (void) snprintf(expected, sizeof(expected), "127.0.0.1:%i", service_port(fd));
        assert_string_equal(address, expected);
        assert_false(service_is_activated());
}

/* In the place of systemd */
typedef struct Manager {
        int fd;
        char directory[sizeof("/tmp/test-service-XXXXXX")];
        char text[4096]; /* what it was told, each message followed by '|' */
} Manager;

static int manager_start(void **state) {
        Manager *manager = calloc(1, sizeof(*manager));
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        if (!manager)
                return -1;
        *state = manager;
        strcpy(manager->directory, "/tmp/test-service-XXXXXX");
        if (!mkdtemp(manager->directory))
                return -1;
        (void) snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify",
                        manager->directory);

        manager->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (manager->fd < 0 || bind(manager->fd, (void *) &address, sizeof(address)) < 0)
                return -1;
        return setenv("NOTIFY_SOCKET", address.sun_path, 1);
}

static int manager_stop(void **state) {
        Manager *manager = *state;
        char path[64];

        (void) unsetenv("NOTIFY_SOCKET");
        (void) unsetenv("WATCHDOG_USEC");
        (void) close(manager->fd);
        (void) snprintf(path, sizeof(path), "%s/notify", manager->directory);
        (void) unlink(path);
        (void) rmdir(manager->directory);
        free(manager);
        return 0;
}

/* All that it was told since the last time. */
static const char *told(Manager *manager) {
        char message[512];
        ssize_t n;

        manager->text[0] = '\0';
        while ((n = recv(manager->fd, message, sizeof(message) - 1, 0)) >= 0) {
                message[n] = '\0';
                assert_true(strlen(manager->text) + (size_t) n + 2 < sizeof(manager->text));
                strcat(strcat(manager->text, message), "|");
        }
        return manager->text;
}

static size_t count(const char *text, const char *word) {
        size_t n = 0;

        while ((text = strstr(text, word))) {
                n++;
                text += strlen(word);
        }
        return n;
}

/* A daemon. What its hooks do is counted. */
typedef struct Daemon {
        unsigned n_reloads, n_stops, n_alive, n_ticks;
        unsigned stops_needed, alive_for;
        bool impatient;
} Daemon;

static void on_reload(void *userdata) {
        Daemon *daemon = userdata;

        daemon->n_reloads++;
        assert_ok(kill(getpid(), SIGTERM));
}

static void on_status(char *ret, size_t size, void *userdata) {
        Daemon *daemon = userdata;

        (void) snprintf(ret, size, "%u reloads", daemon->n_reloads);
}

static bool on_stop(void *userdata) {
        Daemon *daemon = userdata;

        if (daemon->impatient && daemon->n_stops == 0)
                assert_ok(kill(getpid(), SIGINT));
        return ++daemon->n_stops == daemon->stops_needed;
}

static bool on_is_alive(uint64_t timeout_usec, void *userdata) {
        Daemon *daemon = userdata;

        assert_int_equal(timeout_usec, 20 * USEC_PER_MSEC);
        if (++daemon->n_alive == 6)
                assert_ok(kill(getpid(), SIGTERM));
        return daemon->n_alive <= daemon->alive_for;
}

static void on_tick(void *userdata) {
        Daemon *daemon = userdata;

        daemon->n_ticks++;
}

static void run(Daemon *daemon, const ServiceHooks *hooks, int sig, uint64_t stop_usec) {
        _cleanup_(service_freep) Service *service = NULL;
        _cleanup_(periodic_freep) Periodic *ticks = NULL;

        assert_ok(service_new(hooks, daemon, &service));
        assert_ok(periodic_new(service_event(service), 0, USEC_PER_MSEC, on_tick, daemon, &ticks));
        if (sig > 0)
                assert_ok(kill(getpid(), sig));
        assert_int_equal(service_run(service, stop_usec), 0);
}

TEST(systemd_is_told_of_each_change) {
        static const ServiceHooks hooks = { .reload = on_reload, .status = on_status };
        Daemon daemon = {};
        const char *text, *reloading;

        run(&daemon, &hooks, SIGHUP, 0);
        assert_int_equal(daemon.n_reloads, 1);
        text = told(*state);
        assert_int_equal(strncmp(text, "READY=1|STATUS=0 reloads|", 25), 0);
        reloading = strstr(text, "RELOADING=1\nMONOTONIC_USEC=");
        assert_non_null(reloading);
        assert_non_null(strstr(reloading, "|READY=1|STATUS=1 reloads|STOPPING=1\nSTATUS="));
}

TEST(loop_goes_on_until_all_has_stopped) {
        static const ServiceHooks hooks = { .stop = on_stop };
        Daemon daemon = { .stops_needed = 4 };

        run(&daemon, &hooks, SIGTERM, USEC_PER_HOUR);
        assert_int_equal(daemon.n_stops, 4);
        assert_true(daemon.n_ticks > 4);
        assert_int_equal(count(told(*state), "STOPPING=1"), 1);
}

TEST(stop_has_an_end) {
        static const ServiceHooks hooks = { .stop = on_stop };
        Daemon daemon = {}, impatient = { .impatient = true };

        run(&daemon, &hooks, SIGINT, 50 * USEC_PER_MSEC);
        assert_true(daemon.n_stops > 1);

        run(&impatient, &hooks, SIGTERM, USEC_PER_HOUR); /* a second signal */
        assert_true(impatient.n_stops <= 2);
}

TEST(watchdog_is_fed_while_there_is_progress) {
        static const ServiceHooks hooks = { .is_alive = on_is_alive };
        Daemon daemon = { .alive_for = 3 };

        assert_ok(setenv("WATCHDOG_USEC", "40000", 1));
        run(&daemon, &hooks, 0, 0);
        assert_int_equal(daemon.n_alive, 6);
        assert_int_equal(count(told(*state), "WATCHDOG=1|"), 3);
}

TEST(recovery_asks_for_patience) {
        service_recovering(40);
        assert_string_equal(
                        told(*state),
                        "EXTEND_TIMEOUT_USEC=30000000\nSTATUS=Recovering the database: 40 %|");
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

        assert_ok(write_file(AT_FDCWD, credential, "fedcba9876543210\n", 17, 0440));
        assert_ok(setenv("CREDENTIALS_DIRECTORY", directory, 1));
        assert_secret(path, "fedcba9876543210");
        assert_ok(unsetenv("CREDENTIALS_DIRECTORY"));

        assert_ok(unlink(path));
        assert_ok(unlink(credential));
        assert_ok(rmdir(directory));
}

/* One newline is the editor's; more of them, and blanks, are the secret's. */
TEST(secret_ends_where_its_file_does) {
        static const struct {
                const char *text, *secret; /* NULL if it is none */
        } rows[] = {
                { "0123456789abcdef", "0123456789abcdef" },
                { "0123456789abcdef\n", "0123456789abcdef" },
                { "0123456789abcdef\n\n", "0123456789abcdef\n" },
                { "0123456789abcdef \n", "0123456789abcdef " },
                { "0123456789abcde\r\n", "0123456789abcde\r" },
                { "0123456789abcde\n", NULL },
                { "0123456789abcde", NULL },
                { "\n", NULL },
                { "", NULL },
        };
        char directory[] = "/tmp/test-service-XXXXXX", path[64];
        void *secret;
        size_t size;

        assert_non_null(mkdtemp(directory));
        (void) snprintf(path, sizeof(path), "%s/secret", directory);
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                assert_ok(write_file(AT_FDCWD, path, rows[i].text, strlen(rows[i].text), 0600));
                if (rows[i].secret)
                        assert_secret(path, rows[i].secret);
                else
                        assert_int_equal(service_read_secret(path, &secret, &size), -EINVAL);
        }

        assert_ok(truncate(path, 64 * KIB)); /* zeroes are a secret, if a bad one */
        assert_ok(service_read_secret(path, &secret, &size));
        assert_int_equal(size, 64 * KIB);
        free(secret);
        assert_ok(truncate(path, 64 * KIB + 1)); /* somebody has named a wrong file */
        assert_int_equal(service_read_secret(path, &secret, &size), -EINVAL);

        assert_ok(unlink(path));
        assert_ok(rmdir(directory));
}

/* A daemon with the wrong secret is worse than one with none. */
TEST(a_credential_that_is_bad_is_not_made_up_for_by_the_file) {
        char directory[] = "/tmp/test-service-XXXXXX", path[64], credential[64];
        void *secret;
        size_t size;

        assert_non_null(mkdtemp(directory));
        (void) snprintf(path, sizeof(path), "%s/secret", directory);
        (void) snprintf(credential, sizeof(credential), "%s/dkv.secret", directory);
        assert_ok(write_file(AT_FDCWD, path, "0123456789abcdef", 16, 0600));
        assert_ok(setenv("CREDENTIALS_DIRECTORY", directory, 1));

        assert_secret(path, "0123456789abcdef"); /* there is no such credential */
        assert_ok(write_file(AT_FDCWD, credential, "short", 5, 0400));
        assert_int_equal(service_read_secret(path, &secret, &size), -EINVAL);
        assert_ok(unlink(credential));
        assert_ok(symlink("dkv.secret", credential)); /* to itself */
        assert_int_equal(service_read_secret(path, &secret, &size), -ELOOP);

        assert_ok(unsetenv("CREDENTIALS_DIRECTORY"));
        assert_ok(unlink(credential));
        assert_ok(unlink(path));
        assert_ok(rmdir(directory));
}

int main(void) {
#define WITH_MANAGER(test) cmocka_unit_test_setup_teardown(test, manager_start, manager_stop)
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(listens_where_it_is_told),
                cmocka_unit_test(refuses_malformed_addresses),
                cmocka_unit_test(refuses_an_address_in_use),
                cmocka_unit_test(takes_the_socket_that_is_passed),
                cmocka_unit_test(socket_that_was_kept_is_for_the_address_that_it_was_opened_for),
                cmocka_unit_test(all_sockets_of_the_kind_are_served),
                cmocka_unit_test(a_socket_of_another_kind_has_no_port),
                cmocka_unit_test(an_address_of_another_machine_is_not_available),
                cmocka_unit_test(ipv6_is_written_in_brackets),
                cmocka_unit_test(address_is_told_as_it_is_written),
                WITH_MANAGER(systemd_is_told_of_each_change),
                WITH_MANAGER(loop_goes_on_until_all_has_stopped),
                WITH_MANAGER(stop_has_an_end),
                WITH_MANAGER(watchdog_is_fed_while_there_is_progress),
                WITH_MANAGER(recovery_asks_for_patience),
                cmocka_unit_test(secret_is_read_if_it_is_one),
                cmocka_unit_test(secret_ends_where_its_file_does),
                cmocka_unit_test(a_credential_that_is_bad_is_not_made_up_for_by_the_file),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
