/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/call/ticket.h"
#include "core/key.h"

#define NOW UINT64_C(1763690000)

static const char secret[] = "a secret of thirty-two bytes ...";

static const Ticket read_ticket = {
        .method = TICKET_READ,
        .version = 0x1234,
        .revision = 77,
        .store = 0xfeed,
        .expiry_sec = NOW + 60,
};

static const Ticket write_ticket = {
        .method = TICKET_POST,
        .version = UINT64_MAX,
        .expiry_sec = NOW + 60,
        .size_max = UINT64_C(5) << 30,
        .mtime_usec = NOW * 1000000,
        .wanted = 3,
        .n_others = 2,
        .store = UINT64_MAX,
        .again = 2,
        .back = "[fe80::1%eth0]:3000",
        .others = { { 2, 0xabc, "127.0.0.1:3002" },
                    { VOLUME_MAX, UINT64_MAX, "[fe80::1%eth0]:3003" } },
};

static Signer *signer;

static int setup(void **state) {
        return signer_new(secret, strlen(secret), &signer);
}

static int teardown(void **state) {
        signer = signer_free(signer);
        return 0;
}

static int parse(const char *query, TicketMethod method, const char *key, uint64_t now) {
        Ticket ticket;

        return ticket_parse(query, method, key, now, signer, &ticket);
}

TEST(read_ticket_comes_back) {
        char query[TICKET_QUERY_SIZE];
        Ticket ticket;
        int length;

        length = ticket_format(&read_ticket, "key", signer, query, sizeof(query));
        assert_ok(length);
        assert_int_equal(length, strlen(query));
        assert_ok(ticket_parse(query, TICKET_READ, "key", NOW, signer, &ticket));
        assert_int_equal(ticket.method, TICKET_READ);
        assert_true(ticket.version == read_ticket.version);
        assert_true(ticket.revision == read_ticket.revision);
        assert_true(ticket.expiry_sec == read_ticket.expiry_sec);
        assert_int_equal(ticket.n_others, 0);
}

TEST(revision_of_a_ticket_is_signed) {
        Ticket without = read_ticket, ticket;
        char query[TICKET_QUERY_SIZE];
        char *digit;

        without.revision = 0;
        assert_ok(ticket_format(&without, "key", signer, query, sizeof(query)));
        assert_null(strstr(query, "&r="));
        assert_ok(ticket_parse(query, TICKET_READ, "key", NOW, signer, &ticket));
        assert_true(ticket.revision == 0);

        assert_ok(ticket_format(&read_ticket, "key", signer, query, sizeof(query)));
        digit = strstr(query, "&r=") + 3;
        *digit ^= 1;
        assert_int_equal(parse(query, TICKET_READ, "key", NOW), -EACCES);
}

TEST(write_ticket_comes_back) {
        char query[TICKET_QUERY_SIZE];

        for (TicketMethod method = TICKET_PUT; method < _TICKET_METHOD_MAX; method++) {
                Ticket given = write_ticket, ticket;

                given.method = method;
                assert_ok(ticket_format(&given, "key", signer, query, sizeof(query)));
                assert_ok(ticket_parse(query, TICKET_PUT, "key", NOW, signer, &ticket));
                assert_int_equal(ticket.method, method);
                assert_true(ticket.version == given.version);
                assert_true(ticket.size_max == given.size_max);
                assert_true(ticket.store == given.store);
                assert_int_equal(ticket.again, given.again);
                assert_string_equal(ticket.back, given.back);
                assert_true(ticket.mtime_usec == given.mtime_usec);
                assert_int_equal(ticket.wanted, given.wanted);
                assert_int_equal(ticket.n_others, given.n_others);
                for (size_t i = 0; i < given.n_others; i++) {
                        assert_int_equal(ticket.others[i].volume, given.others[i].volume);
                        assert_true(ticket.others[i].store == given.others[i].store);
                        assert_string_equal(ticket.others[i].authority, given.others[i].authority);
                }
        }
}

