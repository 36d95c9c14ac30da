/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "base/buffer.h"
#include "base/file.h"
#include "channel/handshake.h"

#define FORM        1
#define SIGNED_SIZE (HANDSHAKE_SIZE - SIGNER_TAG_SIZE)

/* What a tag is for: the second byte of what is signed. */
typedef enum Part {
        PART_OFFER = 'O',
        PART_ACCEPTANCE = 'A',
        PART_CALLER_KEY = 'C',
        PART_RECEIVER_KEY = 'R',
} Part;

static void put_identity(Buffer *buffer, const StoreIdentity *identity) {
        buffer_put_u32(buffer, identity->number);
        buffer_put(buffer, identity->uuid, sizeof(identity->uuid));
        buffer_put_u64(buffer, identity->run);
}

static void get_identity(Reader *reader, StoreIdentity *ret) {
        const void *uuid;

        ret->number = reader_get_u32(reader);
        uuid = reader_get(reader, sizeof(ret->uuid));
        if (uuid)
                memcpy(ret->uuid, uuid, sizeof(ret->uuid));
        ret->run = reader_get_u64(reader);
}

static void encode(const Handshake *handshake, Buffer *ret) {
        buffer_put_u8(ret, FORM);
        buffer_put_u8(ret, handshake->purpose);
        buffer_put_u16(ret, 0);
        buffer_put_u32(ret, handshake->calls_max);
        buffer_put_u32(ret, handshake->bytes_max);
        buffer_put(ret, handshake->cluster, sizeof(handshake->cluster));
        put_identity(ret, &handshake->from);
        put_identity(ret, &handshake->to);
        buffer_put(ret, handshake->nonce, sizeof(handshake->nonce));
}

static int decode(const uint8_t data[static SIGNED_SIZE], Handshake *ret) {
        Reader reader = READER(data, SIGNED_SIZE);
        const void *cluster, *nonce;
        Handshake handshake = {};
        uint16_t zero;

        (void) reader_get_u8(&reader); /* the form was looked at */
        handshake.purpose = reader_get_u8(&reader);
        zero = reader_get_u16(&reader);
        handshake.calls_max = reader_get_u32(&reader);
        handshake.bytes_max = reader_get_u32(&reader);
        cluster = reader_get(&reader, sizeof(handshake.cluster));
        get_identity(&reader, &handshake.from);
        get_identity(&reader, &handshake.to);
        nonce = reader_get(&reader, sizeof(handshake.nonce));
        if (zero != 0 || reader_end(&reader) < 0)
                return -EACCES;

        memcpy(handshake.cluster, cluster, sizeof(handshake.cluster));
        memcpy(handshake.nonce, nonce, sizeof(handshake.nonce));
        *ret = handshake;
        return 0;
}

/* OTHER is the offer that an acceptance is for. */
static int sign(Signer *signer,
                Part part,
                const char *other,
                const void *data,
                size_t size,
                uint8_t ret[static SIGNER_TAG_SIZE]) {
        Buffer *message = signer_message(signer);

        buffer_put_u8(message, SIGNER_CHANNEL);
        buffer_put_u8(message, (uint8_t) part);
        buffer_put_string(message, other);
        buffer_put_bytes(message, data, size);
        return signer_sign(signer, ret);
}

static int format(
                const Handshake *handshake,
                Part part,
                const char *other,
                Signer *signer,
                char ret[static HANDSHAKE_TEXT_SIZE]) {
        _cleanup_(buffer_done) Buffer buffer = {};
        uint8_t tag[SIGNER_TAG_SIZE];
        int r;

        encode(handshake, &buffer);
        r = buffer_error(&buffer);
        if (r < 0)
                return r;
        r = sign(signer, part, other, buffer.data, buffer.size, tag);
        if (r < 0)
                return r;

        format_hex(buffer.data, buffer.size, ret);
        format_hex(tag, sizeof(tag), ret + 2 * SIGNED_SIZE);
        ret[HANDSHAKE_TEXT_SIZE - 1] = '\0';
        return 0;
}

static int parse(const char *text, Part part, const char *other, Signer *signer, Handshake *ret) {
        uint8_t data[HANDSHAKE_SIZE], tag[SIGNER_TAG_SIZE], form;
        int r;

        if (!text || strlen(text) < 2 || parse_hex(text, 2, &form, sizeof(form)) < 0)
                return -EACCES;
        if (form != FORM)
                return -EPROTO;
        if (parse_hex(text, strlen(text), data, sizeof(data)) < 0)
                return -EACCES;

        r = sign(signer, part, other, data, SIGNED_SIZE, tag);
        if (r < 0)
                return r;
        return signer_tag_equal(tag, data + SIGNED_SIZE) ? decode(data, ret) : -EACCES;
}

int handshake_offer(const Handshake *offer, Signer *signer, char ret[static HANDSHAKE_TEXT_SIZE]) {
        return format(offer, PART_OFFER, "", signer, ret);
}

int handshake_accept(
                const Handshake *acceptance,
                const char *offer,
                Signer *signer,
                char ret[static HANDSHAKE_TEXT_SIZE]) {
        return format(acceptance, PART_ACCEPTANCE, offer, signer, ret);
}

int handshake_read_offer(const char *text, Signer *signer, Handshake *ret) {
        return parse(text, PART_OFFER, "", signer, ret);
}

int handshake_read_acceptance(const char *text, const char *offer, Signer *signer, Handshake *ret) {
        return parse(text, PART_ACCEPTANCE, offer, signer, ret);
}

int handshake_match(const Handshake *offer, const Handshake *acceptance) {
        bool is_same_cluster = cluster_id_equal(offer->cluster, acceptance->cluster) ||
                               cluster_id_is_null(offer->cluster) ||
                               cluster_id_is_null(acceptance->cluster);
        bool is_right_run = offer->to.run == 0 || offer->to.run == acceptance->from.run;

        return offer->purpose == acceptance->purpose && is_same_cluster && is_right_run &&
                                               store_identity_equal(
                                                               &offer->to, &acceptance->from) &&
                                               store_identity_equal(
                                                               &offer->from, &acceptance->to) &&
                                               offer->from.run == acceptance->to.run
                               ? 0
                               : -EREMOTE;
}

int handshake_keys(const char *offer, const char *acceptance, Signer *signer, SessionKeys *ret) {
        SessionKeys keys;
        int r;

        r = sign(signer, PART_CALLER_KEY, offer, acceptance, strlen(acceptance), keys.caller);
        if (r < 0)
                return r;
        r = sign(signer, PART_RECEIVER_KEY, offer, acceptance, strlen(acceptance), keys.receiver);
        if (r < 0)
                return r;

        *ret = keys;
        return 0;
}
