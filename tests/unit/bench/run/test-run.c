/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Whole runs of dkv-bench against a server that keeps values. */

#include "test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "bench/bench.h"
#include "bench/check.h"
#include "bench/tickets.h"
#include "frame/capture.h"

#define KEYS       20
#define VALUE_SIZE 300

/* A key is its number behind "/bench/"; the server answers by number. */
static struct {
        int listen_fd;
        char url[64];
        pthread_t thread;
        pthread_mutex_t lock; /* of all below */
        uint8_t values[KEYS][VALUE_SIZE];
        size_t sizes[KEYS]; /* 0: there is none */
        unsigned n_requests;
        unsigned n_failures; /* so many requests are answered with 503 first */
        bool redirects, closes;
} server = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void answer(int fd, const char *head, const void *body, size_t size) {
        char text[256];
        int n = snprintf(
                        text, sizeof(text), "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n", head,
                        size);

        (void) write_all(fd, text, (size_t) n);
        (void) write_all(fd, body, size);
}

/* Returns the size of the body that follows, or -1 at the end of the connection. */
static ssize_t read_head(int fd, char *ret, size_t size) {
        const char *length;
        size_t n = 0;

        ret[0] = '\0';
        while (!strstr(ret, "\r\n\r\n")) {
                if (n + 1 >= size || recv(fd, ret + n, 1, 0) != 1)
                        return -1;
                ret[++n] = '\0';
        }
        length = strcasestr(ret, "Content-Length: ");
        return length ? strtol(length + strlen("Content-Length: "), NULL, 10) : 0;
}

static void serve_one(int fd, const char *head, const uint8_t *body, size_t size) {
        unsigned number = (unsigned) strtoul(strstr(head, "bench/") + strlen("bench/"), NULL, 10);

        server.n_requests++;
        if (server.n_failures > 0) {
                server.n_failures--;
                answer(fd, "503 Service Unavailable", "", 0);
        } else if (server.redirects && !strstr(head, "?ticket")) {
                char text[256];

                (void) snprintf(text, sizeof(text),
                                "307 Temporary Redirect\r\nLocation: %s/bench/%u?ticket",
                                server.url, number);
                answer(fd, text, "", 0);
        } else if (strncmp(head, "PUT ", 4) == 0) {
                memcpy(server.values[number], body, size);
                server.sizes[number] = size;
                answer(fd, "201 Created", "", 0);
        } else if (strncmp(head, "DELETE ", 7) == 0) {
                answer(fd, server.sizes[number] > 0 ? "200 OK" : "404 Not Found", "", 0);
                server.sizes[number] = 0;
        } else if (server.sizes[number] == 0)
                answer(fd, "404 Not Found", "", 0);
        else
                answer(fd, "200 OK", server.values[number], server.sizes[number]);
}

static void *serve_connection(void *userdata) {
        int fd = (int) (intptr_t) userdata;
        uint8_t body[VALUE_SIZE];
        char head[2048];
        ssize_t size;

        while ((size = read_head(fd, head, sizeof(head))) >= 0) {
                bool closes;

                if (size > VALUE_SIZE ||
                    (size > 0 && recv(fd, body, (size_t) size, MSG_WAITALL) != size))
                        break;
                (void) pthread_mutex_lock(&server.lock);
                closes = server.closes;
                if (!closes)
                        serve_one(fd, head, body, (size_t) size);
                (void) pthread_mutex_unlock(&server.lock);
                if (closes)
                        break;
        }
        (void) close(fd);
        return NULL;
}

static void *serve(void *userdata) {
        int fd;

        while ((fd = accept(server.listen_fd, NULL, NULL)) >= 0) {
                pthread_t thread;

                if (pthread_create(&thread, NULL, serve_connection, (void *) (intptr_t) fd) == 0)
                        (void) pthread_detach(thread);
        }
        return NULL;
}

