/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/call/signature.h"
#include "core/placement/cluster.h"

#define NOW UINT64_C(1763690000)

static const char secret[] = "a secret of thirty-two bytes ...";

static const Parties parties = {
        .lead = { .cluster = "0123456789abcde", .term = 7, .leader = UINT64_MAX },
        .from = { .number = 0 },
        .to = { .number = VOLUME_MAX, .uuid = "fedcba987654321", .run = 0x1234 },
        .sequence = 4,
        .revision = 0xabcdef,
};

static Signer *signer;

static int setup(void **state) {
        return signer_new(secret, strlen(secret), &signer);
}

static int teardown(void **state) {
        signer = signer_free(signer);
        return 0;
}

static void
sign(const char *method, const char *target, const char *body, char ret[SIGNATURE_SIZE]) {
        assert_ok(signature_format(method, target, &parties, body, strlen(body), NOW, signer, ret));
}

static int check(const char *text, const char *method, const char *target, const char *body) {
        Signature signature;
        int r;

        r = signature_check(text, method, target, NOW, signer, &signature);
        if (r < 0)
                return r;
        assert_true(parties_equal(&signature.parties, &parties));
        return signature_check_body(&signature, body, strlen(body), signer);
}

/* Daemons of different releases have to understand each other, at least that they differ. */
TEST(form_is_known) {
        char text[SIGNATURE_SIZE];

        sign("POST", "/-/commit?x=1", "body", text);
        assert_string_equal(
                        text, "5.691fc610.30313233343536373839616263646500.7.ffffffffffffffff"
                              ".0-00000000000000000000000000000000-0"
                              ".ffff-66656463626139383736353433323100-1234.4.abcdef"
                              ".230d8358dc8e8890b4c58deeb62912ee2f20357ae92a5cc861b98e68fe31acb5"
                              ".79ee9670bff08860d5dab03d6517defe");
}

TEST(signature_covers_the_request) {
        char text[SIGNATURE_SIZE];

        sign("POST", "/a", "body", text);
        assert_ok(check(text, "POST", "/a", "body"));
        assert_int_equal(check(NULL, "POST", "/a", "body"), -EACCES);
        assert_int_equal(check("", "POST", "/a", "body"), -EACCES);
        assert_int_equal(check(".", "POST", "/a", "body"), -EACCES);
        assert_int_equal(check(text, "PUT", "/a", "body"), -EACCES);
        assert_int_equal(check(text, SIGNATURE_ANSWER, "/a", "body"), -EACCES);
        assert_int_equal(check(text, "POST", "/a?", "body"), -EACCES);
        assert_int_equal(check(text, "POST", "/a", "bodz"), -EACCES);
        assert_int_equal(check(text, "POST", "/a", ""), -EACCES);
        assert_int_equal(check(text, "POST", "/ab", "ody"), -EACCES);
        assert_int_equal(check(text, "POST/", "a", "body"), -EACCES);
}

TEST(altered_signature_is_refused) {
        char text[SIGNATURE_SIZE], altered[SIGNATURE_SIZE];

        sign("POST", "/a", "body", text);
        for (size_t i = 0; text[i]; i++) {
                memcpy(altered, text, sizeof(altered));
                for (int c = 0; c < 128; c++) {
                        if (c == text[i])
                                continue;
                        altered[i] = (char) c;
                        assert_in_set(check(altered, "POST", "/a", "body"),
                                      ((unsigned long[]){ (unsigned long) -EACCES,
                                                          (unsigned long) -EPROTO }),
                                      2);
                }
        }
}

TEST(signature_expires) {
        char text[SIGNATURE_SIZE];
        Signature signature;

        sign("GET", "/", "", text);
        assert_ok(signature_check(text, "GET", "/", NOW, signer, &signature));
        assert_true(signature.expiry_sec == NOW);
        assert_int_equal(signature_check(text, "GET", "/", NOW + 1, signer, &signature), -ETIME);

        assert_ok(signature_format("GET", "/", &parties, NULL, 0, UINT64_MAX, signer, text));
        assert_ok(signature_check(text, "GET", "/", NOW, signer, &signature));
}

