/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/macro.h"
#include "bench/http/link.h"

/* A server that accepts when a test says so, and the link to it. */
static Authorities authorities;
static const Authority *authority;
static int listen_fd, epoll_fd;
static Link link_;

static int setup(void **state) {
        struct sockaddr_in address = { .sin_family = AF_INET,
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t size = sizeof(address);
        const char *rest;
        char url[64];

        listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_ok(bind(listen_fd, (struct sockaddr *) &address, size));
        assert_ok(listen(listen_fd, 8));
        assert_ok(getsockname(listen_fd, (struct sockaddr *) &address, &size));
        (void) snprintf(url, sizeof(url), "http://127.0.0.1:%u", ntohs(address.sin_port));

        authorities_init(&authorities);
        assert_ok(authorities_get(&authorities, url, &authority, &rest));
        epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        assert_ok(epoll_fd);
        link_init(&link_, NULL, authority, epoll_fd);
        return 0;
}

static int teardown(void **state) {
        link_close(&link_);
        (void) close(epoll_fd);
        if (listen_fd >= 0)
                (void) close(listen_fd);
        authorities_done(&authorities);
        return 0;
}

/* The events of the link that come within 10 s, which is one of WANTED at least. */
static uint32_t wait_for(uint32_t wanted) {
        struct epoll_event event = {};

        do
                assert_int_equal(epoll_wait(epoll_fd, &event, 1, 10000), 1);
        while (!(event.events & wanted));
        assert_ptr_equal(event.data.ptr, &link_);
        return event.events;
}

/* Opens it. Returns the server's end. */
static int open_both_ends(void) {
        int fd;

        assert_ok(link_open(&link_));
        fd = accept(listen_fd, NULL, NULL);
        assert_ok(fd);
        if (link_.connecting) {
                (void) wait_for(EPOLLOUT);
                assert_ok(link_connected(&link_));
        }
        assert_false(link_.connecting);
        return fd;
}

TEST(bytes_go_both_ways_in_pieces) {
        const struct iovec pieces[] = { { (char *) "GET ", 4 }, { (char *) "/", 1 } };
        int fd = open_both_ends();
        char text[16] = "";

        assert_int_equal(link_receive(&link_, text, sizeof(text)), -EAGAIN); /* it never blocks */
        assert_int_equal(link_send(&link_, pieces, 2), 5);
        assert_int_equal(recv(fd, text, 5, MSG_WAITALL), 5);
        assert_string_equal(text, "GET /");

        assert_int_equal(send(fd, "200", 3, 0), 3);
        (void) wait_for(EPOLLIN);
        assert_int_equal(link_receive(&link_, text, sizeof(text)), 3);
        (void) close(fd);
        (void) wait_for(EPOLLIN);
        assert_int_equal(link_receive(&link_, text, sizeof(text)), 0); /* the end */
}

TEST(full_socket_says_when_there_is_room_again) {
        static char block[1 << 20];
        const struct iovec piece = { block, sizeof(block) };
        int fd = open_both_ends();
        size_t sent = 0, received = 0;
        ssize_t n;

        while ((n = link_send(&link_, &piece, 1)) > 0)
                sent += (size_t) n;
        assert_int_equal(n, -EAGAIN);
        assert_ok(link_want_write(&link_, true));
        assert_ok(link_want_write(&link_, true)); /* once more changes nothing */

        while (received < sent) {
                n = recv(fd, block, sizeof(block), 0);
                assert_true(n > 0);
                received += (size_t) n;
        }
        assert_true(wait_for(EPOLLOUT) & EPOLLOUT);
        assert_ok(link_want_write(&link_, false));
        assert_int_equal(epoll_wait(epoll_fd, &(struct epoll_event){}, 1, 0), 0);
        (void) close(fd);
}

TEST(nobody_there_is_told_when_connecting_ends) {
        int r;

        (void) close(listen_fd);
        listen_fd = -1;
        r = link_open(&link_);
        if (r >= 0 && link_.connecting) {
                (void) wait_for(EPOLLOUT | EPOLLERR | EPOLLHUP);
                r = link_connected(&link_);
        }
        assert_int_equal(r, -ECONNREFUSED);
}

TEST(connection_that_was_cut_is_no_signal) {
        const struct iovec piece = { (char *) "x", 1 };
        const struct linger at_once = { .l_onoff = 1 };
        int fd = open_both_ends();
        ssize_t n;

        assert_ok(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)));
        (void) close(fd); /* with a reset */
        (void) wait_for(EPOLLIN | EPOLLERR | EPOLLHUP);
        n = link_send(&link_, &piece, 1); /* no SIGPIPE */
        assert_true(n == -ECONNRESET || n == -EPIPE);
}

TEST(link_can_be_opened_again) {
        int first = open_both_ends(), second;

        link_close(&link_);
        assert_int_equal(link_.fd, -1);
        link_close(&link_); /* once more does nothing */
        link_.reused = true;
        second = open_both_ends();
        assert_false(link_.reused);
        (void) close(first);
        (void) close(second);
}

#define RUN(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                RUN(bytes_go_both_ways_in_pieces),
                RUN(full_socket_says_when_there_is_room_again),
                RUN(nobody_there_is_told_when_connecting_ends),
                RUN(connection_that_was_cut_is_no_signal),
                RUN(link_can_be_opened_again),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
