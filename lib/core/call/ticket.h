/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Ticket: a master's permission for one request to one key at a volume.
 *
 * It is signed with the cluster's secret, see signer.h. Nothing here asks for the time; the caller
 * tells it. */

#include "base/macro.h"
#include "core/call/identity.h"
#include "core/call/signer.h"
#include "core/limits.h"

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
        uint64_t store;      /* ticket_store() of the store that it is for */
        uint8_t again;       /* how often the client was sent back before it got this one */
        char back[256]; /* host:port of the master, as the client knows it, to which another store
                           sends the client back; "" for none */

        /* The rest is for writes. */
        uint64_t size_max;   /* in bytes */
        uint64_t mtime_usec; /* what the record will say */
        uint8_t wanted;      /* how many copies the write wants, this volume's included */
        uint8_t n_others;    /* volumes to pass the value on to */
        struct {
                uint32_t volume;
                uint64_t store;      /* as above */
                char authority[256]; /* host:port */
        } others[COPIES_MAX - 1];
} Ticket;

#define TICKET_QUERY_SIZE 4096

/* What a ticket says about its store, whatever the run: less than the name, which would make
 * addresses long, but enough to tell the store from all others. Never 0. */
uint64_t ticket_store(const uint8_t cluster[static CLUSTER_ID_SIZE], const StoreIdentity *store);

/* Writes the query (without "?") that carries TICKET for KEY: v=VERSION&e=EXPIRY&w=STORE&r=REVISION
 * &t=TAG in hex, for writes with other things in place of the revision. Returns its length, or
 * -ENOBUFS. */
int ticket_format(const Ticket *ticket, const char *key, Signer *signer, char *ret, size_t size);

/* Checks and parses a query (NULL for none); parameters that are not a ticket's are ignored. METHOD
 * only says whether the request reads or writes: RET says which write is permitted. Returns 0, or
 * -EACCES if there is no ticket, or it is malformed, altered, expired, for another key, or reads
 * where METHOD writes. The caller checks whether it is for this store. */
int ticket_parse(
                const char *query,
                TicketMethod method,
                const char *key,
                uint64_t now_sec,
                Signer *signer,
                Ticket *ret);
