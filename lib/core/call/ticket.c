/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <xxhash.h>

#include "base/file.h"
#include "core/call/ticket.h"
#include "core/key.h"

#define TAG_SIZE     SIGNER_TAG_SIZE
#define TAG_HEX_SIZE (2 * TAG_SIZE)
#define HEX_MAX      16 /* digits of a u64 */

/* The most that one parameter takes: "N=", a number, "&". */
#define FIELD_SIZE (2 + HEX_MAX + 1)

static int sign_ticket(
                Signer *signer,
                const Ticket *ticket,
                const char *key,
                uint8_t ret_tag[static TAG_SIZE]) {
        Buffer *message = signer_message(signer);

        /* Varints keep the message short: one block is hashed in one step. */
        buffer_put_u8(message, SIGNER_TICKET);
        buffer_put_u8(message, (uint8_t) ticket->method);
        buffer_put_varint(message, ticket->version);
        buffer_put_varint(message, ticket->expiry_sec);
        buffer_put_u64(message, ticket->store);
        buffer_put_u8(message, ticket->again);
        buffer_put_string(message, ticket->back);
        buffer_put_string(message, key);

        if (ticket->method == TICKET_READ) {
                if (ticket->revision > 0)
                        buffer_put_varint(message, ticket->revision);
        } else {
                buffer_put_u64(message, ticket->size_max);
                buffer_put_u64(message, ticket->mtime_usec);
                buffer_put_u8(message, ticket->wanted);
                buffer_put_u8(message, ticket->n_others);
                for (size_t i = 0; i < ticket->n_others; i++) {
                        buffer_put_u32(message, ticket->others[i].volume);
                        buffer_put_u64(message, ticket->others[i].store);
                        buffer_put_string(message, ticket->others[i].authority);
                }
        }

        return signer_sign(signer, ret_tag);
}

/* Lower case, without leading zeroes. */
static char *put_number(char *p, uint64_t value) {
        unsigned digits = value == 0 ? 1 : (67 - (unsigned) __builtin_clzll(value)) / 4;

        for (unsigned i = digits; i-- > 0; value >>= 4)
                p[i] = "0123456789abcdef"[value & 15];
        return p + digits;
}

static int get_number(const char *string, size_t length, uint64_t max, uint64_t *ret) {
        uint64_t value = 0;

        if (length == 0 || length > HEX_MAX)
                return -EACCES;

        for (size_t i = 0; i < length; i++) {
                char c = string[i];

                if (c >= '0' && c <= '9')
                        value = value << 4 | (uint64_t) (c - '0');
                else if (c >= 'a' && c <= 'f')
                        value = value << 4 | (uint64_t) (c - 'a' + 10);
                else
                        return -EACCES;
        }
        if (value > max)
                return -EACCES;

        *ret = value;
        return 0;
}

static char *put_field(char *p, char name, uint64_t value) {
        *p++ = name;
        *p++ = '=';
        p = put_number(p, value);
        *p++ = '&';
        return p;
}

/* Writes TEXT, encoded, and "&". Returns its end, or NULL if it does not fit before END. */
static char *put_text(char *p, const char *end, const char *text) {
        int n = percent_encode(text, p, (size_t) (end - p));

        if (n < 0)
                return NULL;
        p += n;
        *p++ = '&'; /* in place of the 0 */
        return p;
}

/* Writes "b=BACK&", if there is one. Returns as above. */
static char *put_back(char *p, const char *end, const Ticket *ticket) {
        if (!*ticket->back)
                return p;
        if (end - p < FIELD_SIZE)
                return NULL;
        *p++ = 'b';
        *p++ = '=';
        return put_text(p, end, ticket->back);
}

/* Writes "o=VOLUME:STORE:AUTHORITY&" for each of the other volumes. Returns as above. */
static char *put_others(char *p, const char *end, const Ticket *ticket) {
        for (size_t i = 0; i < ticket->n_others; i++) {
                if (end - p < 2 * FIELD_SIZE)
                        return NULL;

                p = put_field(p, 'o', ticket->others[i].volume);
                p[-1] = ':';
                p = put_number(p, ticket->others[i].store);
                *p++ = ':';
                p = put_text(p, end, ticket->others[i].authority);
                if (!p)
                        return NULL;
        }

        return p;
}

int ticket_format(const Ticket *ticket, const char *key, Signer *signer, char *ret, size_t size) {
        uint8_t tag[TAG_SIZE];
        const char *end = ret + size - (2 + TAG_HEX_SIZE + 1); /* before "t=TAG" */
        char *p = ret;
        int r;

        assert(ticket);
        assert(ticket->method >= 0 && ticket->method < _TICKET_METHOD_MAX);
        assert(ticket->n_others < COPIES_MAX);
        assert(key);
        assert(signer);
        assert(ret);

        if (size < 8 * FIELD_SIZE + 2 + TAG_HEX_SIZE + 1)
                return -ENOBUFS;

        r = sign_ticket(signer, ticket, key, tag);
        if (r < 0)
                return r;

        p = put_field(p, 'v', ticket->version);
        p = put_field(p, 'e', ticket->expiry_sec);
        p = put_field(p, 'w', ticket->store);
        if (ticket->again > 0)
                p = put_field(p, 'g', ticket->again);
        p = put_back(p, end, ticket);
        if (!p)
                return -ENOBUFS;
        if (ticket->method == TICKET_READ) {
                if (ticket->revision > 0)
                        p = put_field(p, 'r', ticket->revision);
        } else {
                p = put_field(p, 'k', ticket->method);
                p = put_field(p, 's', ticket->size_max);
                p = put_field(p, 'm', ticket->mtime_usec);
                p = put_field(p, 'c', ticket->wanted);
                p = put_others(p, end, ticket);
                if (!p)
                        return -ENOBUFS;
        }

        *p++ = 't';
        *p++ = '=';
        format_hex(tag, sizeof(tag), p);
        p += TAG_HEX_SIZE;
        *p = '\0';
        return (int) (p - ret);
}

