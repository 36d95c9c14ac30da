/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>

#include "http/serve/network.h"

void http_network_of(const struct sockaddr *address, uint8_t ret[static HTTP_NETWORK_SIZE]) {
        memset(ret, 0, HTTP_NETWORK_SIZE);
        if (!address)
                return;

        if (address->sa_family == AF_INET) {
                const struct sockaddr_in *v4 = (const struct sockaddr_in *) address;

                memset(ret + 10, 0xff, 2);
                memcpy(ret + 12, &v4->sin_addr, sizeof(v4->sin_addr));
        } else if (address->sa_family == AF_INET6) {
                const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *) address;
                bool is_v4 = IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr);

                memcpy(ret, &v6->sin6_addr, is_v4 ? HTTP_NETWORK_SIZE : HTTP_NETWORK_SIZE / 2);
        }
}
