/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "net/rpc.h"

typedef struct Rpc {
        Buffer body;
        void *state;
        void (*free_state)(void *state);
} Rpc;

int rpc_begin(HttpRequest *request) {
        uint64_t size = http_request_size(request);

        if (!http_request_header(request, SIGNATURE_HEADER))
                return -EACCES; /* before anything is kept in memory */
        if (size != HTTP_SIZE_UNKNOWN && size > RPC_BODY_MAX)
                return -EFBIG;

        *http_request_state(request) = calloc(1, sizeof(Rpc));
        return *http_request_state(request) ? 0 : -ENOMEM;
}

ssize_t rpc_body(HttpRequest *request, const void *data, size_t size) {
        Rpc *rpc = *http_request_state(request);

        if (rpc->body.size + size > RPC_BODY_MAX)
                return -EFBIG;

        buffer_put(&rpc->body, data, size);
        return buffer_error(&rpc->body) < 0 ? -ENOMEM : (ssize_t) size;
}

void rpc_end(HttpRequest *request) {
        Rpc *rpc = *http_request_state(request);

        if (!rpc)
                return;

        if (rpc->free_state)
                rpc->free_state(rpc->state);
        buffer_done(&rpc->body);
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

        *ret_body = &rpc->body;
        return 0;
}

void rpc_set_state(HttpRequest *request, void *state, void (*free_state)(void *state)) {
        Rpc *rpc = *http_request_state(request);

        rpc->state = state;
        rpc->free_state = free_state;
}
