/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <netdb.h>
#include <sys/socket.h>

#include "rpc/own-address.h"

/* A connected datagram socket has an address, although nothing has been sent. */
static int ask_kernel(const struct addrinfo *target, Address *ret) {
        _cleanup_close_ int fd = -1;
        struct sockaddr_storage own;
        socklen_t size = sizeof(own);

        fd = socket(target->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || connect(fd, target->ai_addr, target->ai_addrlen) < 0 ||
            getsockname(fd, (struct sockaddr *) &own, &size) < 0)
                return -EHOSTUNREACH;

        *ret = (Address){ .is_numeric = true, .is_v6 = target->ai_family == AF_INET6 };
        if (getnameinfo((struct sockaddr *) &own, size, ret->host, sizeof(ret->host), NULL, 0,
                        NI_NUMERICHOST) != 0)
                return -EHOSTUNREACH;
        return 0;
}

int own_address_find(const char *host, uint16_t port, Address *ret) {
        struct addrinfo hints = { .ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICSERV }, *found;
        int r = -EHOSTUNREACH;

        if (getaddrinfo(host, "9", &hints, &found) != 0)
                return r;

        for (const struct addrinfo *target = found; target && r < 0; target = target->ai_next)
                r = ask_kernel(target, ret);
        freeaddrinfo(found);
        if (r >= 0)
                ret->port = port;
        return r;
}
