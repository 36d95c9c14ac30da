/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "http/serve/input.h"

void http_input_done(HttpInput *input) {
        if (input->kept.size > 0)
                (void) atomic_fetch_sub(&input->backlog->used, input->kept.size);
        buffer_done(&input->kept);
}

void http_input_note(HttpInput *input, uint32_t events) {
        input->is_ending |= (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
        input->can_receive |= (events & EPOLLIN) != 0 || input->is_ending;
}

int http_input_receive(HttpInput *input, int fd, char *memory, size_t size) {
        ssize_t n;

        assert(input->size == 0);

        do
                n = recv(fd, memory, size, MSG_DONTWAIT);
        while (n < 0 && errno == EINTR);

        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
                input->can_receive = false;
                return 0;
        }
        if (n <= 0) {
                input->has_ended = true;
                return n < 0 ? -errno : -ESHUTDOWN;
        }

        /* What comes later is told of; only an end was told of before, perhaps. */
        input->can_receive = (size_t) n == size || input->is_ending;
        input->data = memory;
        input->size = (size_t) n;
        return 1;
}

void http_input_use(HttpInput *input, size_t n) {
        assert(n <= input->size);

        input->data += n;
        input->size -= n;
}

static bool is_kept(const HttpInput *input) {
        const char *kept = (const char *) input->kept.data;

        return kept && input->data >= kept && input->data < kept + input->kept.size;
}

int http_input_keep(HttpInput *input) {
        Buffer rest = {};
        int r;

        if (input->size > 0 && is_kept(input))
                return 0;

        buffer_put(&rest, input->data, input->size);
        r = buffer_error(&rest);
        if (r < 0)
                return r;
        http_input_done(input);
        if (rest.size == 0)
                return 0;

        (void) atomic_fetch_add(&input->backlog->used, rest.size);
        input->kept = rest;
        input->data = (const char *) rest.data;
        return 0;
}

bool http_input_fits(const HttpInput *input) {
        const HttpBacklog *backlog = input->backlog;

        return input->size == 0 || is_kept(input) ||
               atomic_load(&backlog->used) + input->size <= backlog->max;
}
