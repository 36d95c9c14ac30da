/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Two servers that play a script, and the client of dkv-bench between them. */

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "test.h"

#include "base/file.h"
#include "bench/run/run.h"

#define VOLUME    "VOLUME" /* in an answer: stands for the authority of the other server */
#define BODY_SIZE 100000
#define KEY       "bench/0"

/* What to do with one request. */
typedef struct Step {
        size_t value_size; /* answer with a value of this size */
        size_t body_size;  /* read a body of this size and check it before the answer */
        const char *interim;
        const char *answer;
        bool damage;       /* flip a bit of the value */
        bool close;        /* afterwards */
        bool wait_for_end; /* until the client closes */
} Step;

typedef struct Server {
        const Step *steps;
        int listen_fd, fd;
        size_t n_accepted;
        char requests[4096]; /* their first lines */
        char authority[32];
        const char *other; /* authority of the other server */
        pthread_t thread;
} Server;

static Server master, volume;
static Options options;
static Tally tally;

static void server_listen(Server *server, int backlog) {
        struct sockaddr_in address = {
                .sin_family = AF_INET,
                .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
        };
        socklen_t size = sizeof(address);

        *server = (Server){ .fd = -1, .listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
        assert_ok(server->listen_fd);
        assert_ok(bind(server->listen_fd, (struct sockaddr *) &address, sizeof(address)));
        if (backlog > 0)
                assert_ok(listen(server->listen_fd, backlog));
        assert_ok(getsockname(server->listen_fd, (struct sockaddr *) &address, &size));
        (void) snprintf(server->authority, sizeof(server->authority), "127.0.0.1:%u",
                        ntohs(address.sin_port));
}

static void server_read_head(Server *server) {
        char head[4096] = "";
        size_t n = 0;

        while (!strstr(head, "\r\n\r\n")) {
                assert(n + 1 < sizeof(head));
                if (recv(server->fd, head + n, 1, 0) != 1)
                        return;
                n++;
        }

        *strstr(head, " HTTP/1.1\r\n") = '\0';
        strcat(strcat(server->requests, head), ";");
}

static void server_read_body(Server *server, size_t size) {
        static uint8_t data[BODY_SIZE];
        ValueCheck check;

        if (recv(server->fd, data, size, MSG_WAITALL) != (ssize_t) size)
                return;

        value_check_begin(&check, key_hash(KEY));
        value_check_update(&check, data, size);
        strcat(server->requests, value_check_end(&check) >= 0 ? "good;" : "bad;");
}

static void server_answer(Server *server, const char *answer) {
        const char *mark = strstr(answer, VOLUME);
        size_t length = mark ? (size_t) (mark - answer) : strlen(answer);

        (void) write_all(server->fd, answer, length);
        if (mark) {
                (void) write_all(server->fd, server->other, strlen(server->other));
                (void) write_all(server->fd, mark + strlen(VOLUME), strlen(mark + strlen(VOLUME)));
        }
}

static void server_answer_value(Server *server, const Step *step) {
        static uint8_t data[BODY_SIZE];
        Value value = value_make(key_hash(KEY), 1, step->value_size);
        char head[100];
        int n = snprintf(
                        head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n",
                        step->value_size);

        value_fill(&value, 0, data, step->value_size);
        if (step->damage)
                data[step->value_size / 2] ^= 1;
        (void) write_all(server->fd, head, (size_t) n);
        (void) write_all(server->fd, data, step->value_size);
}

static void *server_thread(void *userdata) {
        Server *server = userdata;
        char rest[4096];

        for (const Step *step = server->steps;
             step->answer || step->value_size || step->close || step->wait_for_end; step++) {
                if (server->fd < 0) {
                        server->fd = accept(server->listen_fd, NULL, NULL);
                        server->n_accepted++;
                }

                server_read_head(server);
                if (step->interim)
                        server_answer(server, step->interim);
                if (step->body_size > 0)
                        server_read_body(server, step->body_size);
                if (step->value_size > 0)
                        server_answer_value(server, step);
                if (step->answer)
                        server_answer(server, step->answer);
                while (step->wait_for_end && recv(server->fd, rest, sizeof(rest), 0) > 0)
                        ;
                if (step->close || step->wait_for_end)
                        closep(&server->fd);
        }

        return NULL;
}

static int setup(void **state) {
        char *arguments[] = { (char *) "test", NULL };

        assert_int_equal(options_parse(&options, 1, arguments), 0);
        options.connections = 1;
        options.keys = 1;
        options.allow_errors = true;
        options.progress = false;
        server_listen(&master, 10);
        server_listen(&volume, 10);
        master.other = volume.authority;
        volume.other = master.authority;
        return 0;
}

static int teardown(void **state) {
        closep(&master.listen_fd);
        closep(&volume.listen_fd);
        options_done(&options);
        options = (Options){};
        return 0;
}

/* Runs COUNT operations against the scripts of the servers. */
static void
play(OperationType type, uint64_t count, const Step *master_steps, const Step *volume_steps) {
        Authorities *authorities = malloc(sizeof(*authorities));
        Load load;
        char url[64];
        Run run = {
                .options = &options,
                .authorities = authorities,
                .url = url,
                .load = &load,
                .verify = true,
                .follow = true,
        };

        assert_non_null(authorities);
        authorities_init(authorities);
        master.steps = master_steps;
        volume.steps = volume_steps;
        assert_int_equal(pthread_create(&master.thread, NULL, server_thread, &master), 0);
        assert_int_equal(pthread_create(&volume.thread, NULL, server_thread, &volume), 0);

        assert_ok(load_init(&load, &options));
        load.count = count;
        load.read_percent = type == OPERATION_GET ? 100 : 0;
        load.write = type;
        load.duration_usec = 0;
        (void) snprintf(url, sizeof(url), "http://%s", master.authority);

        tally = (Tally){};
        assert_ok(run_execute(&run, &tally));

        (void) pthread_join(master.thread, NULL);
        (void) pthread_join(volume.thread, NULL);
        closep(&master.fd);
        closep(&volume.fd);
        load_done(&load);
        authorities_done(authorities);
        free(authorities);
}

static const Step none[] = { {} };

#define REDIRECT \
        "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://" VOLUME "/there?ticket\r\n" \
        "Content-Length: 5\r\n\r\nthere"
#define CREATED "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"

TEST(redirects_are_followed_on_kept_connections) {
        static const Step redirects[] = { { .answer = REDIRECT }, { .answer = REDIRECT }, {} };
        static const Step values[] = { { .value_size = BODY_SIZE }, { .value_size = 20 }, {} };

        play(OPERATION_GET, 2, redirects, values);
        assert_int_equal(tally.outcomes[OUTCOME_OK], 2);
        assert_int_equal(tally.bytes[OPERATION_GET], BODY_SIZE + 20);
        assert_int_equal(master.n_accepted, 1);
        assert_int_equal(volume.n_accepted, 1);
        assert_string_equal(master.requests, "GET /" KEY ";GET /" KEY ";");
        assert_string_equal(volume.requests, "GET /there?ticket;GET /there?ticket;");
}

TEST(redirects_do_not_go_on_for_ever) {
        static const Step forth[] = {
                { .answer = REDIRECT }, { .answer = REDIRECT }, { .answer = REDIRECT }, {}
        };

        play(OPERATION_GET, 1, forth, forth);
        assert_int_equal(tally.outcomes[OUTCOME_MALFORMED], 1);
}

TEST(kept_connection_that_was_closed_is_replaced) {
        static const Step steps[] = {
                { .value_size = 20 }, { .close = true }, { .value_size = 20 }, {}
        };

        play(OPERATION_GET, 2, steps, none);
        assert_int_equal(tally.outcomes[OUTCOME_OK], 2);
        assert_int_equal(master.n_accepted, 2);
}

TEST(retry_is_made_once) {
        static const Step steps[] = {
                { .value_size = 20 }, { .close = true }, { .close = true }, { .value_size = 20 }, {}
        };

        play(OPERATION_GET, 3, steps, none);
        assert_int_equal(tally.outcomes[OUTCOME_OK], 2);
        assert_int_equal(tally.outcomes[OUTCOME_RESET], 1);
}

TEST(new_connection_that_was_closed_is_an_error) {
        static const Step steps[] = { { .close = true }, {} };

        play(OPERATION_GET, 1, steps, none);
        assert_int_equal(tally.outcomes[OUTCOME_RESET], 1);
}

TEST(server_that_closes_after_each_answer_is_no_error) {
        static const Step steps[] = {
                { .answer = "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n", .close = true },
                { .answer = "HTTP/1.1 200 OK\r\n\r\n", .close = true },
                {}
        };

        play(OPERATION_DELETE, 2, steps, none);
        assert_int_equal(tally.outcomes[OUTCOME_OK], 2);
        assert_int_equal(master.n_accepted, 2);
}

TEST(body_waits_for_continue) {
        /* The master must not see the body: the next head follows on a new connection. */
        static const Step redirects[] = { { .answer = REDIRECT, .wait_for_end = true },
                                          { .answer = REDIRECT, .wait_for_end = true },
                                          {} };
        static const Step puts[] = { { .interim = "HTTP/1.1 100 Continue\r\n\r\n",
                                       .body_size = BODY_SIZE,
                                       .answer = CREATED },
                                     { .interim = "HTTP/1.1 100 Continue\r\n\r\n",
                                       .body_size = BODY_SIZE,
                                       .answer = CREATED },
                                     {} };

        options.expect = true;
        options.timeout_usec = 500 * USEC_PER_MSEC; /* before the client would go on by itself */
        (void) strcpy(options.size = realloc(options.size, 16), "100000");
        play(OPERATION_PUT, 2, redirects, puts);
        assert_int_equal(tally.outcomes[OUTCOME_OK], 2);
        assert_string_equal(master.requests, "PUT /" KEY ";PUT /" KEY ";");
        assert_string_equal(volume.requests, "PUT /there?ticket;good;PUT /there?ticket;good;");
        assert_int_equal(volume.n_accepted, 1);
}

TEST(body_does_not_wait_for_ever) {
        static const Step steps[] = { { .body_size = 1024, .answer = CREATED }, {} };

        options.expect = true;
        play(OPERATION_PUT, 1, steps, none);
        assert_int_equal(tally.outcomes[OUTCOME_OK], 1);
        assert_string_equal(master.requests, "PUT /" KEY ";good;");
}

TEST(refusal_in_the_middle_of_a_body_is_understood) {
        static const Step steps[] = {
                { .answer = "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n",
                  .wait_for_end = true },
                {}
        };

        (void) strcpy(options.size = realloc(options.size, 16), "64M");
        play(OPERATION_PUT, 1, steps, none);
        assert_int_equal(tally.outcomes[OUTCOME_STATUS], 1);
        assert_int_equal(tally.statuses[413], 1);
}

TEST(each_failure_is_told_apart) {
        static const Step steps[] = {
                { .value_size = 1000, .damage = true },
                { .answer = "HTTP/1.1 404 Not Found\r\nContent-Length: 1\r\n\r\n." },
                { .answer = "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n" },
                { .answer = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", .close = true },
                { .answer = "nonsense\r\n", .wait_for_end = true },
                { .answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nmore",
                  .wait_for_end = true },
                {}
        };
        static const Step silence[] = { { .wait_for_end = true }, {} };

        play(OPERATION_GET, 6, steps, none);
        assert_int_equal(tally.outcomes[OUTCOME_WRONG], 1);
        assert_int_equal(tally.outcomes[OUTCOME_MISSING], 1);
        assert_int_equal(tally.outcomes[OUTCOME_STATUS], 1);
        assert_int_equal(tally.outcomes[OUTCOME_SHORT], 1);
        assert_int_equal(tally.outcomes[OUTCOME_MALFORMED], 2);
        assert_int_equal(tally.outcomes[OUTCOME_OK], 0);

        options.timeout_usec = 100 * USEC_PER_MSEC;
        play(OPERATION_GET, 1, silence, none);
        assert_int_equal(tally.outcomes[OUTCOME_TIMEOUT], 1);
}

TEST(nobody_listens) {
        closep(&master.listen_fd);
        server_listen(&master, 0);
        play(OPERATION_GET, 3, none, none);
        assert_int_equal(tally.outcomes[OUTCOME_CONNECT], 3);

        /* Where errors are not expected, there is no point in going on. */
        options.allow_errors = false;
        play(OPERATION_GET, 3, none, none);
        assert_int_equal(tally.outcomes[OUTCOME_CONNECT], 1);
}

#define IN_FIXTURE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        static const struct CMUnitTest tests[] = {
                IN_FIXTURE(redirects_are_followed_on_kept_connections),
                IN_FIXTURE(redirects_do_not_go_on_for_ever),
                IN_FIXTURE(kept_connection_that_was_closed_is_replaced),
                IN_FIXTURE(retry_is_made_once),
                IN_FIXTURE(new_connection_that_was_closed_is_an_error),
                IN_FIXTURE(server_that_closes_after_each_answer_is_no_error),
                IN_FIXTURE(body_waits_for_continue),
                IN_FIXTURE(body_does_not_wait_for_ever),
                IN_FIXTURE(refusal_in_the_middle_of_a_body_is_understood),
                IN_FIXTURE(each_failure_is_told_apart),
                IN_FIXTURE(nobody_listens),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
