/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "core/call/signature.h"
#include "core/call/ticket.h"
#include "core/key.h"
#include "fuzz.h"

#define NOW UINT64_C(1763690000)

/* A ticket of the bytes of the input, which end in zeroes. */
static void make_ticket(Reader *reader, Ticket *ret) {
        Ticket ticket = {
                .method = reader_get_u8(reader) % _TICKET_METHOD_MAX,
                .version = reader_get_varint(reader),
                .expiry_sec = NOW + reader_get_u8(reader),
                .size_max = reader_get_varint(reader),
                .mtime_usec = reader_get_varint(reader),
                .wanted = reader_get_u8(reader) % (COPIES_MAX + 1),
                .store = reader_get_u64(reader),
                .again = reader_get_u8(reader) % 4,
        };

        if (ticket.method != TICKET_READ)
                ticket.n_others = reader_get_u8(reader) % COPIES_MAX;
        for (size_t i = 0; i < ticket.n_others; i++) {
                size_t length = reader_get_u8(reader);
                const char *authority = reader_get(reader, length);

                ticket.others[i].volume = reader_get_u16(reader);
                ticket.others[i].store = reader_get_varint(reader);
                if (authority)
                        memcpy(ticket.others[i].authority, authority, strnlen(authority, length));
        }

        *ret = ticket;
}

static void check_round_trip(const Ticket *ticket, const char *key, Signer *signer) {
        TicketMethod other = ticket->method == TICKET_READ ? TICKET_PUT : TICKET_READ;
        char query[TICKET_QUERY_SIZE], again[TICKET_QUERY_SIZE];
        Ticket parsed;
        int length;

        length = ticket_format(ticket, key, signer, query, sizeof(query));
        if (length == -ENOBUFS)
                return;
        assert(length > 0 && strlen(query) == (size_t) length);

        assert(ticket_parse(query, ticket->method, key, NOW, signer, &parsed) == 0);
        assert(ticket_format(&parsed, key, signer, again, sizeof(again)) == length);
        assert(strcmp(query, again) == 0);
        assert(ticket_parse(query, other, key, NOW, signer, &parsed) == -EACCES);
        assert(ticket_parse(query, ticket->method, key, NOW + 256, signer, &parsed) == -EACCES);
}

/* The input is a query and a signature, neither of which can be right, a key, and a ticket. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(signer_freep) Signer *signer = NULL;
        _cleanup_free_ char *string = fuzz_string(data, size);
        Reader reader = READER(data, size);
        Signature signature;
        Ticket ticket;
        int r;

        assert(signer_new("a secret for the fuzzer", SECRET_MIN, &signer) == 0);

        assert(ticket_parse(string, TICKET_READ, "key", NOW, signer, &ticket) == -EACCES);
        assert(ticket_parse(string, TICKET_PUT, "key", NOW, signer, &ticket) == -EACCES);
        r = signature_check(string, "GET", "/", NOW, signer, &signature);
        assert(r == -EACCES || r == -EPROTO);

        make_ticket(&reader, &ticket);
        check_round_trip(&ticket, string, signer);
        return 0;
}
