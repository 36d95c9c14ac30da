/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "rpc/secret.h"

#define TEXT "0123456789abcdef"

static void sign(Signer *signer, uint8_t ret[static SIGNER_TAG_SIZE]) {
        Buffer *message = signer_message(signer);

        buffer_put(message, "message", 7);
        assert_ok(signer_sign(signer, ret));
}

TEST(a_short_secret_is_none) {
        Secret *secret;

        assert_int_equal(secret_new(TEXT, SECRET_MIN - 1, &secret), -EINVAL);
        assert_int_equal(secret_new("", 0, &secret), -EINVAL);
        assert_int_equal(secret_new(TEXT, SECRET_MIN, &secret), 0);
        assert_null(secret_free(secret));
        assert_null(secret_free(NULL));
}

TEST(a_thread_has_one_signer) {
        _cleanup_(secret_freep) Secret *secret = NULL;
        Signer *signer;

        assert_ok(secret_new(TEXT, strlen(TEXT), &secret));
        signer = secret_signer(secret);
        assert_non_null(signer);
        assert_ptr_equal(secret_signer(secret), signer);
}

TEST(the_secret_is_a_copy) {
        _cleanup_(secret_freep) Secret *secret = NULL, *same = NULL;
        uint8_t tag[SIGNER_TAG_SIZE], same_tag[SIGNER_TAG_SIZE];
        char text[] = TEXT;

        assert_ok(secret_new(text, strlen(text), &secret));
        memset(text, 'x', sizeof(text));
        assert_ok(secret_new(TEXT, strlen(TEXT), &same));
        sign(secret_signer(secret), tag);
        sign(secret_signer(same), same_tag);
        assert_memory_equal(tag, same_tag, sizeof(tag));
}

TEST(two_secrets_sign_differently) {
        _cleanup_(secret_freep) Secret *secret = NULL, *other = NULL;
        uint8_t tag[SIGNER_TAG_SIZE], other_tag[SIGNER_TAG_SIZE];

        assert_ok(secret_new(TEXT, strlen(TEXT), &secret));
        assert_ok(secret_new("0123456789abcdeF", strlen(TEXT), &other));
        sign(secret_signer(secret), tag);
        sign(secret_signer(other), other_tag);
        assert_memory_not_equal(tag, other_tag, sizeof(tag));
}

typedef struct Thread {
        pthread_t thread;
        Secret *secret;
        Signer *signer;
        uint8_t tag[SIGNER_TAG_SIZE];
} Thread;

static void *run(void *userdata) {
        Thread *thread = userdata;

        thread->signer = secret_signer(thread->secret);
        for (unsigned i = 0; i < 100; i++)
                sign(thread->signer, thread->tag);
        return NULL;
}

TEST(threads_sign_alike_with_signers_of_their_own) {
        _cleanup_(secret_freep) Secret *secret = NULL;
        uint8_t tag[SIGNER_TAG_SIZE];
        Thread threads[4];

        assert_ok(secret_new(TEXT, strlen(TEXT), &secret));
        sign(secret_signer(secret), tag);
        for (size_t i = 0; i < ELEMENTSOF(threads); i++) {
                threads[i] = (Thread){ .secret = secret };
                assert_int_equal(pthread_create(&threads[i].thread, NULL, run, threads + i), 0);
        }
        for (size_t i = 0; i < ELEMENTSOF(threads); i++) {
                assert_int_equal(pthread_join(threads[i].thread, NULL), 0);
                assert_ptr_not_equal(threads[i].signer, secret_signer(secret));
                assert_memory_equal(threads[i].tag, tag, sizeof(tag));
        }
}

int main(void) {
#define RUN(test) cmocka_unit_test(test)
        const struct CMUnitTest tests[] = {
                RUN(a_short_secret_is_none),
                RUN(a_thread_has_one_signer),
                RUN(the_secret_is_a_copy),
                RUN(two_secrets_sign_differently),
                RUN(threads_sign_alike_with_signers_of_their_own),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