TEST(longest_signature_fits) {
        Parties longest;
        Signature signature;
        char text[SIGNATURE_SIZE];

        memset(&longest, 0xff, sizeof(longest));
        longest.from.number = longest.to.number = VOLUME_MAX;
        assert_ok(signature_format("GET", "/", &longest, NULL, 0, UINT64_MAX, signer, text));
        assert_true(strlen(text) < SIGNATURE_SIZE);
        assert_ok(signature_check(text, "GET", "/", NOW, signer, &signature));
        assert_true(leadership_equal(&signature.parties.lead, &longest.lead));
        assert_true(store_identity_equal(&signature.parties.from, &longest.from));
        assert_true(signature.parties.to.run == UINT64_MAX);
}

/* An administrator who upgrades one machine at a time is told that, not that the secret is wrong.
 */
TEST(other_releases_are_told_from_strangers) {
        assert_int_equal(
                        check("691fc610.961e4e6bbb17ec7bda7de816f13dad2d", "POST", "/", ""),
                        -EPROTO);
        assert_int_equal(check("6.691fc610.what.else", "POST", "/", ""), -EPROTO);
        assert_int_equal(check("5.691fc610.what.else", "POST", "/", ""), -EACCES);
        assert_int_equal(check("x.y", "POST", "/", ""), -EACCES);
}

/* Each of them decides whether a call is carried out. */
TEST(each_of_the_parties_is_signed) {
        char text[SIGNATURE_SIZE], other[SIGNATURE_SIZE];
        Signature signature;

        sign("POST", "/a", "", text);
        for (size_t i = 0; i < sizeof(Parties); i++) {
                Parties changed = parties;

                ((uint8_t *) &changed)[i] ^= 1;
                if (parties_equal(&changed, &parties) || changed.from.number > VOLUME_MAX ||
                    changed.to.number > VOLUME_MAX)
                        continue; /* a byte between two fields */
                assert_ok(signature_format("POST", "/a", &changed, "", 0, NOW, signer, other));
                assert_string_not_equal(text, other);
                assert_ok(signature_check(other, "POST", "/a", NOW, signer, &signature));
                assert_true(parties_equal(&signature.parties, &changed));
                assert_false(parties_equal(&signature.parties, &parties));
        }
}

TEST(another_cluster_has_another_secret) {
        static const char others[] = "a secret of thirty-two bytes ,,,";
        char text[SIGNATURE_SIZE];
        Signature signature;
        Signer *stranger;

        sign("POST", "/a", "body", text);
        assert_ok(signer_new(others, strlen(others), &stranger));
        assert_int_equal(signature_check(text, "POST", "/a", NOW, stranger, &signature), -EACCES);
        (void) signer_free(stranger);
}

/* A header is as long as its sender likes. */
TEST(what_is_longer_than_any_signature_is_refused) {
        char text[SIGNATURE_SIZE], long_text[4 * SIGNATURE_SIZE];

        sign("POST", "/a", "", text);
        for (size_t i = 0; i < strlen(text); i += 7) {
                memcpy(long_text, text, i);
                memset(long_text + i, '0', 2 * SIGNATURE_SIZE);
                strcpy(long_text + i + 2 * SIGNATURE_SIZE, text + i);
                assert_true(check(long_text, "POST", "/a", "") < 0);
        }
        for (size_t size = 0; size < strlen(text); size++) {
                memcpy(long_text, text, size);
                long_text[size] = '\0';
                assert_true(check(long_text, "POST", "/a", "") < 0);
        }
}

/* The time is told to a caller whose clock is wrong, so that must not be answered to strangers. */
TEST(only_a_good_signature_is_late) {
        char text[SIGNATURE_SIZE];
        Signature signature;

        sign("POST", "/a", "", text);
        text[strlen(text) - 1] ^= 1;
        assert_int_equal(signature_check(text, "POST", "/a", NOW + 9, signer, &signature), -EACCES);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(form_is_known),
                cmocka_unit_test(signature_covers_the_request),
                cmocka_unit_test(altered_signature_is_refused),
                cmocka_unit_test(signature_expires),
                cmocka_unit_test(longest_signature_fits),
                cmocka_unit_test(other_releases_are_told_from_strangers),
                cmocka_unit_test(each_of_the_parties_is_signed),
                cmocka_unit_test(another_cluster_has_another_secret),
                cmocka_unit_test(what_is_longer_than_any_signature_is_refused),
                cmocka_unit_test(only_a_good_signature_is_late),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
