/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A value on its way to another volume, which is slow, refuses it, or goes away. */

#include "test.h"

#include "base/clock.h"
#include "http/stand-in.h"
#include "volume/receiver.h"
#include "volume/request/forward.h"

typedef struct Sender {
        StandIn ends; /* the client and the secret */
        Receiver receiver;
        PipeBudget budget;
        Forward *forward;
        sem_t writable, done;
        unsigned n_done;
        uint32_t volume;
        int error;
        Checksum checksum;
} Sender;

static int setup(void **state) {
        Sender *sender = calloc(1, sizeof(*sender));

        stand_in_init(&sender->ends);
        receiver_start(&sender->receiver, sender->ends.secret);
        sender->budget.max = 4 * FORWARD_BUFFER_SIZE;
        assert_ok(sem_init(&sender->writable, 0, 0));
        assert_ok(sem_init(&sender->done, 0, 0));
        *state = sender;
        return 0;
}

static int teardown(void **state) {
        Sender *sender = *state;

        (void) forward_free(sender->forward);
        receiver_stop(&sender->receiver);
        stand_in_done(&sender->ends);
        assert_int_equal(sender->budget.used, 0);
        free(sender);
        return 0;
}

static void on_writable(void *userdata) {
        Sender *sender = userdata;

        assert_ok(sem_post(&sender->writable));
}

static void on_done(void *userdata, uint32_t volume, int error, const Checksum *checksum) {
        Sender *sender = userdata;

        sender->n_done++;
        sender->volume = volume;
        sender->error = error;
        assert_int_equal(error < 0, checksum == NULL);
        if (checksum)
                sender->checksum = *checksum;
        assert_ok(sem_post(&sender->done));
}

static int start_to(Sender *sender, const char *authority, uint64_t size, Forward **ret) {
        const Ticket ticket = {
                .method = TICKET_PUT, .version = 6, .size_max = MIB, .mtime_usec = 9
        };
        const Record record = {
                .version = 6,
                .content_type = "text/x",
                .metadata = "colour\0red",
                .metadata_size = sizeof("colour\0red"),
        };

        return forward_new(
                        &(ForwardOptions){
                                        .client = sender->ends.client,
                                        .budget = &sender->budget,
                                        .secret = sender->ends.secret,
                                        .volume = 42,
                                        .store = 4711,
                                        .authority = authority,
                                        .key = "a key/\xc3\xa4%",
                                        .record = &record,
                                        .ticket = &ticket,
                                        .size = size,
                                        .events = {
                                                        .writable = on_writable,
                                                        .done = on_done,
                                                        .userdata = sender,
                                        },
                        },
                        ret);
}

static void start(Sender *sender, uint64_t size) {
        assert_ok(start_to(sender, sender->receiver.authority, size, &sender->forward));
}

/* Writes all, waiting whenever there is no room. */
static void write_all(Sender *sender, const uint8_t *data, size_t size) {
        while (size > 0) {
                size_t n = forward_write(sender->forward, data, size);

                data += n;
                size -= n;
                if (size > 0)
                        wait_for(&sender->writable);
        }
}

static uint8_t *make_value(size_t size) {
        uint8_t *value = malloc(size);

        for (size_t i = 0; i < size; i++)
                value[i] = (uint8_t) (i * 7 + i / 251);
        return value;
}

TEST(a_value_arrives_as_it_was_sent) {
        static const size_t sizes[] = { 0, 1, 100000, FORWARD_BUFFER_SIZE,
                                        3 * FORWARD_BUFFER_SIZE + 1 };
        Sender *sender = *state;

        for (size_t i = 0; i < 2 * ELEMENTSOF(sizes); i++) {
                size_t size = sizes[i / 2];
                _cleanup_free_ uint8_t *value = make_value(size);
                Checksum expected = checksum_of(value, size);

                start(sender, i % 2 == 0 ? size : HTTP_SIZE_UNKNOWN);
                write_all(sender, value, size);
                forward_finish(sender->forward);
                wait_for(&sender->done);
                assert_int_equal(sender->error, 0);
                assert_int_equal(sender->volume, 42);
                assert_true(checksum_equal(&sender->checksum, &expected));
                assert_int_equal(sender->receiver.value.size, size);
                assert_memory_equal(sender->receiver.value.data, value, size);
                sender->forward = forward_free(sender->forward);
        }
        assert_int_equal(sender->n_done, 2 * ELEMENTSOF(sizes));
}

