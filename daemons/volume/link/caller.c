/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "rpc/signed-route.h"
#include "store/object/object-reach.h"
#include "volume/link/caller.h"

#define DETAIL_SIZE (sizeof("This is volume .") + DECIMAL_SIZE(uint32_t))

/* Tells a caller that looked for somebody else who is here: writes the sentence to BUFFER, and
 * returns it, or returns NULL if there is nothing to say. */
static const char *explain(
                const Callers *callers,
                const Parties *parties,
                int error,
                char buffer[static DETAIL_SIZE]) {
        uint32_t number = allegiance_store(callers->allegiance)->number;

        if (error == -EINPROGRESS)
                master_link_refresh(callers->master);
        if (error != -EREMOTE)
                return NULL;
        if (parties->to.number == number)
                return IDENTITY_OTHER_STORE;

        (void) snprintf(buffer, DETAIL_SIZE, "This is volume %" PRIu32 ".", number);
        return buffer;
}

static int begin(
                const Callers *callers,
                HttpRequest *request,
                int (*check)(Allegiance *allegiance, const Parties *parties)) {
        const Parties *parties = signed_parties(request);
        char buffer[DETAIL_SIZE];
        int r;

        r = check(callers->allegiance, parties);
        if (r < 0)
                r = http_request_reply_error(request, r, explain(callers, parties, r, buffer));
        return r;
}

int caller_admit(
                const Callers *callers,
                const Handshake *offer,
                Handshake *answer,
                char ret_sentence[static FRAME_SENTENCE_MAX + 1]) {
        Parties parties = { .from = offer->from, .to = offer->to };
        char buffer[DETAIL_SIZE];
        const char *detail;
        int r;

        memcpy(parties.lead.cluster, offer->cluster, sizeof(parties.lead.cluster));
        r = allegiance_check_receiver(callers->allegiance, &parties);
        if (r < 0) {
                detail = explain(callers, &parties, r, buffer);
                (void) snprintf(ret_sentence, FRAME_SENTENCE_MAX + 1, "%s", detail ?: "");
                return r;
        }

        memcpy(answer->cluster, offer->cluster, sizeof(answer->cluster));
        answer->from = *allegiance_store(callers->allegiance);
        return 0;
}

int caller_begin_order(const Callers *callers, RpcRequest *request) {
        const Parties *parties = rpc_request_parties(request);
        char buffer[DETAIL_SIZE];
        const char *detail;
        int r;

        r = allegiance_check_order(callers->allegiance, parties);
        detail = r < 0 ? explain(callers, parties, r, buffer) : NULL;
        if (detail)
                rpc_request_explain(request, detail);
        return r;
}

int caller_begin_neighbor(const Callers *callers, HttpRequest *request) {
        return begin(callers, request, allegiance_check_receiver);
}

int caller_begin_greeting(const Callers *callers, HttpRequest *request) {
        return begin(callers, request, allegiance_check_greeting);
}

const Buffer *caller_read_order(const Callers *callers, RpcRequest *request) {
        object_store_hear(callers->store, rpc_request_parties(request)->revision);
        return rpc_request_body(request);
}
