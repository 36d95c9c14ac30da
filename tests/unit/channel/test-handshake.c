/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <string.h>

#include "base/file.h"
#include "channel/handshake.h"

/* These and the keys were computed by tests/integration/support/channel.py. */
#define OFFER \
        "010100000000000000000000000102030405060708090a0b0c0d0e0f00000000000000000000000000000000" \
        "00000000000000000000000007000000101112131415161718191a1b1c1d1e1f887766554433221100010203" \
        "0405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1fa4a21a6c3d9972020164a2ed5a736894"
#define ACCEPTANCE \
        "010100000001000000000001000102030405060708090a0b0c0d0e0f07000000101112131415161718191a1b" \
        "1c1d1e1f887766554433221100000000000000000000000000000000000000000000000000000000" \
        "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3fd33bb4bd2addba0d3b7c27ce" \
        "d537e204"
#define CALLER_KEY   "69b326f09f7d692b95fbed0c85fae9df"
#define RECEIVER_KEY "9ae82b0392d317eeafde027df35c4c4b"

static const char secret[] = "a secret of thirty-two bytes ...";

static Signer *signer;
static Handshake offer, acceptance;

static int setup(void **state) {
        const StoreIdentity volume = {
                .number = 7,
                .uuid = { 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31 },
                .run = 0x1122334455667788,
        };

        offer = (Handshake){ .purpose = 1, .to = volume };
        acceptance = (Handshake){ .purpose = 1, .from = volume };
        acceptance.calls_max = 256;
        acceptance.bytes_max = 16 * MIB;
        for (uint8_t i = 0; i < CLUSTER_ID_SIZE; i++)
                offer.cluster[i] = acceptance.cluster[i] = i;
        for (uint8_t i = 0; i < HANDSHAKE_NONCE_SIZE; i++) {
                offer.nonce[i] = i;
                acceptance.nonce[i] = (uint8_t) (HANDSHAKE_NONCE_SIZE + i);
        }
        return signer_new(secret, strlen(secret), &signer);
}

static int teardown(void **state) {
        signer = signer_free(signer);
        return 0;
}

static void assert_equal(const Handshake *a, const Handshake *b) {
        assert_int_equal(a->purpose, b->purpose);
        assert_int_equal(a->calls_max, b->calls_max);
        assert_int_equal(a->bytes_max, b->bytes_max);
        assert_memory_equal(a->cluster, b->cluster, sizeof(a->cluster));
        assert_true(store_identity_equal(&a->from, &b->from) && a->from.run == b->from.run);
        assert_true(store_identity_equal(&a->to, &b->to) && a->to.run == b->to.run);
        assert_memory_equal(a->nonce, b->nonce, sizeof(a->nonce));
}

TEST(texts_are_those_that_were_computed_elsewhere) {
        char text[HANDSHAKE_TEXT_SIZE];

        assert_ok(handshake_offer(&offer, signer, text));
        assert_string_equal(text, OFFER);
        assert_ok(handshake_accept(&acceptance, OFFER, signer, text));
        assert_string_equal(text, ACCEPTANCE);
}

TEST(keys_are_those_that_were_computed_elsewhere) {
        char hex[2 * SESSION_KEY_SIZE + 1] = "";
        SessionKeys keys;

        assert_ok(handshake_keys(OFFER, ACCEPTANCE, signer, &keys));
        format_hex(keys.caller, sizeof(keys.caller), hex);
        assert_string_equal(hex, CALLER_KEY);
        format_hex(keys.receiver, sizeof(keys.receiver), hex);
        assert_string_equal(hex, RECEIVER_KEY);
}

TEST(what_was_said_is_read) {
        Handshake read;

        assert_ok(handshake_read_offer(OFFER, signer, &read));
        assert_equal(&read, &offer);
        assert_ok(handshake_read_acceptance(ACCEPTANCE, OFFER, signer, &read));
        assert_equal(&read, &acceptance);
}

TEST(a_text_with_another_digit_is_refused) {
        Handshake read;

        for (size_t i = 0; i < strlen(OFFER); i++) {
                char text[] = OFFER, other[] = ACCEPTANCE;

                text[i] = text[i] == '0' ? '1' : '0';
                assert_int_equal(
                                handshake_read_offer(text, signer, &read),
                                i < 2 ? -EPROTO : -EACCES);
                other[i] = other[i] == '0' ? '1' : '0';
                assert_int_equal(
                                handshake_read_acceptance(other, OFFER, signer, &read),
                                i < 2 ? -EPROTO : -EACCES);

                /* An acceptance is for one offer. */
                assert_int_equal(
                                handshake_read_acceptance(ACCEPTANCE, text, signer, &read),
                                -EACCES);
        }
}