TEST(the_receiver_knows_the_key_and_what_belongs_to_the_value) {
        Sender *sender = *state;
        const Receiver *receiver = &sender->receiver;

        start(sender, 1);
        write_all(sender, (const uint8_t *) "v", 1);
        forward_finish(sender->forward);
        wait_for(&sender->done);
        assert_string_equal(receiver->key, "a key/\xc3\xa4%");
        assert_string_equal(receiver->type, "text/x");
        assert_string_equal(receiver->metadata, "red");
}

/* It is good for this copy alone, and for no longer than a call. */
TEST(the_receiver_gets_a_ticket_of_its_own) {
        Sender *sender = *state;
        const Ticket *ticket = &sender->receiver.ticket;
        uint64_t now_sec = clock_cluster() / USEC_PER_SEC;

        start(sender, 0);
        forward_finish(sender->forward);
        wait_for(&sender->done);
        assert_int_equal(ticket->method, TICKET_COPY);
        assert_int_equal(ticket->version, 6);
        assert_int_equal(ticket->store, 4711);
        assert_int_equal(ticket->size_max, MIB);
        assert_int_equal(ticket->mtime_usec, 9);
        assert_int_equal(ticket->wanted, 1);
        assert_int_equal(ticket->n_others, 0);
        assert_in_range(ticket->expiry_sec, now_sec, now_sec + SIGNATURE_LIFETIME_SEC);
}

TEST(whatever_is_not_a_copy_is_an_error) {
        static const struct {
                ReceiverMode mode;
                int reply, error;
        } rows[] = {
                { RECEIVER_NO_ETAG, 0, -EPROTO },         { RECEIVER_BAD_ETAG, 0, -EINVAL },
                { RECEIVER_REFUSES, -ENOSPC, -ENOSPC },   { RECEIVER_REFUSES, -EACCES, -EACCES },
                { RECEIVER_REFUSES, -EREMOTE, -EREMOTE }, { RECEIVER_REFUSES, -EBADMSG, -EBADMSG },
                { RECEIVER_REFUSES, -EIO, -EREMOTEIO },
        };
        Sender *sender = *state;

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                sender->receiver.mode = rows[i].mode;
                sender->receiver.error = rows[i].reply;
                start(sender, 1);
                write_all(sender, (const uint8_t *) "v", 1);
                forward_finish(sender->forward);
                wait_for(&sender->done);
                assert_int_equal(sender->error, rows[i].error);
                sender->forward = forward_free(sender->forward);
        }
}

TEST(an_answer_that_breaks_off_is_none) {
        Sender *sender = *state;

        sender->receiver.mode = RECEIVER_CUTS;
        start(sender, 1);
        write_all(sender, (const uint8_t *) "v", 1);
        forward_finish(sender->forward);
        wait_for(&sender->done);
        assert_true(sender->error < 0);
}

TEST(nobody_at_the_address_is_an_error) {
        Sender *sender = *state;

        assert_ok(start_to(sender, "127.0.0.1:1", 1, &sender->forward));
        wait_for(&sender->done);
        assert_int_equal(sender->error, -EHOSTDOWN);
        assert_int_equal(sender->volume, 42);
}

/* The write goes on for the sake of the other copies. */
TEST(a_forward_that_has_failed_takes_everything) {
        _cleanup_free_ uint8_t *value = make_value(4 * FORWARD_BUFFER_SIZE);
        Sender *sender = *state;

        assert_ok(start_to(sender, "127.0.0.1:1", HTTP_SIZE_UNKNOWN, &sender->forward));
        wait_for(&sender->done);
        assert_int_equal(
                        forward_write(sender->forward, value, 4 * FORWARD_BUFFER_SIZE),
                        4 * FORWARD_BUFFER_SIZE);
        forward_finish(sender->forward);
        assert_int_equal(sender->n_done, 1);
}

