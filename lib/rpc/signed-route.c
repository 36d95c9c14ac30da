/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "core/call/calls.h"
#include "core/call/ticket.h"
#include "rpc/signed-route.h"

typedef struct SignedPass {
        Signature signature;
        Secret *secret; /* not owned */
        Buffer body;
        void *state;
        void (*free_state)(void *state);
} SignedPass;

/* The memory of all bodies together, in bytes. */
static atomic_size_t memory;

static void release_body(SignedPass *pass) {
        (void) atomic_fetch_sub(&memory, pass->body.allocated);
        buffer_done(&pass->body);
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

static void pass_free(void *userdata) {
        SignedPass *pass = userdata;

        if (pass->free_state)
                pass->free_state(pass->state);
        release_body(pass);
        free(pass);
}

int signed_admit(HttpRequest *request, const char *path, Secret *secret) {
        Signer *signer = secret_signer(secret);
        char target[TICKET_QUERY_SIZE];
        Signature signature;
        SignedPass *pass;
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

        pass = malloc(sizeof(*pass));
        if (!pass)
                return -ENOMEM;
        *pass = (SignedPass){ .signature = signature, .secret = secret };
        http_request_set_pass(request, pass, pass_free);
        http_request_trust(request);
        return late;
}

ssize_t signed_body(HttpRequest *request, const void *data, size_t size) {
        SignedPass *pass = http_request_pass(request);
        size_t before = pass->body.allocated, growth;
        int r;

        buffer_put(&pass->body, data, size);
        growth = pass->body.allocated - before;
        r = buffer_error(&pass->body);
        if (atomic_fetch_add(&memory, growth) + growth > SIGNED_MEMORY_MAX && growth > 0)
                r = -EAGAIN;
        if (r < 0) {
                release_body(pass); /* the rest may take long to arrive */
                return r;
        }
        return (ssize_t) size;
}

int signed_confirm(HttpRequest *request, Secret *secret) {
        const SignedPass *pass = http_request_pass(request);
        Signer *signer = secret_signer(secret);

        if (!signer)
                return -ENOMEM;
        return signature_check_body(&pass->signature, pass->body.data, pass->body.size, signer);
}

const Parties *signed_parties(HttpRequest *request) {
        const SignedPass *pass = http_request_pass(request);

        return &pass->signature.parties;
}

const Buffer *signed_request_body(HttpRequest *request) {
        const SignedPass *pass = http_request_pass(request);

        return &pass->body;
}

Secret *signed_secret(HttpRequest *request) {
        const SignedPass *pass = http_request_pass(request);

        return pass->secret;
}

void signed_set_state(HttpRequest *request, void *state, void (*free_state)(void *state)) {
        SignedPass *pass = http_request_pass(request);

        pass->state = state;
        pass->free_state = free_state;
}

int signed_reply(
                HttpRequest *request,
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

        answer.to = signed_parties(request)->from;
        answer.sequence = signed_parties(request)->sequence;
        r = signature_format(
                        SIGNATURE_ANSWER, target, &answer, data, size,
                        clock_cluster() / USEC_PER_SEC + SIGNATURE_LIFETIME_SEC, signer, signature);
        if (r < 0)
                return r;
        r = http_request_add_header(request, SIGNATURE_HEADER, signature);
        return r < 0 ? r : http_request_reply_data(request, 200, content_type, data, size);
}
