/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Signer: the cluster's secret with its key schedule, for tickets and signatures; each thread has
 * its own, since signing uses scratch state in it. */

#include "base/buffer.h"
#include "base/macro.h"

typedef struct Signer Signer;

#define SECRET_MIN 16

/* Returns 0, -EINVAL for a secret shorter than SECRET_MIN bytes, or -ENOMEM. */
int signer_new(const void *secret, size_t size, Signer **ret);
Signer *signer_free(Signer *signer);
DEFINE_CLEANUP(Signer *, signer_free);

/* The first byte of what is signed. It keeps the tag of a ticket from being valid for a signature.
 */
enum {
        SIGNER_TICKET = 'T',
        SIGNER_SIGNATURE = 'S',
        SIGNER_CHANNEL = 'C',
};

/* HMAC-SHA256, cut to 128 bits (RFC 2104, section 5). */
#define SIGNER_TAG_SIZE ((size_t) 16)

/* Returns an empty buffer for a message to sign, valid until the next call. */
Buffer *signer_message(Signer *signer);

/* Signs what has been put into the message. Returns 0, -ENOMEM, or -EIO. */
int signer_sign(Signer *signer, uint8_t ret_tag[static SIGNER_TAG_SIZE]);

/* Compares in a time that does not depend on the tags. */
bool signer_tag_equal(
                const uint8_t a[static SIGNER_TAG_SIZE], const uint8_t b[static SIGNER_TAG_SIZE]);

/* Computes SHA-256, without the secret. */
#define SIGNER_DIGEST_SIZE ((size_t) 32)
int signer_digest(
                Signer *signer,
                const void *data,
                size_t size,
                uint8_t ret_digest[static SIGNER_DIGEST_SIZE]);
