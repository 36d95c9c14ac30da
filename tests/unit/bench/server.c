/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bench/server.h"

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

Server server = { .lock = PTHREAD_MUTEX_INITIALIZER };
Bench bench;
Tally tally;

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
                closes = server.closes || server.n_closes > 0;
                server.n_closes -= server.n_closes > 0;
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

int server_start(void **state) {
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

int server_stop(void **state) {
        (void) shutdown(server.listen_fd, SHUT_RDWR);
        (void) pthread_join(server.thread, NULL);
        (void) close(server.listen_fd);
        return 0;
}

void bench_begin(const char *const options[]) {
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
        server.n_requests = server.n_failures = server.n_closes = 0;
        server.redirects = server.closes = false;
        (void) pthread_mutex_unlock(&server.lock);
}

void bench_end(void) {
        options_done(&bench.options);
        authorities_done(&bench.authorities);
}

int bench_run(unsigned read_percent, OperationType write) {
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

void server_fill(void) {
        bench_begin(OPTIONS("--count=20"));
        assert_ok(bench_run(0, OPERATION_PUT));
        bench_end();
        memset(&tally, 0, sizeof(tally));
}