/* Daemons of different releases have to understand each other. */
TEST(form_is_known) {
        char query[TICKET_QUERY_SIZE];

        assert_ok(ticket_format(&read_ticket, "key", signer, query, sizeof(query)));
        assert_string_equal(
                        query, "v=1234&e=691fc64c&w=feed&r=4d&t=6ed8e565b889b5c1c782dca1cd969591");
        assert_ok(ticket_format(&write_ticket, "key", signer, query, sizeof(query)));
        assert_string_equal(
                        query, "v=ffffffffffffffff&e=691fc64c&w=ffffffffffffffff&g=2&b=%5Bfe80"
                               "%3A%3A1%25eth0%5D%3A3000&k=2&s=140000000&m=6441113f1a400&c=3&o"
                               "=2:abc:127.0.0.1%3A3002&o=ffff:ffffffffffffffff:%5Bfe80%3A%3A1"
                               "%25eth0%5D%3A3003&t=b4908fafb00b7026ec16f23597ea3fdd");
}

TEST(ticket_expires) {
        char query[TICKET_QUERY_SIZE];

        assert_ok(ticket_format(&read_ticket, "key", signer, query, sizeof(query)));
        assert_ok(parse(query, TICKET_READ, "key", read_ticket.expiry_sec));
        assert_int_equal(parse(query, TICKET_READ, "key", read_ticket.expiry_sec + 1), -EACCES);
}

TEST(ticket_is_for_one_key) {
        char query[TICKET_QUERY_SIZE], longest[KEY_MAX + 1];

        memset(longest, 'k', KEY_MAX);
        longest[KEY_MAX] = '\0';

        assert_ok(ticket_format(&read_ticket, "key", signer, query, sizeof(query)));
        assert_int_equal(parse(query, TICKET_READ, "kez", NOW), -EACCES);
        assert_int_equal(parse(query, TICKET_READ, "ke", NOW), -EACCES);
        assert_int_equal(parse(query, TICKET_READ, "key ", NOW), -EACCES);
        assert_int_equal(parse(query, TICKET_READ, "", NOW), -EACCES);

        assert_ok(ticket_format(&read_ticket, longest, signer, query, sizeof(query)));
        assert_ok(parse(query, TICKET_READ, longest, NOW));
        longest[KEY_MAX - 1] = 'l';
        assert_int_equal(parse(query, TICKET_READ, longest, NOW), -EACCES);
}

TEST(ticket_is_for_reading_or_writing) {
        char query[TICKET_QUERY_SIZE], forged[2 * TICKET_QUERY_SIZE];

        assert_ok(ticket_format(&read_ticket, "key", signer, query, sizeof(query)));
        assert_int_equal(parse(query, TICKET_PUT, "key", NOW), -EACCES);
        assert_int_equal(parse(query, TICKET_COPY, "key", NOW), -EACCES);
        for (int method = 0; method < 16; method++) {
                (void) snprintf(forged, sizeof(forged), "%s&k=%x", query, (unsigned) method);
                assert_int_equal(parse(forged, TICKET_PUT, "key", NOW), -EACCES);
        }

        assert_ok(ticket_format(&write_ticket, "key", signer, query, sizeof(query)));
        assert_int_equal(parse(query, TICKET_READ, "key", NOW), -EACCES);
        (void) snprintf(forged, sizeof(forged), "%s&k=0", query);
        assert_int_equal(parse(forged, TICKET_READ, "key", NOW), -EACCES);
}

TEST(ticket_needs_the_same_secret) {
        _cleanup_(signer_freep) Signer *other = NULL;
        char query[TICKET_QUERY_SIZE];
        Ticket ticket;

        assert_ok(signer_new("another secret", strlen("another secret") + 2, &other));
        assert_ok(ticket_format(&read_ticket, "key", other, query, sizeof(query)));
        assert_int_equal(parse(query, TICKET_READ, "key", NOW), -EACCES);
        assert_ok(ticket_parse(query, TICKET_READ, "key", NOW, other, &ticket));
}

/* Whether it makes no difference which of both stands at I: the case of an escape's digits. */
static bool means_the_same(const char *query, size_t i, int c) {
        bool in_escape = i >= 2 && (query[i - 1] == '%' || query[i - 2] == '%');

        return c == query[i] || (in_escape && tolower(c) == tolower(query[i]));
}

