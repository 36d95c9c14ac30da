/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Ticket: a master's permission for one request to one key at a volume, and Signature: a daemon's
 * proof that a request comes from the same cluster.
 *
 * Both are HMAC-SHA256 (cut to 128 bits, RFC 2104 section 5) with the cluster's secret. Nothing
 * here asks for the time; the caller says what it is. */

#include "base/buffer.h"
#include "base/macro.h"
#include "core/cluster.h"

/* The secret with its key schedule; one per thread, since signing uses scratch state in it. */
typedef struct Signer Signer;

#define SECRET_MIN 16

/* Returns 0, -EINVAL for a secret shorter than SECRET_MIN bytes, or -ENOMEM. */
int signer_new(const void *secret, size_t size, Signer **ret);
Signer *signer_free(Signer *signer);
DEFINE_CLEANUP(Signer *, signer_free);

typedef enum TicketMethod {
        TICKET_READ, /* GET and HEAD */
        TICKET_PUT,
        TICKET_POST, /* PUT that must create */
        TICKET_COPY, /* PUT from one volume to another: stored, not committed */
        _TICKET_METHOD_MAX,
} TicketMethod;

typedef struct Ticket {
        TicketMethod method;
        uint64_t version;
        uint64_t expiry_sec; /* since the epoch; when the request must have begun */
        uint64_t revision;   /* of the version, for reads; 0 if it is not known */

        /* The rest is for writes. */
        uint64_t size_max;   /* in bytes */
        uint64_t mtime_usec; /* what the record will say */
        uint8_t wanted;      /* how many copies the write wants, this volume's included */
        uint8_t n_others;    /* volumes to pass the value on to */
        struct {
                uint32_t volume;
                char authority[256]; /* host:port */
        } others[COPIES_MAX - 1];
} Ticket;

#define TICKET_QUERY_SIZE 4096

/* Writes the query (without "?") that carries TICKET for KEY: v=VERSION&e=EXPIRY&r=REVISION&t=TAG
 * in hex, for writes with other things than the revision in front of the tag. Returns its length,
 * or -ENOBUFS. */
int ticket_format(const Ticket *ticket, const char *key, Signer *signer, char *ret, size_t size);

/* Checks and parses a query (NULL for none); parameters that are not a ticket's are ignored. METHOD
 * only says whether the request reads or writes: which write is permitted is in RET. Returns 0, or
 * -EACCES if there is no ticket, or it is malformed, altered, expired, for another key, or reads
 * where METHOD writes. */
int ticket_parse(
                const char *query,
                TicketMethod method,
                const char *key,
                uint64_t now_sec,
                Signer *signer,
                Ticket *ret);

/* The header "Dkv-Signature: EXPIRY.HMAC" of calls between daemons, over method, path with query,
 * expiry and body; both parts in hex. */
#define SIGNATURE_HEADER       "Dkv-Signature"
#define SIGNATURE_SIZE         64
#define SIGNATURE_LIFETIME_SEC 60

int signature_format(
                const char *method,
                const char *target,
                const void *body,
                size_t body_size,
                uint64_t expiry_sec,
                Signer *signer,
                char ret[static SIGNATURE_SIZE]);

/* Returns 0, or -EACCES: absent (NULL), malformed, or expired by what it says itself. */
int signature_check_expiry(const char *signature, uint64_t now_sec);

/* Returns 0, or -EACCES: absent (NULL), malformed, altered, or expired. */
int signature_check(
                const char *signature,
                const char *method,
                const char *target,
                const void *body,
                size_t body_size,
                uint64_t now_sec,
                Signer *signer);
