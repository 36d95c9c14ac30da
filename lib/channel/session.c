/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <string.h>

#include "channel/session.h"

#define NONCE_SIZE 12

typedef struct Direction {
        gnutls_hmac_hd_t mac; /* owned */
        uint64_t count;       /* of frames */
} Direction;

struct Session {
        Direction out, in;
};

static int session_new(
                const uint8_t out[static SESSION_KEY_SIZE],
                const uint8_t in[static SESSION_KEY_SIZE],
                Session **ret) {
        _cleanup_(session_freep) Session *session = malloc(sizeof(*session));

        if (!session)
                return -ENOMEM;

        *session = (Session){};
        if (gnutls_hmac_init(&session->out.mac, GNUTLS_MAC_AES_GMAC_128, out, SESSION_KEY_SIZE) <
                            0 ||
            gnutls_hmac_init(&session->in.mac, GNUTLS_MAC_AES_GMAC_128, in, SESSION_KEY_SIZE) < 0)
                return -ENOMEM;

        *ret = TAKE_PTR(session);
        return 0;
}

int session_new_caller(const SessionKeys *keys, Session **ret) {
        return session_new(keys->caller, keys->receiver, ret);
}

int session_new_receiver(const SessionKeys *keys, Session **ret) {
        return session_new(keys->receiver, keys->caller, ret);
}

Session *session_free(Session *session) {
        if (!session)
                return NULL;

        if (session->out.mac)
                gnutls_hmac_deinit(session->out.mac, NULL);
        if (session->in.mac)
                gnutls_hmac_deinit(session->in.mac, NULL);
        free(session);
        return NULL;
}

/* The number of the frame, big-endian, behind zeroes. */
static void next_nonce(Direction *direction, uint8_t ret[static NONCE_SIZE]) {
        uint64_t count = direction->count++;

        memset(ret, 0, NONCE_SIZE);
        for (size_t i = 0; i < sizeof(count); i++)
                ret[NONCE_SIZE - 1 - i] = (uint8_t) (count >> 8 * i);
}

static int make_tag(
                Direction *direction,
                const void *head,
                size_t head_size,
                const void *body,
                size_t body_size,
                uint8_t ret[static FRAME_TAG_SIZE]) {
        uint8_t nonce[NONCE_SIZE];
        int r;

        next_nonce(direction, nonce);
        gnutls_hmac_set_nonce(direction->mac, nonce, sizeof(nonce));
        r = gnutls_hmac(direction->mac, head, head_size);
        if (r >= 0 && body_size > 0)
                r = gnutls_hmac(direction->mac, body, body_size);

        /* Called even after a failure, because this makes the handle ready for the next frame. */
        gnutls_hmac_output(direction->mac, ret);
        return r < 0 ? -EIO : 0;
}

int session_seal(
                Session *session,
                const void *head,
                size_t head_size,
                const void *body,
                size_t body_size,
                uint8_t ret_tag[static FRAME_TAG_SIZE]) {
        assert(head_size % 16 == 0); /* of all pieces but the last, GMAC wants whole blocks */

        return make_tag(&session->out, head, head_size, body, body_size, ret_tag);
}

int session_check(Session *session, const Frame *frame) {
        uint8_t tag[FRAME_TAG_SIZE];
        int r;

        r = make_tag(&session->in, frame->head, FRAME_HEADER_SIZE, frame->payload,
                     frame->header.length, tag);
        if (r < 0)
                return r;
        return gnutls_memcmp(tag, frame->tag, sizeof(tag)) == 0 ? 0 : -EBADMSG;
}
