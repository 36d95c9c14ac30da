/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "core/call/signature.h"
#include "core/placement/cluster.h"

#define FORM         "5."
#define TAG_HEX_SIZE (2 * SIGNER_TAG_SIZE)

/* TEXT is the signature without its tag. */
static int sign(Signer *signer,
                const char *method,
                const char *target,
                const char *text,
                size_t text_size,
                uint8_t ret_tag[static SIGNER_TAG_SIZE]) {
        Buffer *message = signer_message(signer);

        buffer_put_u8(message, SIGNER_SIGNATURE);
        buffer_put_string(message, method);
        buffer_put_string(message, target);
        buffer_put_bytes(message, text, text_size);
        return signer_sign(signer, ret_tag);
}

static char *put_number(char *p, uint64_t value) {
        return p + sprintf(p, "%" PRIx64 ".", value);
}

static char *put_hex(char *p, const void *data, size_t size, char end) {
        format_hex(data, size, p);
        p += 2 * size;
        *p++ = end;
        return p;
}

static char *put_store(char *p, const StoreIdentity *store) {
        p = put_number(p, store->number);
        p[-1] = '-';
        p = put_hex(p, store->uuid, sizeof(store->uuid), '-');
        return put_number(p, store->run);
}

int signature_format(
                const char *method,
                const char *target,
                const Parties *parties,
                const void *body,
                size_t body_size,
                uint64_t expiry_sec,
                Signer *signer,
                char ret[static SIGNATURE_SIZE]) {
        uint8_t digest[SIGNER_DIGEST_SIZE], tag[SIGNER_TAG_SIZE];
        char *p = ret;
        int r;

        assert(method);
        assert(target);
        assert(parties);
        assert(body || body_size == 0);
        assert(signer);

        r = signer_digest(signer, body, body_size, digest);
        if (r < 0)
                return r;

        p = stpcpy(p, FORM);
        p = put_number(p, expiry_sec);
        p = put_hex(p, parties->lead.cluster, sizeof(parties->lead.cluster), '.');
        p = put_number(p, parties->lead.term);
        p = put_number(p, parties->lead.leader);
        p = put_store(p, &parties->from);
        p = put_store(p, &parties->to);
        p = put_number(p, parties->sequence);
        p = put_number(p, parties->revision);
        p = put_hex(p, digest, sizeof(digest), '.');

        r = sign(signer, method, target, ret, (size_t) (p - ret), tag);
        if (r < 0)
                return r;
        (void) put_hex(p, tag, sizeof(tag), '\0');
        return 0;
}

/* Takes the next field, which ends in END. */
static const char *get_field(const char **text, char end, size_t *ret_size) {
        const char *field = *text, *p = strchr(field, end);

        if (!p)
                return NULL;
        *ret_size = (size_t) (p - field);
        *text = p + 1;
        return field;
}

static int get_number(const char **text, char end, uint64_t max, uint64_t *ret) {
        size_t size;
        const char *field = get_field(text, end, &size);
        uint64_t value = 0;

        if (!field || size < 1 || size > 16)
                return -EACCES;
        for (size_t i = 0; i < size; i++) {
                const char *digits = "0123456789abcdef", *digit = strchr(digits, field[i]);

                if (!digit)
                        return -EACCES;
                value = value << 4 | (uint64_t) (digit - digits);
        }
        if (value > max)
                return -EACCES;

        *ret = value;
        return 0;
}

static int get_hex(const char **text, char end, void *ret, size_t size) {
        size_t field_size;
        const char *field = get_field(text, end, &field_size);

        return field && parse_hex(field, field_size, ret, size) >= 0 ? 0 : -EACCES;
}

static int get_store(const char **text, StoreIdentity *ret) {
        uint64_t number = 0;
        int r;

        r = get_number(text, '-', VOLUME_MAX, &number);
        r = r < 0 ? r : get_hex(text, '-', ret->uuid, sizeof(ret->uuid));
        r = r < 0 ? r : get_number(text, '.', UINT64_MAX, &ret->run);
        ret->number = (uint32_t) number;
        return r;
}

static int parse(const char *text, Signature *ret) {
        Parties *parties = &ret->parties;
        Leadership *lead = &parties->lead;
        int r;

        text += strlen(FORM);
        r = get_number(&text, '.', UINT64_MAX, &ret->expiry_sec);
        r = r < 0 ? r : get_hex(&text, '.', lead->cluster, sizeof(lead->cluster));
        r = r < 0 ? r : get_number(&text, '.', UINT64_MAX, &lead->term);
        r = r < 0 ? r : get_number(&text, '.', UINT64_MAX, &lead->leader);
        r = r < 0 ? r : get_store(&text, &parties->from);
        r = r < 0 ? r : get_store(&text, &parties->to);
        r = r < 0 ? r : get_number(&text, '.', UINT64_MAX, &parties->sequence);
        r = r < 0 ? r : get_number(&text, '.', UINT64_MAX, &parties->revision);
        return r < 0 ? r : get_hex(&text, '.', ret->digest, sizeof(ret->digest));
}

/* Earlier releases sent "EXPIRY.TAG"; later ones will begin with another number. */
static bool has_other_form(const char *text) {
        const char *dot = strchr(text, '.');

        if (!dot || dot == text || strspn(text, "0123456789abcdef") != (size_t) (dot - text))
                return false;
        return !strchr(dot + 1, '.') ? strlen(dot + 1) == TAG_HEX_SIZE
                                     : dot - text <= 2 && strncmp(text, FORM, strlen(FORM)) != 0;
}

int signature_check(
                const char *text,
                const char *method,
                const char *target,
                uint64_t now_sec,
                Signer *signer,
                Signature *ret) {
        uint8_t tag[SIGNER_TAG_SIZE], expected[SIGNER_TAG_SIZE];
        const char *dot = text ? strrchr(text, '.') : NULL;
        Signature signature;
        int r;

        assert(method);
        assert(target);
        assert(signer);
        assert(ret);

        if (!dot)
                return -EACCES;
        if (has_other_form(text))
                return -EPROTO;
        if (strncmp(text, FORM, strlen(FORM)) != 0 || strlen(text) >= SIGNATURE_SIZE ||
            parse_hex(dot + 1, strlen(dot + 1), tag, sizeof(tag)) < 0)
                return -EACCES;

        r = sign(signer, method, target, text, (size_t) (dot + 1 - text), expected);
        if (r < 0)
                return r;
        if (!signer_tag_equal(tag, expected))
                return -EACCES;

        r = parse(text, &signature);
        if (r < 0)
                return r;

        *ret = signature;
        return now_sec > signature.expiry_sec ? -ETIME : 0;
}

int signature_check_body(
                const Signature *signature, const void *body, size_t body_size, Signer *signer) {
        uint8_t digest[SIGNER_DIGEST_SIZE];
        int r;

        r = signer_digest(signer, body, body_size, digest);
        if (r < 0)
                return r;
        return memcmp(digest, signature->digest, sizeof(digest)) == 0 ? 0 : -EACCES;
}
