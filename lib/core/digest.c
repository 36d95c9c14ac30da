/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <gnutls/crypto.h>
#include <string.h>
#include <strings.h>

#include "core/digest.h"

#define DIGEST_SIZE_MAX 64

typedef struct Digest {
        gnutls_hash_hd_t hash;
        size_t size;
        uint8_t expected[DIGEST_SIZE_MAX];
} Digest;

struct Digests {
        size_t n;
        Digest digests[DIGESTS_MAX];
};

int digests_new(Digests **ret) {
        assert(ret);

        *ret = calloc(1, sizeof(**ret));
        return *ret ? 0 : -ENOMEM;
}

Digests *digests_free(Digests *digests) {
        if (!digests)
                return NULL;

        for (size_t i = 0; i < digests->n; i++)
                gnutls_hash_deinit(digests->digests[i].hash, NULL);
        free(digests);
        return NULL;
}

/* Returns the value of a digit of base64, or -1. */
static int base64_value(char c) {
        static const char digits[] =
                        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        const char *p = c != '\0' ? strchr(digits, c) : NULL;

        return p ? (int) (p - digits) : -1;
}

/* Decodes LENGTH characters into exactly SIZE bytes. Padding may be missing. */
static int base64_decode(const char *string, size_t length, uint8_t *ret, size_t size) {
        uint32_t bits = 0;
        size_t n_bits = 0, n = 0;

        while (length > 0 && string[length - 1] == '=')
                length--;
        if (length != (size * 8 + 5) / 6)
                return -EINVAL;

        for (size_t i = 0; i < length; i++) {
                int value = base64_value(string[i]);

                if (value < 0)
                        return -EINVAL;
                bits = bits << 6 | (uint32_t) value;
                n_bits += 6;
                if (n_bits >= 8) {
                        n_bits -= 8;
                        ret[n++] = (uint8_t) (bits >> n_bits);
                }
        }

        return n == size ? 0 : -EINVAL;
}

static int add(Digests *digests,
               gnutls_digest_algorithm_t algorithm,
               const char *base64,
               size_t length) {
        Digest *digest = digests->digests + digests->n;
        int r;

        if (digests->n == DIGESTS_MAX)
                return -EINVAL;

        digest->size = gnutls_hash_get_len(algorithm);
        r = base64_decode(base64, length, digest->expected, digest->size);
        if (r < 0)
                return r;
        if (gnutls_hash_init(&digest->hash, algorithm) < 0)
                return -ENOMEM;

        digests->n++;
        return 0;
}

int digests_add_md5(Digests *digests, const char *base64) {
        size_t length;

        assert(digests);
        assert(base64);

        base64 += strspn(base64, " \t");
        length = strcspn(base64, " \t");
        if (base64[length + strspn(base64 + length, " \t")] != '\0')
                return -EINVAL;
        return add(digests, GNUTLS_DIG_MD5, base64, length);
}

static gnutls_digest_algorithm_t find_algorithm(const char *name, size_t length) {
        /* clang-format off */
        static const struct {
                const char *name;
                gnutls_digest_algorithm_t algorithm;
        } algorithms[] = {
                { "sha-256", GNUTLS_DIG_SHA256 },
                { "sha-512", GNUTLS_DIG_SHA512 },
                { "md5",     GNUTLS_DIG_MD5    },
        };
        /* clang-format on */

        for (size_t i = 0; i < ELEMENTSOF(algorithms); i++)
                if (strlen(algorithms[i].name) == length &&
                    strncasecmp(algorithms[i].name, name, length) == 0)
                        return algorithms[i].algorithm;
        return GNUTLS_DIG_UNKNOWN;
}

/* Adds a member "NAME=:BASE64:" of LENGTH characters, which may include parameters. Returns whether
 * its algorithm is known. */
static int add_member(Digests *digests, const char *member, size_t length) {
        size_t name_length = strcspn(member, "=;, \t");
        gnutls_digest_algorithm_t algorithm = find_algorithm(member, name_length);
        const char *value = member + name_length + 2, *end = member + length, *colon;
        int r;

        if (algorithm == GNUTLS_DIG_UNKNOWN)
                return 0;
        if (name_length + 2 >= length || member[name_length] != '=' || value[-1] != ':')
                return -EINVAL;
        colon = memchr(value, ':', (size_t) (end - value));
        if (!colon || (colon + 1 < end && !strchr("; \t", colon[1])))
                return -EINVAL;

        r = add(digests, algorithm, value, (size_t) (colon - value));
        return r < 0 ? r : 1;
}

int digests_add_list(Digests *digests, const char *list) {
        int n = 0, r;

        assert(digests);
        assert(list);

        while (*(list += strspn(list, " \t,"))) {
                size_t length = strcspn(list, ",");

                r = add_member(digests, list, length);
                if (r < 0)
                        return r;
                n += r;
                list += length;
        }

        return n;
}

void digests_update(Digests *digests, const void *data, size_t size) {
        assert(digests);

        for (size_t i = 0; i < digests->n; i++)
                (void) gnutls_hash(digests->digests[i].hash, data, size);
}

int digests_check(Digests *digests) {
        int result = 0;

        assert(digests);

        for (size_t i = 0; i < digests->n; i++) {
                const Digest *digest = digests->digests + i;
                uint8_t found[DIGEST_SIZE_MAX];

                gnutls_hash_output(digest->hash, found);
                if (memcmp(found, digest->expected, digest->size) != 0)
                        result = -EBADMSG;
        }

        return result;
}
