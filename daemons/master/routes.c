/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "master/routes.h"
#include "master/call/commit-call.h"
#include "master/call/damage-call.h"
#include "master/call/report-call.h"
#include "master/call/settle-call.h"
#include "master/link/caller.h"
#include "master/request/health.h"
#include "master/request/read.h"
#include "master/request/remove.h"
#include "master/request/requests.h"
#include "master/request/write.h"

/* Who follows knows no volumes. */
static int begin_report(RpcRequest *request) {
        Lead *lead = requests_of_call(request)->lead;

        return lead_is_following(lead) ? lead_check_call(lead, request)
                                       : caller_begin_report(request);
}

static int begin_peer(RpcRequest *request) {
        Requests *requests = requests_of_call(request);

        if (lead_is_following(requests->lead))
                return lead_check_call(requests->lead, request);
        return caller_begin(&requests->callers, request);
}

static int take_message(RpcRequest *request) {
        return group_receive(requests_of_call(request)->group, request);
}

#define CALLS_OF_VOLUMES \
        [CALL_REPORT] = { begin_report, report_call_finish }, \
        [CALL_COMMIT] = { begin_peer, commit_call_finish }, \
        [CALL_DAMAGED] = { begin_peer, damage_call_finish }, \
        [CALL_SETTLE] = { begin_peer, settle_call_finish }

static const RpcHandler handlers[_CALL_MAX] = { CALLS_OF_VOLUMES };

static const RpcHandler member_handlers[_CALL_MAX] = {
        CALLS_OF_VOLUMES,
        [CALL_GROUP] = { NULL, take_message },
};

/* Whether another master calls, and this one is of a group. */
static bool is_member(const Requests *requests, const Handshake *offer) {
        return requests->group && offer->from.number == 0;
}

static int admit(
                const Handshake *offer,
                Handshake *answer,
                char ret_sentence[static FRAME_SENTENCE_MAX + 1],
                void *userdata) {
        const Requests *requests = userdata;

        if (is_member(requests, offer))
                return group_admit(requests->group, offer, answer);
        return caller_admit(&requests->callers, offer, answer);
}

static void on_opened(const Handshake *offer, void *userdata) {
        const Requests *requests = userdata;

        if (is_member(requests, offer))
                group_connected(requests->group, offer);
}

static void on_closed(const Handshake *offer, void *userdata) {
        const Requests *requests = userdata;

        if (is_member(requests, offer))
                group_disconnected(requests->group, offer);
}

/* Who has another secret may be a volume that was set up in haste. */
static void on_stranger(const char *address, void *userdata) {
        const Requests *requests = userdata;

        troubles_note(requests->troubles, TROUBLE_SECRET, 0, "%s", address);
}

RpcServiceOptions master_calls(Requests *requests, Secret *secret) {
        return (RpcServiceOptions){
                .secret = secret,
                .handlers = requests->group ? member_handlers : handlers,
                .userdata = requests,
                .admit = admit,
                .on_opened = on_opened,
                .on_closed = on_closed,
                .on_stranger = on_stranger,
        };
}

static int open_channel(HttpRequest *request) {
        return rpc_service_open(requests_of(request)->calls, request);
}

/* clang-format off */
const HttpRoute master_routes[] = {
        { "GET",    "/-/health",  HTTP_PUBLIC, .finish = health_finish                             },
        { "GET",    "/-/where/",  HTTP_CLIENT, .finish = read_where_finish, .end = read_end        },
        RPC_SERVICE_ROUTE(open_channel),
        { "HEAD",   "/",          HTTP_CLIENT, .finish = read_head_finish, .end = read_end         },
        { "GET",    "/",          HTTP_CLIENT, .finish = read_get_finish, .end = read_end          },
        { "PUT",    "/",          HTTP_CLIENT, write_begin, write_body, write_finish, write_end    },
        { "POST",   "/",          HTTP_CLIENT, write_begin, write_body, write_finish, write_end    },
        { "DELETE", "/",          HTTP_CLIENT, .finish = remove_finish, .end = remove_end          },
        {}
};
/* clang-format on */