static void assert_altered_is_refused(const char *query, TicketMethod method) {
        char altered[TICKET_QUERY_SIZE];

        for (size_t i = 0; query[i]; i++) {
                (void) snprintf(altered, sizeof(altered), "%s", query);
                for (int c = 0; c < 128; c++) {
                        if (means_the_same(query, i, c))
                                continue;
                        altered[i] = (char) c;
                        assert_int_equal(parse(altered, method, "key", NOW), -EACCES);
                }
        }
}

TEST(altered_ticket_is_refused) {
        char query[TICKET_QUERY_SIZE];

        assert_ok(ticket_format(&read_ticket, "key", signer, query, sizeof(query)));
        assert_altered_is_refused(query, TICKET_READ);
        assert_ok(ticket_format(&write_ticket, "key", signer, query, sizeof(query)));
        assert_altered_is_refused(query, TICKET_PUT);
}

/* What is a part of one field cannot become a part of the next one. */
TEST(other_volumes_keep_their_borders) {
        char query[TICKET_QUERY_SIZE], *field;
        Ticket ticket = write_ticket;

        strcpy(ticket.others[0].authority, "ab");
        strcpy(ticket.others[1].authority, "cd");
        assert_ok(ticket_format(&ticket, "key", signer, query, sizeof(query)));
        assert_ok(parse(query, TICKET_PUT, "key", NOW));
        field = strstr(query, "2:abc:ab");
        assert_non_null(field);
        memcpy(field, "2:abc:cd", 8);
        assert_int_equal(parse(query, TICKET_PUT, "key", NOW), -EACCES);
        field = strstr(field + 4, "ffff:ffffffffffffffff:cd");
        assert_non_null(field);
        memcpy(field, "ffff:ffffffffffffffff:ab", 24);
        assert_int_equal(parse(query, TICKET_PUT, "key", NOW), -EACCES);
}

TEST(order_and_other_parameters_do_not_matter) {
        char query[TICKET_QUERY_SIZE], mixed[2 * TICKET_QUERY_SIZE];
        const char *v, *e, *store, *revision, *t;

        assert_ok(ticket_format(&read_ticket, "key", signer, query, sizeof(query)));
        (void) snprintf(mixed, sizeof(mixed), "verify=1&&x=%%&%s&=&z&vv=1&", query);
        assert_ok(parse(mixed, TICKET_READ, "key", NOW));

        v = strtok(query, "&");
        e = strtok(NULL, "&");
        store = strtok(NULL, "&");
        revision = strtok(NULL, "&");
        t = strtok(NULL, "&");
        (void) snprintf(mixed, sizeof(mixed), "%s&%s&verify=1&%s&%s&%s", t, store, e, v, revision);
        assert_ok(parse(mixed, TICKET_READ, "key", NOW));
        (void) snprintf(mixed, sizeof(mixed), "%s&%s&%s&%s", v, e, store, revision);
        assert_int_equal(parse(mixed, TICKET_READ, "key", NOW), -EACCES);
        (void) snprintf(mixed, sizeof(mixed), "%s&%s&%s&%s", v, store, revision, t);
        assert_int_equal(parse(mixed, TICKET_READ, "key", NOW), -EACCES);
        (void) snprintf(mixed, sizeof(mixed), "%s&%s&%s&%s", v, e, store, t);
        assert_int_equal(parse(mixed, TICKET_READ, "key", NOW), -EACCES);
        (void) snprintf(mixed, sizeof(mixed), "%s&%s&%s&%s", v, e, revision, t);
        assert_int_equal(parse(mixed, TICKET_READ, "key", NOW), -EACCES);
}