TEST(a_slow_receiver_holds_the_sender_back) {
        const size_t size = 64 * MIB; /* more than the sockets take */
        _cleanup_free_ uint8_t *value = make_value(size);
        Sender *sender = *state;
        size_t n = 0, taken;

        sender->receiver.mode = RECEIVER_STALLS;
        start(sender, size);
        receiver_await_begun(&sender->receiver, 1);
        do { /* until only what is in the buffer could be taken, and that is full */
                taken = forward_write(sender->forward, value + n, size - n);
                n += taken;
        } while (taken > 0 || sem_trywait(&sender->writable) == 0);
        assert_in_range(n, FORWARD_BUFFER_SIZE, size - 1);
        assert_int_equal(sender->budget.used, FORWARD_BUFFER_SIZE);

        receiver_go_on(&sender->receiver);
        write_all(sender, value + n, size - n);
        forward_finish(sender->forward);
        wait_for(&sender->done);
        assert_int_equal(sender->error, 0);
        assert_int_equal(sender->receiver.value.size, size);
}

TEST(a_sender_that_gives_up_leaves_nothing_complete) {
        Sender *sender = *state;

        start(sender, 100);
        write_all(sender, (const uint8_t *) "half", 4);
        sender->forward = forward_free(sender->forward);
        wait_for(&sender->done);
        assert_true(sender->error < 0);
        assert_int_equal(sender->n_done, 1);
        assert_int_equal(sender->receiver.n_complete, 0);
}

/* Without a length, only the way in which it ends tells a part from the whole. */
TEST(half_a_value_without_a_length_is_not_taken_for_a_whole_one) {
        Sender *sender = *state;

        start(sender, HTTP_SIZE_UNKNOWN);
        write_all(sender, (const uint8_t *) "half", 4);
        receiver_await_begun(&sender->receiver, 1);
        sender->forward = forward_free(sender->forward);
        wait_for(&sender->done);
        assert_true(sender->error < 0);
        receiver_await_over(&sender->receiver, 1);
        assert_int_equal(sender->receiver.n_complete, 0);
}

TEST(a_small_value_takes_no_more_memory_than_its_size) {
        Sender *sender = *state;

        sender->budget.max = 40000;
        sender->receiver.mode = RECEIVER_STALLS;
        start(sender, 40000);
        assert_int_equal(sender->budget.used, 40000);
        sender->forward = forward_free(sender->forward);
        wait_for(&sender->done);
}

TEST(the_memory_of_all_forwards_has_a_limit) {
        Sender *sender = *state;
        Forward *forwards[4], *other;

        sender->receiver.mode = RECEIVER_STALLS;
        for (size_t i = 0; i < ELEMENTSOF(forwards); i++)
                assert_ok(start_to(sender, sender->receiver.authority, MIB + 1, forwards + i));
        assert_int_equal(sender->budget.used, sender->budget.max);
        assert_int_equal(start_to(sender, sender->receiver.authority, MIB + 1, &other), -EAGAIN);
        assert_int_equal(sender->budget.used, sender->budget.max);

        for (size_t i = 0; i < ELEMENTSOF(forwards); i++)
                (void) forward_free(forwards[i]);
        for (size_t i = 0; i < ELEMENTSOF(forwards); i++)
                wait_for(&sender->done);
        assert_int_equal(sender->n_done, ELEMENTSOF(forwards)); /* none for the one refused */
}

TEST(the_end_of_the_client_ends_what_is_under_way) {
        Sender *sender = *state;

        sender->receiver.mode = RECEIVER_STALLS;
        start(sender, 100);
        write_all(sender, (const uint8_t *) "some", 4);
        receiver_await_begun(&sender->receiver, 1);
        sender->ends.client = http_client_free(sender->ends.client);
        assert_int_equal(sender->n_done, 1);
        assert_int_equal(sender->error, -ESHUTDOWN);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                RUN(a_value_arrives_as_it_was_sent),
                RUN(the_receiver_knows_the_key_and_what_belongs_to_the_value),
                RUN(the_receiver_gets_a_ticket_of_its_own),
                RUN(whatever_is_not_a_copy_is_an_error),
                RUN(an_answer_that_breaks_off_is_none),
                RUN(nobody_at_the_address_is_an_error),
                RUN(a_forward_that_has_failed_takes_everything),
                RUN(a_slow_receiver_holds_the_sender_back),
                RUN(a_sender_that_gives_up_leaves_nothing_complete),
                RUN(half_a_value_without_a_length_is_not_taken_for_a_whole_one),
                RUN(a_small_value_takes_no_more_memory_than_its_size),
                RUN(the_memory_of_all_forwards_has_a_limit),
                RUN(the_end_of_the_client_ends_what_is_under_way),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
