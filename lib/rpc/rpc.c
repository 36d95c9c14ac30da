/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "core/call/calls.h"
#include "core/call/ticket.h"
#include "rpc/rpc.h"

typedef struct Rpc {
        Signature signature;
        Buffer body;
        void *state;
        void (*free_state)(void *state);
} Rpc;

/* The memory of all bodies together, in bytes. */
static atomic_size_t memory;

static void release_body(Rpc *rpc) {
        (void) atomic_fetch_sub(&memory, rpc->body.allocated);
        buffer_done(&rpc->body);
}

/* Path and query, as they were signed. */
static int get_target(HttpRequest *request, char ret[static TICKET_QUERY_SIZE]) {
        const char *query = http_request_query(request);
        int r;

        r = snprintf(ret, TICKET_QUERY_SIZE, "%s%s%s", http_request_path(request),
                     *query ? "?" : "", query);
        return r < 0 || r >= TICKET_QUERY_SIZE ? -EACCES : 0;
}

/* Whether the table of calls lets the caller make this one. */
static bool may_call(const char *path, const Parties *parties) {
        const CallType *type = call_find(path);

        return !type || call_role(&parties->from) == type->caller;
}

static void rpc_free(void *pass) {
        Rpc *rpc = pass;

        if (rpc->free_state)
                rpc->free_state(rpc->state);
        release_body(rpc);
        free(rpc);
}

int rpc_admit(HttpRequest *request, const char *path, Secret *secret) {
        Signer *signer = secret_signer(secret);
        char target[TICKET_QUERY_SIZE];
        Signature signature;
        Rpc *rpc;
        int r, late;

        if (!signer)
                return -ENOMEM;
        r = get_target(request, target);
        if (r < 0)
                return r;
        r = signature_check(
                        http_request_header(request, SIGNATURE_HEADER),
                        http_request_method(request), target, clock_cluster() / USEC_PER_SEC,
                        signer, &signature);
        if (r < 0 && r != -ETIME)
                return r;
        late = r;
        if (!may_call(path, &signature.parties))
                return -EREMOTE;

        rpc = malloc(sizeof(*rpc));
        if (!rpc)
                return -ENOMEM;
        *rpc = (Rpc){ .signature = signature };
        http_request_set_pass(request, rpc, rpc_free);
        http_request_trust(request);
        return late;
}

ssize_t rpc_body(HttpRequest *request, const void *data, size_t size) {
        Rpc *rpc = http_request_pass(request);
        size_t before = rpc->body.allocated, growth;
        int r;

        buffer_put(&rpc->body, data, size);
        growth = rpc->body.allocated - before;
        r = buffer_error(&rpc->body);
        if (atomic_fetch_add(&memory, growth) + growth > RPC_MEMORY_MAX && growth > 0)
                r = -EAGAIN;
        if (r < 0) {
                release_body(rpc); /* the rest may take long to arrive */
                return r;
        }
        return (ssize_t) size;
}

int rpc_confirm(HttpRequest *request, Secret *secret) {
        const Rpc *rpc = http_request_pass(request);
        Signer *signer = secret_signer(secret);

        if (!signer)
                return -ENOMEM;
        return signature_check_body(&rpc->signature, rpc->body.data, rpc->body.size, signer);
}

const Parties *rpc_parties(HttpRequest *request) {
        const Rpc *rpc = http_request_pass(request);

        return &rpc->signature.parties;
}

const Buffer *rpc_request_body(HttpRequest *request) {
        const Rpc *rpc = http_request_pass(request);

        return &rpc->body;
}

void rpc_set_state(HttpRequest *request, void *state, void (*free_state)(void *state)) {
        Rpc *rpc = http_request_pass(request);

        rpc->state = state;
        rpc->free_state = free_state;
}

int rpc_reply(HttpRequest *request,
              Secret *secret,
              const Parties *parties,
              const char *content_type,
              const void *data,
              size_t size) {
        Parties answer = *parties;
        Signer *signer = secret_signer(secret);
        char target[TICKET_QUERY_SIZE], signature[SIGNATURE_SIZE];
        int r;

        if (!signer)
                return -ENOMEM;
        r = get_target(request, target);
        if (r < 0)
                return r;

        answer.to = rpc_parties(request)->from;
        answer.sequence = rpc_parties(request)->sequence;
        r = signature_format(
                        SIGNATURE_ANSWER, target, &answer, data, size,
                        clock_cluster() / USEC_PER_SEC + SIGNATURE_LIFETIME_SEC, signer, signature);
        if (r < 0)
                return r;
        r = http_request_add_header(request, SIGNATURE_HEADER, signature);
        return r < 0 ? r : http_request_reply_data(request, 200, content_type, data, size);
}
