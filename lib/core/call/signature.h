/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Signature: proves of a call, or of the answer to one, that it comes from this cluster, who sent
 * it and for whom, and what its body is.
 *
 * It stands in a header and can be checked before any of the body is there, since it covers a
 * digest of the body and not the body itself. Nothing here asks for the time; the caller tells it.
 */

#include "base/macro.h"
#include "core/call/identity.h"
#include "core/call/signer.h"

/* Who calls whom: the master a store, a store the master, or a store another one. */
typedef struct Parties {
        Leadership lead;    /* the leader that calls, or that the calling store follows or last
                               followed; zeroes for none */
        StoreIdentity from; /* number 0 for the master */
        StoreIdentity to;   /* likewise */
        uint64_t sequence;  /* a run, or a leader, gives each number to one call to this receiver
                               only */
        uint64_t revision;  /* of the index: the highest that the caller knows to be durable */
} Parties;

static inline bool parties_equal(const Parties *a, const Parties *b) {
        return leadership_equal(&a->lead, &b->lead) && store_identity_equal(&a->from, &b->from) &&
               a->from.run == b->from.run && store_identity_equal(&a->to, &b->to) &&
               a->to.run == b->to.run && a->sequence == b->sequence && a->revision == b->revision;
}

/* The header is "5.EXPIRY.CLUSTER.TERM.LEADER.FROM.TO.SEQUENCE.REVISION.DIGEST.TAG", where FROM and
 * TO are NUMBER-UUID-RUN, all in hex; the first is the form, which changes with WIRE_VERSION. */
#define SIGNATURE_HEADER       "Dkv-Signature"
#define SIGNATURE_SIZE         448
#define SIGNATURE_LIFETIME_SEC 60

/* Takes the place of the method in the signature of an answer. */
#define SIGNATURE_ANSWER "ANSWER"

int signature_format(
                const char *method,
                const char *target,
                const Parties *parties,
                const void *body,
                size_t body_size,
                uint64_t expiry_sec,
                Signer *signer,
                char ret[static SIGNATURE_SIZE]);

typedef struct Signature {
        uint64_t expiry_sec; /* since the epoch */
        Parties parties;
        uint8_t digest[SIGNER_DIGEST_SIZE]; /* of the body */
} Signature;

/* Returns 0; -ETIME, with RET, if all is right but it has expired; -EPROTO if it has the form of
 * another release; or -EACCES: absent (NULL), malformed, or altered. The body is not known to be
 * right until signature_check_body(). */
int signature_check(
                const char *signature,
                const char *method,
                const char *target,
                uint64_t now_sec,
                Signer *signer,
                Signature *ret);

/* Returns 0, or -EACCES if BODY is another one. */
int signature_check_body(
                const Signature *signature, const void *body, size_t body_size, Signer *signer);
