/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "rpc/rpc.h"
#include "volume/link/caller.h"
#include "volume/request/hello.h"
#include "volume/volume.h"

int hello_begin(HttpRequest *request) {
        return call_begin(request, allegiance_check_greeting);
}

/* A master that is not followed is answered, too: it shall know. */
static int format_answer(VolumeDaemon *volume, Parties *ret, char **ret_text) {
        _cleanup_(json_freep) Json *json = json_new_object();

        /* First the time: it must not be that of a later leader. */
        uint64_t age_usec = report_age_usec(volume->report);
        bool follows = allegiance_lead(volume->allegiance, &ret->lead);

        ret->from = *allegiance_store(volume->allegiance);
        json_add_bool(json, "follows", follows);
        json_add_uint(json, "age_usec", age_usec);
        json_add_string(json, "master", volume->conf.master);
        *ret_text = json_format(json, false);
        return *ret_text ? 0 : -ENOMEM;
}

int hello_finish(HttpRequest *request) {
        VolumeDaemon *volume = http_request_userdata(request);
        _cleanup_free_ char *text = NULL;
        Parties answer = {};
        const Buffer *body;
        int r;

        r = rpc_check(request, volume->secret, &body);
        if (r < 0)
                return r;
        r = format_answer(volume, &answer, &text);
        if (r < 0)
                return r;
        if (!leadership_equal(&answer.lead, &rpc_parties(request)->lead))
                report_soon(volume->report);
        return rpc_reply(request, volume->secret, &answer, "application/json", text, strlen(text));
}
