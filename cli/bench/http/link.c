/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>

#include "bench/http/link.h"

void link_init(Link *link, Connection *connection, const Authority *authority, int epoll_fd) {
        *link = (Link){
                .connection = connection,
                .authority = authority,
                .epoll_fd = epoll_fd,
                .fd = -1,
        };
}

int link_open(Link *link) {
        const struct sockaddr *address = (const struct sockaddr *) &link->authority->address;
        _cleanup_close_ int fd = -1;
        struct epoll_event event = { .events = EPOLLIN, .data.ptr = link };
        bool connecting = false;
        int one = 1;

        assert(link->fd < 0);

        fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return -errno;
        if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0)
                return -errno;

        if (connect(fd, address, link->authority->address_size) < 0) {
                if (errno != EINPROGRESS)
                        return -errno;
                connecting = true;
                event.events |= EPOLLOUT;
        }

        if (epoll_ctl(link->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
                return -errno;

        link->fd = TAKE_FD(fd);
        link->events = event.events;
        link->connecting = connecting;
        link->reused = false;
        return 0;
}

void link_close(Link *link) {
        closep(&link->fd);
        link->connecting = false;
}

int link_connected(Link *link) {
        socklen_t size = sizeof(int);
        int error;

        if (getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
                return -errno;
        if (error != 0)
                return -error;

        link->connecting = false;
        return 0;
}

int link_want_write(Link *link, bool want) {
        uint32_t events = EPOLLIN | (want ? EPOLLOUT : 0);
        struct epoll_event event = { .events = events, .data.ptr = link };

        if (link->events == events)
                return 0;
        if (epoll_ctl(link->epoll_fd, EPOLL_CTL_MOD, link->fd, &event) < 0)
                return -errno;

        link->events = events;
        return 0;
}

ssize_t link_send(Link *link, const struct iovec *pieces, size_t n_pieces) {
        const struct msghdr message = {
                .msg_iov = (struct iovec *) pieces,
                .msg_iovlen = n_pieces,
        };
        ssize_t n = sendmsg(link->fd, &message, MSG_NOSIGNAL);

        return n < 0 ? -errno : n;
}

ssize_t link_receive(Link *link, void *data, size_t size) {
        ssize_t n = recv(link->fd, data, size, 0);

        return n < 0 ? -errno : n;
}
