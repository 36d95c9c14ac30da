/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "rpc/secret.h"

struct Secret {
        void *data;
        size_t size;
        pthread_key_t signers;
        bool has_signers;
};

static void signer_destroy(void *signer) {
        (void) signer_free(signer);
}

int secret_new(const void *data, size_t size, Secret **ret) {
        _cleanup_(secret_freep) Secret *secret = NULL;
        int r;

        assert(data);
        assert(ret);

        if (size < SECRET_MIN)
                return -EINVAL;

        secret = calloc(1, sizeof(*secret));
        if (!secret)
                return -ENOMEM;

        secret->data = malloc(size);
        if (!secret->data)
                return -ENOMEM;
        memcpy(secret->data, data, size);
        secret->size = size;

        r = pthread_key_create(&secret->signers, signer_destroy);
        if (r != 0)
                return -r;
        secret->has_signers = true;

        *ret = TAKE_PTR(secret);
        return 0;
}

Secret *secret_free(Secret *secret) {
        if (!secret)
                return NULL;

        if (secret->has_signers) {
                (void) signer_free(pthread_getspecific(secret->signers));
                (void) pthread_key_delete(secret->signers);
        }
        if (secret->data)
                explicit_bzero(secret->data, secret->size);
        free(secret->data);
        free(secret);
        return NULL;
}

Signer *secret_signer(Secret *secret) {
        Signer *signer = pthread_getspecific(secret->signers);

        if (signer)
                return signer;

        if (signer_new(secret->data, secret->size, &signer) < 0)
                return NULL;
        if (pthread_setspecific(secret->signers, signer) != 0)
                return signer_free(signer);

        return signer;
}