TEST(a_text_of_another_length_is_refused) {
        Handshake read;

        assert_int_equal(handshake_read_offer(NULL, signer, &read), -EACCES);
        for (size_t i = 0; i < strlen(OFFER); i++) {
                char text[sizeof(OFFER)] = "";

                memcpy(text, OFFER, i);
                assert_int_equal(handshake_read_offer(text, signer, &read), -EACCES);
        }
        assert_int_equal(handshake_read_offer(OFFER "0", signer, &read), -EACCES);
        assert_int_equal(handshake_read_offer(OFFER "00", signer, &read), -EACCES);
}

TEST(an_offer_is_no_acceptance) {
        Handshake read;

        assert_int_equal(handshake_read_acceptance(OFFER, OFFER, signer, &read), -EACCES);
        assert_int_equal(handshake_read_acceptance(OFFER, "", signer, &read), -EACCES);
        assert_int_equal(handshake_read_offer(ACCEPTANCE, signer, &read), -EACCES);
}

TEST(another_secret_is_refused) {
        Signer *other;
        Handshake read;

        assert_ok(signer_new("another secret of this cluster", 30, &other));
        assert_int_equal(handshake_read_offer(OFFER, other, &read), -EACCES);
        assert_int_equal(handshake_read_acceptance(ACCEPTANCE, OFFER, other, &read), -EACCES);
        (void) signer_free(other);
}

TEST(keys_depend_on_each_digit_of_both_texts) {
        SessionKeys keys, others;

        assert_ok(handshake_keys(OFFER, ACCEPTANCE, signer, &keys));
        assert_memory_not_equal(keys.caller, keys.receiver, sizeof(keys.caller));
        for (size_t i = 0; i < strlen(OFFER); i++) {
                char text[] = OFFER, other[] = ACCEPTANCE;

                text[i] ^= 1;
                assert_ok(handshake_keys(text, ACCEPTANCE, signer, &others));
                assert_memory_not_equal(keys.caller, others.caller, sizeof(keys.caller));
                assert_memory_not_equal(keys.receiver, others.receiver, sizeof(keys.receiver));
                other[i] ^= 1;
                assert_ok(handshake_keys(OFFER, other, signer, &others));
                assert_memory_not_equal(keys.caller, others.caller, sizeof(keys.caller));
                assert_memory_not_equal(keys.receiver, others.receiver, sizeof(keys.receiver));
        }
}

TEST(who_answers_must_be_who_was_called) {
        acceptance.to = offer.from;
        assert_ok(handshake_match(&offer, &acceptance));

#define ASSERT_REFUSED(change) \
        do { \
                Handshake saved = acceptance; \
\
                acceptance.change; \
                assert_int_equal(handshake_match(&offer, &acceptance), -EREMOTE); \
                acceptance = saved; \
        } while (false)

        ASSERT_REFUSED(purpose++);
        ASSERT_REFUSED(cluster[3]++);
        ASSERT_REFUSED(from.number++);
        ASSERT_REFUSED(from.uuid[15]++);
        ASSERT_REFUSED(from.run++);
        ASSERT_REFUSED(to.number++);
        ASSERT_REFUSED(to.uuid[0]++);
        ASSERT_REFUSED(to.run++);
#undef ASSERT_REFUSED
}

TEST(any_run_may_be_called_and_a_store_may_be_in_no_cluster) {
        static const uint8_t none[CLUSTER_ID_SIZE];

        acceptance.to = offer.from;
        offer.to.run = 0;
        assert_ok(handshake_match(&offer, &acceptance));
        memcpy(acceptance.cluster, none, sizeof(none));
        assert_ok(handshake_match(&offer, &acceptance));
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                RUN(texts_are_those_that_were_computed_elsewhere),
                RUN(keys_are_those_that_were_computed_elsewhere),
                RUN(what_was_said_is_read),
                RUN(a_text_with_another_digit_is_refused),
                RUN(a_text_of_another_length_is_refused),
                RUN(an_offer_is_no_acceptance),
                RUN(another_secret_is_refused),
                RUN(keys_depend_on_each_digit_of_both_texts),
                RUN(who_answers_must_be_who_was_called),
                RUN(any_run_may_be_called_and_a_store_may_be_in_no_cluster),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
