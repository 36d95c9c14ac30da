/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/serve/input.h"

static char memory[8];
static int fds[2];
static HttpBacklog backlog;

static int setup(void **state) {
        memset(memory, 0, sizeof(memory));
        backlog = (HttpBacklog){ .max = 6 };
        return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds);
}

static int teardown(void **state) {
        (void) close(fds[0]);
        return fds[1] < 0 ? 0 : close(fds[1]);
}

static void say(const char *text) {
        assert_int_equal(send(fds[1], text, strlen(text), 0), strlen(text));
}

static int receive(HttpInput *input) {
        return http_input_receive(input, fds[0], memory, sizeof(memory));
}

TEST(what_comes_is_used_where_it_is) {
        HttpInput input = { .backlog = &backlog };

        http_input_note(&input, EPOLLIN);
        assert_true(input.can_receive && !input.is_ending);
        say("hello");
        assert_int_equal(receive(&input), 1);
        assert_ptr_equal(input.data, memory);
        assert_int_equal(input.size, 5);
        assert_false(input.can_receive); /* there was room for more */

        http_input_use(&input, 2);
        assert_memory_equal(input.data, "llo", 3);
        http_input_use(&input, 3);
        assert_int_equal(input.size, 0);
        assert_int_equal(receive(&input), 0);
        assert_false(input.has_ended);
}

TEST(there_may_be_more_than_fits) {
        HttpInput input = { .backlog = &backlog };

        say("more than eight");
        assert_int_equal(receive(&input), 1);
        assert_int_equal(input.size, sizeof(memory));
        assert_true(input.can_receive);
}

TEST(an_end_comes_behind_all_that_was_said) {
        HttpInput input = { .backlog = &backlog };

        say("bye");
        assert_int_equal(close(fds[1]), 0);
        fds[1] = -1;
        http_input_note(&input, EPOLLIN | EPOLLRDHUP);
        assert_true(input.is_ending);
        assert_int_equal(receive(&input), 1);
        assert_int_equal(input.size, 3);
        assert_true(input.can_receive); /* nobody tells of the end once more */
        assert_false(input.has_ended);

        http_input_use(&input, 3);
        assert_int_equal(receive(&input), -ESHUTDOWN);
        assert_true(input.has_ended);
}

TEST(an_error_is_an_end) {
        struct linger linger = { .l_onoff = 1 };
        HttpInput input = { .backlog = &backlog };

        assert_int_equal(setsockopt(fds[1], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
        assert_int_equal(send(fds[0], "x", 1, 0), 1);
        assert_int_equal(close(fds[1]), 0); /* with something unread */
        fds[1] = -1;
        http_input_note(&input, EPOLLERR);
        assert_true(input.can_receive && input.is_ending);
        assert_int_equal(receive(&input), -ECONNRESET);
        assert_true(input.has_ended);
}

TEST(what_is_left_is_kept_once) {
        HttpInput input = { .backlog = &backlog };
        const char *kept;

        say("hello");
        assert_int_equal(receive(&input), 1);
        http_input_use(&input, 1);
        assert_int_equal(http_input_keep(&input), 0);
        memset(memory, 'x', sizeof(memory)); /* another connection */
        assert_memory_equal(input.data, "ello", 4);
        kept = input.data;

        http_input_use(&input, 3);
        assert_int_equal(http_input_keep(&input), 0);
        assert_ptr_equal(input.data, kept + 3);

        http_input_use(&input, 1);
        assert_int_equal(http_input_keep(&input), 0);
        assert_null(input.kept.data);

        say("again");
        assert_int_equal(receive(&input), 1);
        assert_int_equal(http_input_keep(&input), 0);
        assert_memory_equal(input.data, "again", 5);
        http_input_done(&input);
}

TEST(what_is_kept_has_to_fit_until_it_is_used) {
        HttpInput first = { .backlog = &backlog }, second = { .backlog = &backlog };

        say("abcd");
        assert_int_equal(receive(&first), 1);
        assert_true(http_input_fits(&first));
        assert_int_equal(http_input_keep(&first), 0);
        assert_int_equal(backlog.used, 4);
        assert_true(http_input_fits(&first)); /* it is there already */

        say("efg");
        assert_int_equal(receive(&second), 1);
        assert_false(http_input_fits(&second));
        http_input_use(&second, 1);
        assert_true(http_input_fits(&second));
        assert_int_equal(http_input_keep(&second), 0);
        assert_int_equal(backlog.used, 6);

        http_input_use(&first, 4);
        assert_int_equal(http_input_keep(&first), 0);
        assert_int_equal(backlog.used, 2);
        http_input_done(&second);
        assert_int_equal(backlog.used, 0);
}

#define RUN(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                RUN(what_comes_is_used_where_it_is),
                RUN(there_may_be_more_than_fits),
                RUN(an_end_comes_behind_all_that_was_said),
                RUN(an_error_is_an_end),
                RUN(what_is_left_is_kept_once),
                RUN(what_is_kept_has_to_fit_until_it_is_used),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
