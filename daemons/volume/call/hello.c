/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "rpc/signed-route.h"
#include "volume/call/hello.h"

/* A master that is not followed needs to know, so it gets an answer as well. */
static int format_answer(const HelloOptions *options, Parties *ret, char **ret_text) {
        const Callers *callers = options->callers;
        _cleanup_(json_freep) Json *json = json_new_object();

        /* The age first: it must not be that of a later leader. */
        uint64_t age_usec = report_age_usec(options->report);
        bool follows = allegiance_lead(callers->allegiance, &ret->lead);

        ret->from = *allegiance_store(callers->allegiance);
        json_add_bool(json, "follows", follows);
        json_add_uint(json, "age_usec", age_usec);
        json_add_string(json, "master", master_link_url(callers->master));
        *ret_text = json_format(json, false);
        return *ret_text ? 0 : -ENOMEM;
}

int hello_finish(const HelloOptions *options, HttpRequest *request) {
        const Callers *callers = options->callers;
        _cleanup_free_ char *text = NULL;
        Parties answer = {};
        int r;

        r = format_answer(options, &answer, &text);
        if (r < 0)
                return r;
        if (!leadership_equal(&answer.lead, &signed_parties(request)->lead))
                master_link_refresh(callers->master);
        return signed_reply(
                        request, callers->secret, &answer, "application/json", text, strlen(text));
}
