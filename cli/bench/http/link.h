/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Link: one socket to one authority, non-blocking, registered with an epoll instance. */

#include <sys/uio.h>

#include "bench/http/authority.h"

typedef struct Connection Connection;

typedef struct Link {
        Connection *connection;     /* not owned */
        const Authority *authority; /* not owned */
        struct Link *next;
        int epoll_fd; /* not owned */
        int fd;       /* -1 while there is no connection */
        uint32_t events;
        bool connecting;
        bool reused; /* it has carried an answer, so the server may have closed it since */
} Link;

void link_init(Link *link, Connection *connection, const Authority *authority, int epoll_fd);

/* Starts to connect. Returns 0 or a negative errno. */
int link_open(Link *link);
void link_close(Link *link);

/* To be called when the socket becomes writable while connecting. Returns 0, or what went wrong. */
int link_connected(Link *link);

/* Turns EPOLLOUT on or off; EPOLLIN is always on. Returns 0 or a negative errno. */
int link_want_write(Link *link, bool want);

/* Return how many bytes, -EAGAIN, or what went wrong; link_receive() 0 at the end. */
ssize_t link_send(Link *link, const struct iovec *pieces, size_t n_pieces);
ssize_t link_receive(Link *link, void *data, size_t size);
