/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <string.h>

#include "base/file.h"
#include "core/call/signer.h"

static const char secret[] = "a secret of thirty-two bytes ...";

static Signer *signer;

static int setup(void **state) {
        return signer_new(secret, strlen(secret), &signer);
}

static int teardown(void **state) {
        signer = signer_free(signer);
        return 0;
}

static void sign(Signer *by, const char *text, uint8_t ret[static SIGNER_TAG_SIZE]) {
        buffer_put(signer_message(by), text, strlen(text));
        assert_ok(signer_sign(by, ret));
}

static void assert_hex(const uint8_t *bytes, size_t size, const char *expected) {
        char text[2 * SIGNER_DIGEST_SIZE + 1];

        format_hex(bytes, size, text);
        text[2 * size] = '\0';
        assert_string_equal(text, expected);
}

/* RFC 4231, test case 5: the tag that is cut to 128 bits. */
TEST(a_tag_is_the_hmac_of_the_rfc) {
        uint8_t key[20], tag[SIGNER_TAG_SIZE];
        Signer *other;

        memset(key, 0x0c, sizeof(key));
        assert_ok(signer_new(key, sizeof(key), &other));
        sign(other, "Test With Truncation", tag);
        assert_hex(tag, sizeof(tag), "a3b6167473100ee06e0c796c2955552b");
        (void) signer_free(other);
}

TEST(a_short_secret_is_refused) {
        Signer *other;

        assert_int_equal(signer_new("", 0, &other), -EINVAL);
        assert_int_equal(signer_new(secret, SECRET_MIN - 1, &other), -EINVAL);
        assert_ok(signer_new(secret, SECRET_MIN, &other));
        (void) signer_free(other);
}

TEST(each_message_begins_empty) {
        uint8_t first[SIGNER_TAG_SIZE], again[SIGNER_TAG_SIZE], other[SIGNER_TAG_SIZE];

        sign(signer, "one", first);
        sign(signer, "two", other);
        sign(signer, "one", again);
        assert_true(signer_tag_equal(first, again));
        assert_false(signer_tag_equal(first, other));

        buffer_put(signer_message(signer), "left", 4);
        sign(signer, "one", again);
        assert_true(signer_tag_equal(first, again));
}

TEST(a_tag_depends_on_each_byte_of_the_secret) {
        uint8_t tag[SIGNER_TAG_SIZE], other_tag[SIGNER_TAG_SIZE];

        sign(signer, "text", tag);
        for (size_t i = 0; i < strlen(secret); i++) {
                char changed[sizeof(secret)];
                Signer *other;

                memcpy(changed, secret, sizeof(secret));
                changed[i] ^= 1;
                assert_ok(signer_new(changed, strlen(secret), &other));
                sign(other, "text", other_tag);
                assert_false(signer_tag_equal(tag, other_tag));
                (void) signer_free(other);
        }
}

TEST(tags_that_differ_in_a_bit_are_not_equal) {
        uint8_t tag[SIGNER_TAG_SIZE], other[SIGNER_TAG_SIZE];

        sign(signer, "text", tag);
        for (size_t i = 0; i < 8 * SIGNER_TAG_SIZE; i++) {
                memcpy(other, tag, sizeof(tag));
                other[i / 8] ^= 1 << i % 8;
                assert_false(signer_tag_equal(tag, other));
        }
}

/* Nobody may get a tag for the half of a message that there was memory for. */
TEST(a_message_that_is_not_whole_is_not_signed) {
        uint8_t tag[SIGNER_TAG_SIZE] = {}, nothing[SIGNER_TAG_SIZE] = {};
        Buffer *message = signer_message(signer);

        buffer_put(message, "text", 4);
        message->error = -ENOMEM;
        assert_int_equal(signer_sign(signer, tag), -ENOMEM);
        assert_memory_equal(tag, nothing, sizeof(tag));

        sign(signer, "text", tag); /* the next one may be whole */
}

TEST(a_digest_is_the_sha_256_of_the_data_alone) {
        uint8_t digest[SIGNER_DIGEST_SIZE];
        const char *empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

        assert_ok(signer_digest(signer, "abc", 3, digest));
        assert_hex(digest, sizeof(digest),
                   "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_ok(signer_digest(signer, NULL, 0, digest));
        assert_hex(digest, sizeof(digest), empty);
}

/* A signature is made of the digest of a body, taken while the rest is in the message already. */
TEST(a_digest_leaves_the_message_alone) {
        uint8_t tag[SIGNER_TAG_SIZE], expected[SIGNER_TAG_SIZE], digest[SIGNER_DIGEST_SIZE];
        Buffer *message;

        sign(signer, "head and tail", expected);
        message = signer_message(signer);
        buffer_put(message, "head", 4);
        assert_ok(signer_digest(signer, "body", 4, digest));
        buffer_put(message, " and tail", 9);
        assert_ok(signer_sign(signer, tag));
        assert_true(signer_tag_equal(tag, expected));
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                RUN(a_tag_is_the_hmac_of_the_rfc),
                RUN(a_short_secret_is_refused),
                RUN(each_message_begins_empty),
                RUN(a_tag_depends_on_each_byte_of_the_secret),
                RUN(tags_that_differ_in_a_bit_are_not_equal),
                RUN(a_message_that_is_not_whole_is_not_signed),
                RUN(a_digest_is_the_sha_256_of_the_data_alone),
                RUN(a_digest_leaves_the_message_alone),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