static int start_server(void **state) {
        struct sockaddr_in address = { .sin_family = AF_INET,
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t size = sizeof(address);

        server.listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_ok(bind(server.listen_fd, (struct sockaddr *) &address, sizeof(address)));
        assert_ok(listen(server.listen_fd, 64));
        assert_ok(getsockname(server.listen_fd, (struct sockaddr *) &address, &size));
        (void) snprintf(server.url, sizeof(server.url), "http://127.0.0.1:%u",
                        ntohs(address.sin_port));
        return pthread_create(&server.thread, NULL, serve, NULL);
}

static int stop_server(void **state) {
        (void) shutdown(server.listen_fd, SHUT_RDWR);
        (void) pthread_join(server.thread, NULL);
        (void) close(server.listen_fd);
        return 0;
}

static Bench bench;
static Tally tally;

/* As "dkv-bench OPTIONS..." is set up. */
static void begin(const char *const options[]) {
        char *argv[16] = { (char *) "dkv-bench" };
        int argc = 1;

        for (; options[argc - 1]; argc++)
                argv[argc] = (char *) options[argc - 1];
        memset(&tally, 0, sizeof(tally));
        memset(&bench, 0, sizeof(bench));
        authorities_init(&bench.authorities);
        assert_int_equal(options_parse(&bench.options, argc, argv), 0);
        assert_ok(bench_set_url(&bench, server.url));
        (void) pthread_mutex_lock(&server.lock);
        server.n_requests = server.n_failures = 0;
        server.redirects = server.closes = false;
        (void) pthread_mutex_unlock(&server.lock);
}

static void end(void) {
        options_done(&bench.options);
        authorities_done(&bench.authorities);
}

static int run(unsigned read_percent, OperationType write) {
        Load load;
        Run one;
        int r;

        assert_ok(load_init(&load, &bench.options));
        load.read_percent = read_percent;
        load.write = write;
        one = bench_make_run(&bench, &load);
        r = run_execute(&one, &tally);
        load_done(&load);
        return r;
}

#define OPTIONS(...) \
        ((const char *const[]){ "--keys=20", "--size=100-300", "--connections=4", "--progress=no", \
                                __VA_ARGS__, NULL })

static void fill(void) {
        begin(OPTIONS("--count=20"));
        assert_ok(run(0, OPERATION_PUT));
        end();
        memset(&tally, 0, sizeof(tally));
}

TEST(values_are_written_read_and_deleted) {
        begin(OPTIONS("--count=20", "--threads=2"));
        assert_ok(run(0, OPERATION_PUT));
        assert_int_equal(tally.statuses[201], KEYS);
        assert_int_equal(tally_answered(&tally), KEYS);

        memset(&tally, 0, sizeof(tally));
        assert_ok(run(100, OPERATION_PUT));
        assert_int_equal(tally.outcomes[OUTCOME_OK], KEYS);

        memset(&tally, 0, sizeof(tally));
        assert_ok(run(0, OPERATION_DELETE));
        assert_int_equal(tally.outcomes[OUTCOME_OK], KEYS);

        memset(&tally, 0, sizeof(tally));
        assert_ok(run(100, OPERATION_PUT));
        assert_int_equal(tally.outcomes[OUTCOME_MISSING], KEYS);
        end();
}

TEST(damaged_value_is_seen) {
        fill();
        server.values[7][50] ^= 1;
        begin(OPTIONS("--count=20"));
        assert_ok(run(100, OPERATION_PUT));
        assert_int_equal(tally.outcomes[OUTCOME_WRONG], 1);
        assert_int_equal(tally.outcomes[OUTCOME_OK], KEYS - 1);
        end();

        begin(OPTIONS("--count=20", "--verify=no"));
        assert_ok(run(100, OPERATION_PUT));
        assert_int_equal(tally.outcomes[OUTCOME_OK], KEYS);
        end();
}

TEST(errors_are_counted_or_retried) {
        fill();
        begin(OPTIONS("--count=20"));
        server.n_failures = 3;
        assert_ok(run(100, OPERATION_PUT));
        assert_int_equal(tally.outcomes[OUTCOME_STATUS], 3);
        assert_int_equal(tally.statuses[503], 3);
        end();

        begin(OPTIONS("--count=20", "--retry=10s"));
        server.n_failures = 3;
        assert_ok(run(100, OPERATION_PUT));
        assert_int_equal(tally.outcomes[OUTCOME_OK], KEYS);
        assert_int_equal(tally.n_retries, 3);
        end();
}

TEST(lost_connections_are_errors) {
        begin(OPTIONS("--count=5"));
        server.closes = true;
        assert_ok(run(100, OPERATION_PUT));
        assert_int_equal(tally.outcomes[OUTCOME_RESET], 5);
        end();
}

TEST(redirects_are_followed_or_not) {
        fill();
        begin(OPTIONS("--count=20"));
        server.redirects = true;
        assert_ok(run(100, OPERATION_PUT));
        assert_int_equal(tally.outcomes[OUTCOME_OK], KEYS);
        assert_int_equal(server.n_requests, 2 * KEYS);
        end();

        begin(OPTIONS("--count=20", "--follow=no"));
        server.redirects = true;
        assert_ok(run(100, OPERATION_PUT));
        assert_int_equal(tally.statuses[307], KEYS);
        assert_int_equal(server.n_requests, KEYS);
        end();
}

TEST(tickets_are_the_redirects_of_all_keys) {
        Tickets tickets = {};

        begin(OPTIONS("--rate=1"));
        server.redirects = true;
        assert_ok(tickets_get(&bench, &tickets));
        assert_int_equal(tickets.n, KEYS);
        for (size_t i = 0; i < KEYS; i++) {
                char expected[128];

                (void) snprintf(expected, sizeof(expected), "%s/bench/%zu?ticket", server.url, i);
                assert_string_equal(tickets.urls[i], expected);
        }
        tickets_done(&tickets);

        server.redirects = false;
        assert_int_equal(tickets_get(&bench, &tickets), -ENOENT);
        end();
}

TEST(rate_and_duration_are_kept) {
        begin(OPTIONS("--rate=100", "--duration=100ms"));
        assert_ok(run(0, OPERATION_PUT));
        assert_in_range(tally_answered(&tally), 5, 10);
        assert_true(tally.usec >= 80 * USEC_PER_MSEC);
        end();
}

TEST(server_that_is_not_there_ends_the_run) {
        begin(OPTIONS("--count=1000000"));
        bench.url = "http://127.0.0.1:1";
        assert_ok(run(100, OPERATION_PUT));
        assert_true(tally.outcomes[OUTCOME_CONNECT] > 0 && tally.outcomes[OUTCOME_CONNECT] < 100);
        end();
}

TEST(url_must_be_one_of_a_server) {
        begin(OPTIONS("--count=1"));
        assert_int_equal(bench_set_url(&bench, "ftp://x"), -EINVAL);
        assert_int_equal(bench_set_url(&bench, "http://127.0.0.1/path"), -EINVAL);
        assert_ok(bench_set_url(&bench, "http://127.0.0.1/"));
        bench.options.raw = true;
        assert_ok(bench_set_url(&bench, "http://127.0.0.1/path"));
        assert_string_equal(bench.path, "/path");
        end();
}

/* Checks the ledger at PATH; a new string. */
static char *check(const char *path, int expected) {
        Capture capture;
        int r;

        begin(OPTIONS("--json=no"));
        capture_begin(&capture, STDOUT_FILENO, stdout);
        r = check_ledger(&bench, path);
        end();
        assert_int_equal(r, expected);
        return capture_end(&capture, stdout);
}

TEST(what_was_acknowledged_is_looked_for) {
        char path[] = "/tmp/dkv-test-ledger-XXXXXX", *text;
        int fd = mkstemp(path);
        Load load;
        Run one;

        assert_ok(fd);
        (void) close(fd);
        begin(OPTIONS("--count=20"));
        assert_ok(load_init(&load, &bench.options));
        load.read_percent = 0;
        assert_ok(load_claim_keys(&load));
        one = bench_make_run(&bench, &load);
        assert_ok(ledger_open(path, &one.ledger));
        assert_ok(run_execute(&one, &tally));
        (void) ledger_free(one.ledger);
        load_done(&load);
        end();

        text = check(path, 0);
        assert_string_equal(text, "20 keys: ok 20 lost 0 late 0 torn 0 wrong 0 unreadable 0\n");
        free(text);
        server.sizes[3] = 0;
        server.values[5][60] ^= 1;
        text = check(path, 1);
        assert_string_equal(text, "20 keys: ok 18 lost 1 late 0 torn 1 wrong 0 unreadable 0\n");
        free(text);

        free(check("/nowhere/ledger", -ENOENT));
        assert_ok(write_file(-1, path, "no ledger\n", 10, 0600));
        free(check(path, -EBADMSG));
        (void) unlink(path);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(values_are_written_read_and_deleted),
                cmocka_unit_test(damaged_value_is_seen),
                cmocka_unit_test(errors_are_counted_or_retried),
                cmocka_unit_test(lost_connections_are_errors),
                cmocka_unit_test(redirects_are_followed_or_not),
                cmocka_unit_test(tickets_are_the_redirects_of_all_keys),
                cmocka_unit_test(rate_and_duration_are_kept),
                cmocka_unit_test(server_that_is_not_there_ends_the_run),
                cmocka_unit_test(url_must_be_one_of_a_server),
                cmocka_unit_test(what_was_acknowledged_is_looked_for),
        };

        return cmocka_run_group_tests(tests, start_server, stop_server);
}
