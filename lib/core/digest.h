/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Digest: compares what a client says about the bytes that it sends, in Content-MD5 (RFC 1864),
 * Content-Digest and Repr-Digest (RFC 9530), with the bytes that came. SHA-256, SHA-512 and MD5 are
 * known; other algorithms in a list are ignored. */

#include "base/macro.h"

#define DIGESTS_MAX 8

typedef struct Digests Digests;

/* Makes an empty set of digests. */
int digests_new(Digests **ret);
Digests *digests_free(Digests *digests);
DEFINE_CLEANUP(Digests *, digests_free);

/* Take the value of a header. Return 0, -EINVAL if it is malformed or there are more than
 * DIGESTS_MAX, or -ENOMEM. The second one returns how many digests of known algorithms the list
 * has. */
int digests_add_md5(Digests *digests, const char *base64);
int digests_add_list(Digests *digests, const char *list);

void digests_update(Digests *digests, const void *data, size_t size);

/* Returns 0 if all digests fit the bytes that came, else -EBADMSG. May be called once. */
int digests_check(Digests *digests);
