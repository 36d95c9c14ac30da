/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdio.h>

#include "rpc/signed-call.h"

static int make_call(const SignedCall *what, HttpCall **ret) {
        const CallType *type = call_types + what->kind;
        _cleanup_(http_call_unrefp) HttpCall *call = NULL;
        _cleanup_free_ char *url = NULL;
        int r;

        if (asprintf(&url, "%s%s", what->url, type->path) < 0) {
                url = NULL;
                return -ENOMEM;
        }
        r = http_call_new(what->client, "POST", url, &call);
        if (r < 0)
                return r;

        if (what->body)
                http_call_set_body(call, what->body);
        if (what->on_body)
                http_call_set_sink(call, what->on_head, what->on_body);
        else if (type->answer_max > 0)
                http_call_set_answer_max(call, type->answer_max);
        if (what->stall_timeout_usec > 0 || type->timeout_usec > 0)
                http_call_set_stall_timeout(call, what->stall_timeout_usec ?: type->timeout_usec);
        r = http_call_sign(call, what->parties);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(call);
        return 0;
}

int signed_call(const SignedCall *what, HttpCall **ret) {
        HttpCall *call;
        int r;

        assert(what->on_done);
        assert(call_role(&what->parties->from) == call_types[what->kind].caller);
        assert(call_role(&what->parties->to) == call_types[what->kind].receiver);

        r = make_call(what, &call);
        if (r < 0)
                return r;

        if (ret)
                *ret = http_call_ref(call);
        http_call_start(call, what->on_done, what->userdata);
        return 0;
}