static int get_other(const char *value, size_t length, Ticket *ticket) {
        typeof(*ticket->others) *other = ticket->others + ticket->n_others;
        const char *end = value + length, *colon = memchr(value, ':', length), *second;
        uint64_t volume;
        int r;

        second = colon ? memchr(colon + 1, ':', (size_t) (end - colon - 1)) : NULL;
        if (!second || ticket->n_others >= ELEMENTSOF(ticket->others))
                return -EACCES;

        r = get_number(value, (size_t) (colon - value), VOLUME_MAX, &volume);
        if (r >= 0)
                r = get_number(colon + 1, (size_t) (second - colon - 1), UINT64_MAX, &other->store);
        if (r < 0)
                return r;

        other->volume = (uint32_t) volume;
        r = percent_decode(
                        second + 1, (size_t) (end - second - 1), other->authority,
                        sizeof(other->authority));
        if (r < 0)
                return -EACCES;

        ticket->n_others++;
        return 0;
}

/* Reads one parameter "NAME=VALUE"; other names are ignored. */
static int
get_parameter(const char *string, size_t length, Ticket *ticket, uint8_t ret_tag[static TAG_SIZE]) {
        const char *value = string + 2;
        uint64_t number;
        int r;

        if (length < 2 || string[1] != '=')
                return 0;
        length -= 2;

        switch (string[0]) {
        case 'v':
                return get_number(value, length, UINT64_MAX, &ticket->version);
        case 'e':
                return get_number(value, length, UINT64_MAX, &ticket->expiry_sec);
        case 'r':
                return get_number(value, length, UINT64_MAX, &ticket->revision);
        case 's':
                return get_number(value, length, UINT64_MAX, &ticket->size_max);
        case 'm':
                return get_number(value, length, UINT64_MAX, &ticket->mtime_usec);
        case 'k':
                r = get_number(value, length, _TICKET_METHOD_MAX - 1, &number);
                if (r >= 0)
                        ticket->method = (TicketMethod) number;
                return r;
        case 'w':
                return get_number(value, length, UINT64_MAX, &ticket->store);
        case 'g':
                r = get_number(value, length, UINT8_MAX, &number);
                if (r >= 0)
                        ticket->again = (uint8_t) number;
                return r;
        case 'b':
                r = percent_decode(value, length, ticket->back, sizeof(ticket->back));
                return r < 0 ? -EACCES : 0;
        case 'c':
                r = get_number(value, length, COPIES_MAX, &number);
                if (r >= 0)
                        ticket->wanted = (uint8_t) number;
                return r;
        case 'o':
                return get_other(value, length, ticket);
        case 't':
                return parse_hex(value, length, ret_tag, TAG_SIZE) < 0 ? -EACCES : 0;
        default:
                return 0;
        }
}

uint64_t ticket_store(const uint8_t cluster[static CLUSTER_ID_SIZE], const StoreIdentity *store) {
        uint8_t name[CLUSTER_ID_SIZE + 4 + sizeof(Uuid)];
        uint32_t number = htole32(store->number);
        uint64_t hash;

        memcpy(name, cluster, CLUSTER_ID_SIZE);
        memcpy(name + CLUSTER_ID_SIZE, &number, sizeof(number));
        memcpy(name + CLUSTER_ID_SIZE + sizeof(number), store->uuid, sizeof(Uuid));
        hash = XXH3_64bits(name, sizeof(name));
        return hash != 0 ? hash : 1;
}

int ticket_parse(
                const char *query,
                TicketMethod method,
                const char *key,
                uint64_t now_sec,
                Signer *signer,
                Ticket *ret) {
        uint8_t tag[TAG_SIZE] = {}, expected[TAG_SIZE];
        Ticket ticket;
        int r;

        assert(key);
        assert(signer);
        assert(ret);

        if (!query)
                return -EACCES;

        /* Not all of it: the array of the other volumes is long, and a read does not need it. */
        memset(&ticket, 0, offsetof(Ticket, others));

        /* A missing parameter stays 0, so that the tag does not match. */
        for (const char *next; *query; query = *next ? next + 1 : next) {
                next = strchrnul(query, '&');
                r = get_parameter(query, (size_t) (next - query), &ticket, tag);
                if (r < 0)
                        return r;
        }

        r = sign_ticket(signer, &ticket, key, expected);
        if (r < 0)
                return r;

        if (!signer_tag_equal(tag, expected) || now_sec > ticket.expiry_sec ||
            (ticket.method == TICKET_READ) != (method == TICKET_READ))
                return -EACCES;

        memcpy(ret, &ticket, offsetof(Ticket, others) + ticket.n_others * sizeof(ticket.others[0]));
        return 0;
}
