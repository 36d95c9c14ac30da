/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdio.h>

#include "base/error.h"
#include "rpc/rpc.h"
#include "store/object/object-reach.h"
#include "volume/link/caller.h"
#include "volume/volume.h"

/* Says who is here, to whoever looked for somebody else. */
static int refuse(HttpRequest *request, int error) {
        VolumeDaemon *volume = http_request_userdata(request);
        uint32_t number = allegiance_store(volume->allegiance)->number;
        char detail[64] = "";

        if (error == -EINPROGRESS)
                report_soon(volume->report);
        if (error == -EREMOTE && rpc_parties(request)->to.number == number)
                (void) snprintf(detail, sizeof(detail), "%s", IDENTITY_OTHER_STORE);
        else if (error == -EREMOTE)
                (void) snprintf(detail, sizeof(detail), "This is volume %u.", number);
        return http_request_reply_error(request, error, *detail ? detail : NULL);
}

int call_begin(HttpRequest *request, int (*check)(Allegiance *allegiance, const Parties *parties)) {
        VolumeDaemon *volume = http_request_userdata(request);
        const Parties *parties;
        int r;

        r = rpc_begin(request, volume->secret, &parties);
        if (r < 0)
                return r;
        r = check(volume->allegiance, parties);
        return r < 0 ? refuse(request, r) : 0;
}

int order_begin(HttpRequest *request) {
        return call_begin(request, allegiance_check_order);
}

int order_read(HttpRequest *request, const Buffer **ret_body) {
        VolumeDaemon *volume = http_request_userdata(request);
        int r;

        r = allegiance_confirm_order(volume->allegiance, rpc_parties(request));
        r = r < 0 ? r : rpc_check(request, volume->secret, ret_body);
        if (r >= 0) /* stored with what the order stores */
                object_store_hear(volume->store, rpc_parties(request)->revision);
        return r;
}

int neighbor_begin(HttpRequest *request) {
        return call_begin(request, allegiance_check_receiver);
}

int neighbor_read(HttpRequest *request, const Buffer **ret_body) {
        VolumeDaemon *volume = http_request_userdata(request);

        return rpc_check(request, volume->secret, ret_body);
}

int master_call(VolumeDaemon *volume,
                CallKind kind,
                Buffer *body,
                void (*on_done)(HttpCall *call, const HttpResult *result, void *userdata),
                void *userdata) {
        Parties parties;

        if (!allegiance_call(volume->allegiance, &parties))
                return -EINPROGRESS;

        return rpc_call(
                        &(RpcCall){
                                        .client = volume->client,
                                        .kind = kind,
                                        .url = volume->conf.master,
                                        .parties = &parties,
                                        .body = body,
                                        .on_done = on_done,
                                        .userdata = userdata,
                        },
                        NULL);
}

int master_call_result(VolumeDaemon *volume, const HttpResult *result) {
        int r = result->error;

        if (r == 0 && result->status >= 300)
                r = result->status >= 400 ? -error_from_http_status(result->status) : -EREMOTEIO;
        if (r == -EINPROGRESS || r == -EKEYREVOKED)
                report_soon(volume->report);
        return r;
}
