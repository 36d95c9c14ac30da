/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "rpc/rpc.h"
#include "store/object/object-reach.h"
#include "volume/link/caller.h"

/* Tells a caller that looked for somebody else who is here. */
static int refuse(const Callers *callers, HttpRequest *request, int error) {
        uint32_t number = allegiance_store(callers->allegiance)->number;
        char detail[sizeof("This is volume .") + DECIMAL_SIZE(uint32_t)];

        if (error == -EINPROGRESS)
                master_link_refresh(callers->master);
        if (error != -EREMOTE)
                return http_request_reply_error(request, error, NULL);
        if (rpc_parties(request)->to.number == number)
                return http_request_reply_error(request, error, IDENTITY_OTHER_STORE);

        (void) snprintf(detail, sizeof(detail), "This is volume %" PRIu32 ".", number);
        return http_request_reply_error(request, error, detail);
}

static int begin(
                const Callers *callers,
                HttpRequest *request,
                int (*check)(Allegiance *allegiance, const Parties *parties)) {
        int r;

        r = check(callers->allegiance, rpc_parties(request));
        return r < 0 ? refuse(callers, request, r) : 0;
}

int caller_begin_order(const Callers *callers, HttpRequest *request) {
        return begin(callers, request, allegiance_check_order);
}

int caller_begin_neighbor(const Callers *callers, HttpRequest *request) {
        return begin(callers, request, allegiance_check_receiver);
}

int caller_begin_greeting(const Callers *callers, HttpRequest *request) {
        return begin(callers, request, allegiance_check_greeting);
}

int caller_read_order(const Callers *callers, HttpRequest *request, const Buffer **ret_body) {
        const Parties *parties = rpc_parties(request);
        int r;

        r = allegiance_confirm_order(callers->allegiance, parties);
        if (r < 0)
                return r;

        object_store_hear(
                        callers->store, parties->revision); /* stored with what the order stores */
        *ret_body = rpc_request_body(request);
        return 0;
}

void caller_reply_errors(HttpRequest *request, const Buffer *errors) {
        int r;

        r = buffer_error(errors);
        if (r >= 0)
                r = http_request_reply_data(
                                request, 200, "application/octet-stream", errors->data,
                                errors->size);
        if (r < 0)
                (void) http_request_reply_error(request, r, NULL);
}