TEST(malformed_queries_are_refused) {
        static const char *const queries[] = {
                "",
                "&",
                "v",
                "v=",
                "v=1",
                "v=1&e=ffffffff",
                "v=1&e=ffffffff&t=",
                "v=1&e=ffffffff&t=00000000000000000000000000000000",
                "v=1&e=ffffffff&t=0000000000000000000000000000000",
                "v=1&e=ffffffff&t=000000000000000000000000000000000",
                "v=11111111111111111",
                "v=-1",
                "v= 1",
                "v=A",
                "k=4",
                "c=9",
                "o=",
                "o=1",
                "o=:",
                "o=1:a",
                "o=1:1",
                "o=10000:1:a",
                "o=1:1:%",
                "o=1:1:%00",
                "o=1:1:a&o=2:1:a&o=3:1:a&o=4:1:a&o=5:1:a&o=6:1:a&o=7:1:a&o=8:1:a",
                "w=x",
                "g=100",
                "b=%",
        };

        assert_int_equal(parse(NULL, TICKET_READ, "key", NOW), -EACCES);
        for (size_t i = 0; i < ELEMENTSOF(queries); i++) {
                assert_int_equal(parse(queries[i], TICKET_READ, "key", NOW), -EACCES);
                assert_int_equal(parse(queries[i], TICKET_PUT, "key", NOW), -EACCES);
        }
}

TEST(longest_authority_fits) {
        char query[TICKET_QUERY_SIZE], longer[TICKET_QUERY_SIZE];
        Ticket given = write_ticket, ticket;
        char *authority = given.others[0].authority, *end;

        memset(authority, 'a', sizeof(given.others[0].authority) - 1);
        authority[sizeof(given.others[0].authority) - 1] = '\0';
        assert_ok(ticket_format(&given, "key", signer, query, sizeof(query)));
        assert_ok(ticket_parse(query, TICKET_PUT, "key", NOW, signer, &ticket));
        assert_string_equal(ticket.others[0].authority, authority);

        end = strstr(query, "aaa&");
        (void) snprintf(longer, sizeof(longer), "%.*sa%s", (int) (end - query), query, end);
        assert_int_equal(parse(longer, TICKET_PUT, "key", NOW), -EACCES);
}

TEST(query_that_does_not_fit_is_not_written) {
        Ticket ticket = write_ticket;
        char query[TICKET_QUERY_SIZE];
        int length;

        for (ticket.n_others = 0; ticket.n_others < COPIES_MAX - 1; ticket.n_others++)
                strcpy(ticket.others[ticket.n_others].authority, "volume.example.com:3000");
        length = ticket_format(&ticket, "key", signer, query, sizeof(query));
        assert_ok(length);

        for (size_t size = 1; size <= sizeof(query); size++) {
                _cleanup_free_ char *room = malloc(size);
                int r = ticket_format(&ticket, "key", signer, room, size);

                if (size <= (size_t) length)
                        assert_int_equal(r, -ENOBUFS);
                else if (r != -ENOBUFS) {
                        assert_int_equal(r, length);
                        assert_string_equal(room, query);
                } else
                        assert_in_range(size, length, length + 32);
        }
}

TEST(short_secrets_are_refused) {
        _cleanup_(signer_freep) Signer *other = NULL;

        assert_int_equal(signer_new(secret, SECRET_MIN - 1, &other), -EINVAL);
        assert_null(other);
        assert_ok(signer_new(secret, SECRET_MIN, &other));
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(read_ticket_comes_back),
                cmocka_unit_test(revision_of_a_ticket_is_signed),
                cmocka_unit_test(write_ticket_comes_back),
                cmocka_unit_test(form_is_known),
                cmocka_unit_test(ticket_expires),
                cmocka_unit_test(ticket_is_for_one_key),
                cmocka_unit_test(ticket_is_for_reading_or_writing),
                cmocka_unit_test(ticket_needs_the_same_secret),
                cmocka_unit_test(altered_ticket_is_refused),
                cmocka_unit_test(other_volumes_keep_their_borders),
                cmocka_unit_test(order_and_other_parameters_do_not_matter),
                cmocka_unit_test(malformed_queries_are_refused),
                cmocka_unit_test(longest_authority_fits),
                cmocka_unit_test(query_that_does_not_fit_is_not_written),
                cmocka_unit_test(short_secrets_are_refused),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
