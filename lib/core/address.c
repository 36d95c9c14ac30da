/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/file.h"
#include "core/address.h"

#define NO_PORT "has no port from 1 to 65535"

static int refuse(const char *reason, const char **reterr_reason) {
        *reterr_reason = reason;
        return -EINVAL;
}

static bool is_zero(const unsigned char *bytes, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (bytes[i] != 0)
                        return false;
        return true;
}

/* Whether the resolver would take the host for a number: to it, "3003" is 0.0.11.187. */
static bool looks_numeric(const char *host) {
        const char *last = strrchr(host, '.');

        last = last ? last + 1 : host;
        if (last[0] == '0' && (last[1] == 'x' || last[1] == 'X'))
                return last[2 + strspn(last + 2, "0123456789abcdefABCDEF")] == '\0';
        return last[strspn(last, "0123456789")] == '\0';
}

/* Whether the host is the name of a machine, or a placeholder in a file for several machines. */
static bool is_name(const char *host) {
        for (; *host; host++)
                if (!(*host >= 'a' && *host <= 'z') && !(*host >= 'A' && *host <= 'Z') &&
                    !(*host >= '0' && *host <= '9') && !strchr("-._", *host))
                        return false;
        return true;
}

static int set_host(Address *address, const char *host, size_t size, const char **reterr_reason) {
        unsigned char bytes[sizeof(struct in6_addr)];
        bool has_brackets = size >= 2 && host[0] == '[' && host[size - 1] == ']';

        if (has_brackets) {
                host++;
                size -= 2;
        }
        if (size == 0)
                return refuse("has no address in front of the port", reterr_reason);
        if (size >= sizeof(address->host))
                return refuse("is too long", reterr_reason);
        memcpy(address->host, host, size);
        address->host[size] = '\0';

        if (has_brackets || strchr(address->host, ':')) {
                if (inet_pton(AF_INET6, address->host, bytes) != 1)
                        return refuse("has no IPv6 address between its brackets", reterr_reason);
                if (!has_brackets)
                        return refuse("needs brackets around its IPv6 address", reterr_reason);
                address->is_numeric = address->is_v6 = true;
                address->is_any = is_zero(bytes, sizeof(struct in6_addr));
                return 0;
        }

        if (inet_pton(AF_INET, address->host, bytes) == 1) {
                address->is_numeric = true;
                address->is_any = is_zero(bytes, sizeof(struct in_addr));
                return 0;
        }
        if (!is_name(address->host) || looks_numeric(address->host))
                return refuse("has neither an IP address nor the name of a machine in it",
                              reterr_reason);
        return 0;
}

int address_parse(const char *text, Address *ret, const char **reterr_reason) {
        const char *colon = strrchr(text, ':'), *port = colon ? colon + 1 : text;
        Address address = {};
        uint64_t number;
        int r;

        if (colon && strchr(colon, ']'))
                return refuse("has no port", reterr_reason);
        if (!colon && text[strspn(text, "0123456789")] != '\0')
                return refuse("is not of the form ADDRESS:PORT", reterr_reason);
        if (parse_u64(port, UINT16_MAX, &number) < 0)
                return refuse(NO_PORT, reterr_reason);

        address.port = (uint16_t) number;
        address.is_any = !colon;
        if (colon) {
                r = set_host(&address, text, (size_t) (colon - text), reterr_reason);
                if (r < 0)
                        return r;
        }

        *ret = address;
        return 0;
}

const char *address_complain(const char *text) {
        const char *reason = NULL;
        Address address;

        if (address_parse(text, &address, &reason) < 0)
                return reason;
        return address.port == 0 ? NO_PORT : NULL;
}

bool address_is_loopback(const Address *address) {
        return strncmp(address->host, "127.", strlen("127.")) == 0 ||
               strcmp(address->host, "::1") == 0 || strcmp(address->host, "localhost") == 0;
}
