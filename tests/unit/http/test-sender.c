/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <string.h>

#include "http/sender.h"

/* A sender without a connection, of a stream that says how large a piece could be. */
typedef struct Fixture {
        HttpParser head;
        HttpRequest request;
        HttpSender sender;
        size_t wanted;  /* the last that was asked for */
        uint8_t letter; /* of which the next piece consists */
} Fixture;

static const HttpOrigins no_origins = { .allowed = "" };

static ssize_t on_read(void *userdata, void *data, size_t size) {
        Fixture *fixture = userdata;

        fixture->wanted = size;
        memset(data, fixture->letter, size);
        return (ssize_t) size;
}

static int setup(void **state) {
        Fixture *fixture = calloc(1, sizeof(*fixture));

        assert_non_null(fixture);
        fixture->letter = 'a';
        fixture->sender.room = malloc(HTTP_SENDER_ROOM);
        fixture->request = (HttpRequest){
                .method = "GET",
                .head = &fixture->head,
                .fd = -1,
                .reply = { .is_there = true,
                           .status = 200,
                           .size = 100 * MIB,
                           .stream = { .read = on_read, .userdata = fixture } },
        };
        assert_int_equal(
                        http_sender_begin(&fixture->sender, &fixture->request, &no_origins, false),
                        0);
        assert_int_equal(fixture->wanted, 128 * KIB);
        *state = fixture;
        return 0;
}

static int teardown(void **state) {
        Fixture *fixture = *state;

        http_sender_end(&fixture->sender);
        free(fixture->sender.room);
        free(fixture);
        return 0;
}

/* The client takes all that is in the output, but for the last bytes. */
static void take(Fixture *fixture, size_t left) {
        HttpOutput *output = &fixture->sender.output;
        struct iovec *last = output->pieces + output->n - 1;

        if (left == 0) {
                output->n = output->first = 0;
                return;
        }
        output->first = output->n - 1;
        last->iov_base = (uint8_t *) last->iov_base + last->iov_len - left;
        last->iov_len = left;
}

static size_t next_piece(Fixture *fixture) {
        assert_int_equal(http_sender_add(&fixture->sender, &fixture->request), 0);
        return fixture->wanted;
}

TEST(pieces_grow_while_they_are_taken_at_once) {
        static const size_t sizes[] = { 256 * KIB, 512 * KIB, 512 * KIB, 512 * KIB };
        Fixture *fixture = *state;

        for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
                take(fixture, 0);
                assert_int_equal(http_sender_keep(&fixture->sender), 0); /* of nothing */
                assert_int_equal(next_piece(fixture), sizes[i]);
        }
}

TEST(pieces_shrink_when_something_is_left_of_them) {
        static const size_t sizes[] = { 256 * KIB, 128 * KIB, 128 * KIB };
        Fixture *fixture = *state;

        for (size_t i = 0; i < 3; i++) {
                take(fixture, 0);
                (void) next_piece(fixture);
        }
        for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
                take(fixture, 1);
                assert_int_equal(http_sender_keep(&fixture->sender), 0);
                take(fixture, 0);
                assert_int_equal(next_piece(fixture), sizes[i]);
        }
}

/* All connections of a thread read to the same place. */
TEST(what_is_left_stays_as_it_is) {
        Fixture *fixture = *state;
        HttpOutput *output = &fixture->sender.output;

        take(fixture, 1000);
        assert_int_equal(http_sender_keep(&fixture->sender), 0);
        memset(fixture->sender.room, 'z', HTTP_SENDER_ROOM);
        assert_int_equal(output->n - output->first, 1);
        assert_int_equal(output->pieces[output->first].iov_len, 1000);
        for (size_t i = 0; i < 1000; i++)
                assert_int_equal(((char *) output->pieces[output->first].iov_base)[i], 'a');

        take(fixture, 10); /* and some more of it */
        assert_int_equal(http_sender_keep(&fixture->sender), 0);
        assert_memory_equal(output->pieces[output->first].iov_base, "aaaaaaaaaa", 10);

        take(fixture, 0);
        fixture->letter = 'b';
        (void) next_piece(fixture);
        assert_int_equal(*(char *) output->pieces[output->first].iov_base, 'b');
}

TEST(the_head_is_kept_with_it) {
        Fixture *fixture = *state;
        HttpOutput *output = &fixture->sender.output;

        assert_int_equal(http_sender_keep(&fixture->sender), 0);
        memset(fixture->sender.room, 'z', HTTP_SENDER_ROOM);
        assert_memory_equal(output->pieces[0].iov_base, "HTTP/1.1 200 OK", 15);
        assert_memory_equal(output->pieces[output->n - 1].iov_base, "aaaa", 4);
}

#define SENDER_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                SENDER_TEST(pieces_grow_while_they_are_taken_at_once),
                SENDER_TEST(pieces_shrink_when_something_is_left_of_them),
                SENDER_TEST(what_is_left_stays_as_it_is),
                SENDER_TEST(the_head_is_kept_with_it),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
