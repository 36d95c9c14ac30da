/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "core/call/wire.h"
#include "core/url.h"
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

/* A master of a group says in the body where it is, so that the volume finds a new leader at once.
 */
static int hear_where(const Callers *callers, HttpRequest *request, const Leadership *followed) {
        const Leadership *lead = &signed_parties(request)->lead;
        const Buffer *body = signed_request_body(request);
        char url[WIRE_URL_MAX + 1];

        if (body->size == 0)
                return 0;
        if (body->size >= sizeof(url) || memchr(body->data, '\0', body->size))
                return -EINVAL;

        memcpy(url, body->data, body->size);
        url[body->size] = '\0';
        if (url_complain(url))
                return -EINVAL;
        if (lead->term > followed->term)
                master_link_turn_to(callers->master, url);
        return 0;
}

int hello_finish(const HelloOptions *options, HttpRequest *request) {
        const Callers *callers = options->callers;
        _cleanup_free_ char *text = NULL;
        Parties answer = {};
        int r;

        r = format_answer(options, &answer, &text);
        if (r < 0)
                return r;
        r = hear_where(callers, request, &answer.lead);
        if (r < 0)
                return r;
        if (!leadership_equal(&answer.lead, &signed_parties(request)->lead))
                master_link_refresh(callers->master);
        return signed_reply(
                        request, callers->secret, &answer, "application/json", text, strlen(text));
}
