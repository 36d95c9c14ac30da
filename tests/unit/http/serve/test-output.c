/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "test.h"

#include "base/file.h"
#include "http/serve/output.h"

static int fds[2];

static int setup(void **state) {
        return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds);
}

static int teardown(void **state) {
        closep(fds + 0);
        closep(fds + 1);
        return 0;
}

TEST(pieces_go_out_in_order_and_at_once) {
        HttpOutput output = {};
        char data[16];

        assert_true(http_output_is_empty(&output));
        assert_int_equal(http_output_send(&output, fds[0]), 0);
        http_output_add(&output, "abc", 3);
        http_output_add(&output, NULL, 0);
        http_output_add(&output, "de", 2);
        assert_false(http_output_is_empty(&output));
        assert_int_equal(http_output_send(&output, fds[0]), 0);
        assert_true(http_output_is_empty(&output));
        assert_int_equal(recv(fds[1], data, sizeof(data), 0), 5);
        assert_memory_equal(data, "abcde", 5);
}

/* Sizes that end in the middle of a piece, at its end, and far behind it */
TEST(what_the_socket_does_not_take_is_sent_later) {
        static uint8_t sent[3 * MIB], received[sizeof(sent)];
        static const size_t sizes[] = { 1, 700000, 3, MIB, 65536, 12345 };
        HttpOutput output = {};
        size_t n = 0, n_received = 0;
        int r;

        for (size_t i = 0; i < sizeof(sent); i++)
                sent[i] = (uint8_t) (i * 31 >> 4);
        for (size_t i = 0; i < ELEMENTSOF(sizes); n += sizes[i++])
                http_output_add(&output, sent + n, sizes[i]);
        http_output_add(&output, sent + n, sizeof(sent) - n);

        do {
                ssize_t size;

                r = http_output_send(&output, fds[0]);
                assert_true(r == 0 || r == -EAGAIN);
                assert_int_equal(http_output_is_empty(&output), r == 0);
                size = recv(fds[1], received + n_received, sizeof(received) - n_received, 0);
                assert_true(size > 0);
                n_received += (size_t) size;
        } while (n_received < sizeof(received));
        assert_memory_equal(sent, received, sizeof(sent));
}

TEST(a_connection_that_is_gone_is_an_error_and_no_signal) {
        HttpOutput output = {};

        closep(fds + 1);
        http_output_add(&output, "abc", 3);
        assert_int_equal(http_output_send(&output, fds[0]), -EPIPE);
}

#define OUTPUT_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                OUTPUT_TEST(pieces_go_out_in_order_and_at_once),
                OUTPUT_TEST(what_the_socket_does_not_take_is_sent_later),
                OUTPUT_TEST(a_connection_that_is_gone_is_an_error_and_no_signal),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
