/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "net/rpc.h"

typedef struct Rpc {
        Buffer body;
        void *state;
        void (*free_state)(void *state);
} Rpc;

/* What all bodies together take now. */
static atomic_size_t memory;

static void release_body(Rpc *rpc) {
        (void) atomic_fetch_sub(&memory, rpc->body.allocated);
        buffer_done(&rpc->body);
}

/* The signature can be checked only when the body is there; what is plain from the header alone is
 * refused before anything is kept. */
int rpc_begin(HttpRequest *request) {
        int r;

        r = signature_check_expiry(
                        http_request_header(request, SIGNATURE_HEADER),
                        clock_realtime() / USEC_PER_SEC);
        if (r < 0)
                return r;

        *http_request_state(request) = calloc(1, sizeof(Rpc));
        return *http_request_state(request) ? 0 : -ENOMEM;
}

ssize_t rpc_body(HttpRequest *request, const void *data, size_t size) {
        Rpc *rpc = *http_request_state(request);
        size_t before = rpc->body.allocated, growth;
        int r;

        buffer_put(&rpc->body, data, size);
        growth = rpc->body.allocated - before;
        r = buffer_error(&rpc->body);
        if (atomic_fetch_add(&memory, growth) + growth > RPC_MEMORY_MAX && growth > 0)
                r = -EAGAIN;
        if (r < 0) {
                release_body(rpc); /* the sender may take his time with the rest */
                return r;
        }
        return (ssize_t) size;
}

void rpc_end(HttpRequest *request) {
        Rpc *rpc = *http_request_state(request);

        if (!rpc)
                return;

        if (rpc->free_state)
                rpc->free_state(rpc->state);
        release_body(rpc);
        free(rpc);
}

int rpc_check(HttpRequest *request, Secret *secret, const Buffer **ret_body) {
        Rpc *rpc = *http_request_state(request);
        const char *query = http_request_query(request);
        char target[TICKET_QUERY_SIZE];
        Signer *signer;
        int r;

        r = snprintf(target, sizeof(target), "%s%s%s", http_request_path(request),
                     *query ? "?" : "", query);
        if (r < 0 || (size_t) r >= sizeof(target))
                return -EACCES;

        signer = secret_signer(secret);
        if (!signer)
                return -ENOMEM;

        r = signature_check(
                        http_request_header(request, SIGNATURE_HEADER),
                        http_request_method(request), target, rpc->body.data, rpc->body.size,
                        clock_realtime() / USEC_PER_SEC, signer);
        if (r < 0)
                return r;

        http_request_trust(request);
        *ret_body = &rpc->body;
        return 0;
}

void rpc_set_state(HttpRequest *request, void *state, void (*free_state)(void *state)) {
        Rpc *rpc = *http_request_state(request);

        rpc->state = state;
        rpc->free_state = free_state;
}
