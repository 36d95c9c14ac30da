/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "core/call/signature.h"
#include "core/call/ticket.h"
#include "core/key.h"
#include "core/placement/cluster.h"
#include "fuzz.h"

#define NOW UINT64_C(1763690000)

/* A length and so many bytes, which end at a zero. */
static void get_text(Reader *reader, char *ret, size_t size) {
        size_t length = reader_get_u8(reader);
        const char *text = reader_get(reader, length);

        assert(length < size);
        if (text)
                memcpy(ret, text, strnlen(text, length));
}

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

        get_text(reader, ticket.back, sizeof(ticket.back));
        if (ticket.method == TICKET_READ)
                ticket.revision = reader_get_varint(reader);
        else
                ticket.n_others = reader_get_u8(reader) % COPIES_MAX;
        for (size_t i = 0; i < ticket.n_others; i++) {
                get_text(reader, ticket.others[i].authority, sizeof(ticket.others[i].authority));
                ticket.others[i].volume = reader_get_u16(reader);
                ticket.others[i].store = reader_get_varint(reader);
        }

        *ret = ticket;
}

/* It is written whole or not at all, however little room there is. */
static void check_room(const Ticket *ticket, Signer *signer, size_t room) {
        char *query = malloc(room);
        int length;

        assert(query);
        length = ticket_format(ticket, "key", signer, query, room);
        assert(length == -ENOBUFS || ((size_t) length < room && query[length] == '\0'));
        free(query);
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

static void get_bytes(Reader *reader, void *ret, size_t size) {
        const void *bytes = reader_get(reader, size);

        if (bytes)
                memcpy(ret, bytes, size);
}

static void get_store(Reader *reader, StoreIdentity *ret) {
        ret->number = reader_get_u32(reader) % (VOLUME_MAX + 1);
        get_bytes(reader, ret->uuid, sizeof(ret->uuid));
        ret->run = reader_get_u64(reader);
}

/* A signature that is right says what was signed. */
static void check_signature(Reader *reader, const char *target, Signer *signer) {
        Parties parties = { .sequence = reader_get_u64(reader),
                            .revision = reader_get_u64(reader) };
        char text[SIGNATURE_SIZE];
        Signature signature;

        get_bytes(reader, parties.lead.cluster, sizeof(parties.lead.cluster));
        parties.lead.term = reader_get_u64(reader);
        parties.lead.leader = reader_get_u64(reader);
        get_store(reader, &parties.from);
        get_store(reader, &parties.to);
        assert(signature_format(
                               "POST", target, &parties, reader->data, reader->size, NOW, signer,
                               text) == 0);

        assert(signature_check(text, "POST", target, NOW + 1, signer, &signature) == -ETIME);
        assert(signature_check(text, "POST", target, NOW, signer, &signature) == 0);
        assert(parties_equal(&parties, &signature.parties));
        assert(signature_check_body(&signature, reader->data, reader->size, signer) == 0);
        assert(signature_check_body(&signature, "other", 5, signer) == -EACCES);

        assert(ticket_store(parties.lead.cluster, &parties.from) != 0);
        text[reader->size % (strlen(text) - 1) + 1] ^= 1;
        assert(signature_check(text, "POST", target, NOW, signer, &signature) < 0);
}

/* What is signed though it has no meaning is refused all the same, whatever it says. */
static void check_signed_nonsense(const char *string, Signer *signer) {
        char text[SIGNATURE_SIZE + 64], tag_hex[2 * SIGNER_TAG_SIZE + 1];
        uint8_t tag[SIGNER_TAG_SIZE];
        Buffer *message = signer_message(signer);
        Signature signature;
        int length;

        length = snprintf(text, SIGNATURE_SIZE, "5.%s.", string);
        if (length >= SIGNATURE_SIZE)
                return;
        buffer_put_u8(message, SIGNER_SIGNATURE);
        buffer_put_string(message, "GET");
        buffer_put_string(message, "/");
        buffer_put_bytes(message, text, (size_t) length);
        assert(signer_sign(signer, tag) == 0);
        format_hex(tag, sizeof(tag), tag_hex);
        strcpy(text + length, tag_hex);
        if (signature_check(text, "GET", "/", NOW, signer, &signature) == 0)
                assert(signature.expiry_sec >= NOW);
}

/* The input is a query and a signature, neither of which can be right, a key, and a ticket; what is
 * in a signature; and a text that somebody has signed. */
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
        check_room(&ticket, signer, 1 + ticket.version % TICKET_QUERY_SIZE);
        reader = READER(data, size);
        check_signature(&reader, string, signer);
        check_signed_nonsense(string, signer);
        return 0;
}
