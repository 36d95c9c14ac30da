/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "base/file.h"
#include "channel/handshake.h"
#include "fuzz.h"

#define SECRET "a secret of thirty-two bytes ..."

static Signer *signer;

/* What DATA says as an offer or, with one, its acceptance, signed as its sender would. */
static void sign(const uint8_t *data, size_t size, const char *offer, char *ret) {
        Buffer *message = signer_message(signer);
        uint8_t tag[SIGNER_TAG_SIZE];

        buffer_put_u8(message, SIGNER_CHANNEL);
        buffer_put_u8(message, *offer ? 'A' : 'O');
        buffer_put_string(message, offer);
        buffer_put_bytes(message, data, size);
        assert(signer_sign(signer, tag) >= 0);
        format_hex(data, size, ret);
        format_hex(tag, sizeof(tag), ret + 2 * size);
        ret[2 * (size + sizeof(tag))] = '\0';
}

/* What was understood is what would be said. */
static void check(const Handshake *read, const char *text, const char *offer) {
        char again[HANDSHAKE_TEXT_SIZE];

        if (*offer)
                assert(handshake_accept(read, offer, signer, again) >= 0);
        else
                assert(handshake_offer(read, signer, again) >= 0);
        assert(strcmp(text, again) == 0);
}

static void read_both(const char *text, const char *offer) {
        Handshake read;
        int r;

        r = *offer ? handshake_read_acceptance(text, offer, signer, &read)
                   : handshake_read_offer(text, signer, &read);
        assert(r == 0 || r == -EPROTO || r == -EACCES);
        if (r == 0) {
                SessionKeys keys;

                assert(handshake_keys(offer, text, signer, &keys) >= 0);
                assert(memcmp(keys.caller, keys.receiver, sizeof(keys.caller)) != 0);
                check(&read, text, offer);
                assert(handshake_match(&read, &read) == 0 || read.from.number != read.to.number ||
                       memcmp(read.from.uuid, read.to.uuid, sizeof(Uuid)) != 0 ||
                       read.from.run != read.to.run);
        }
}

/* As it comes, and with the right signature. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *text = fuzz_string(data, size), *signed_text = NULL;

        if (!signer)
                assert(signer_new(SECRET, strlen(SECRET), &signer) >= 0);

        signed_text = malloc(2 * (size + SIGNER_TAG_SIZE) + 1);
        assert(signed_text);
        read_both(text, "");
        read_both(text, "an offer");
        sign(data, size, "", signed_text);
        read_both(signed_text, "");
        sign(data, size, "an offer", signed_text);
        read_both(signed_text, "an offer");
        return 0;
}
