/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <string.h>

#include "core/call/signer.h"

struct Signer {
        gnutls_hmac_hd_t hmac; /* owned */
        gnutls_hash_hd_t hash; /* owned */
        Buffer message;        /* scratch: what is being signed */
};

int signer_new(const void *secret, size_t size, Signer **ret) {
        _cleanup_(signer_freep) Signer *signer = NULL;

        assert(secret);
        assert(ret);

        if (size < SECRET_MIN)
                return -EINVAL;

        signer = malloc(sizeof(*signer));
        if (!signer)
                return -ENOMEM;

        *signer = (Signer){};

        if (gnutls_hmac_init(&signer->hmac, GNUTLS_MAC_SHA256, secret, size) < 0 ||
            gnutls_hash_init(&signer->hash, GNUTLS_DIG_SHA256) < 0)
                return -ENOMEM;

        *ret = TAKE_PTR(signer);
        return 0;
}

Signer *signer_free(Signer *signer) {
        if (!signer)
                return NULL;

        if (signer->hmac)
                gnutls_hmac_deinit(signer->hmac, NULL);
        if (signer->hash)
                gnutls_hash_deinit(signer->hash, NULL);
        buffer_done(&signer->message);
        free(signer);
        return NULL;
}

Buffer *signer_message(Signer *signer) {
        buffer_clear(&signer->message);
        return &signer->message;
}

int signer_sign(Signer *signer, uint8_t ret_tag[static SIGNER_TAG_SIZE]) {
        uint8_t digest[32];
        int r;

        r = buffer_error(&signer->message);
        if (r < 0)
                return r;

        r = gnutls_hmac(signer->hmac, signer->message.data, signer->message.size);

        /* Called even after a failure, because this makes the handle ready for the next message. */
        gnutls_hmac_output(signer->hmac, digest);
        if (r < 0)
                return -EIO;

        memcpy(ret_tag, digest, SIGNER_TAG_SIZE);
        return 0;
}

bool signer_tag_equal(
                const uint8_t a[static SIGNER_TAG_SIZE], const uint8_t b[static SIGNER_TAG_SIZE]) {
        return gnutls_memcmp(a, b, SIGNER_TAG_SIZE) == 0;
}

int signer_digest(
                Signer *signer,
                const void *data,
                size_t size,
                uint8_t ret_digest[static SIGNER_DIGEST_SIZE]) {
        int r = 0;

        if (size > 0)
                r = gnutls_hash(signer->hash, data, size);
        gnutls_hash_output(signer->hash, ret_digest); /* as above */
        return r < 0 ? -EIO : 0;
}
