/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "volume/routes.h"
#include "rpc/signed-route.h"

static int begin_neighbor(HttpRequest *request) {
        const VolumeRoutes *routes = http_request_userdata(request);

        return caller_begin_neighbor(routes->callers, request);
}

static int begin_greeting(HttpRequest *request) {
        const VolumeRoutes *routes = http_request_userdata(request);

        return caller_begin_greeting(routes->callers, request);
}

static int finish_health(HttpRequest *request) {
        const VolumeRoutes *routes = http_request_userdata(request);

        return health_finish(&routes->health, request);
}

static int finish_hello(HttpRequest *request) {
        const VolumeRoutes *routes = http_request_userdata(request);

        return hello_finish(&routes->hello, request);
}

static int finish_fetch(HttpRequest *request) {
        const VolumeRoutes *routes = http_request_userdata(request);

        return fetch_finish(routes->fetch, request);
}

static int finish_get(HttpRequest *request) {
        const VolumeRoutes *routes = http_request_userdata(request);

        return get_finish(&routes->get, request);
}

static int begin_upload(HttpRequest *request) {
        const VolumeRoutes *routes = http_request_userdata(request);

        return upload_begin(&routes->upload, request);
}

static int refuse_get(HttpRequest *request, int error) {
        const VolumeRoutes *routes = http_request_userdata(request);

        return get_refuse(&routes->get, request, error);
}

static int open_channel(HttpRequest *request) {
        const VolumeRoutes *routes = http_request_userdata(request);

        return rpc_service_open(routes->calls, request);
}

/* clang-format off */
const HttpRoute volume_routes[] = {
        { "GET",  "/-/health", HTTP_PUBLIC, .finish = finish_health                                       },
        RPC_SERVICE_ROUTE(open_channel),
        SIGNED_ROUTE(HELLO,  begin_greeting, finish_hello),
        SIGNED_ROUTE(FETCH,  begin_neighbor, finish_fetch),
        { "PUT",  "/-/copy/",  HTTP_TICKET, begin_upload, upload_body, upload_finish, upload_end          },
        { "GET",  "/",         HTTP_TICKET, .finish = finish_get, .end = get_end, .refuse = refuse_get    },
        { "PUT",  "/",         HTTP_TICKET, begin_upload, upload_body, upload_finish, upload_end          },
        { "POST", "/",         HTTP_TICKET, begin_upload, upload_body, upload_finish, upload_end          },
        {}
};
/* clang-format on */

static int begin_order(RpcRequest *request) {
        const VolumeRoutes *routes = rpc_request_userdata(request);

        return caller_begin_order(routes->callers, request);
}

static int finish_store(RpcRequest *request) {
        const VolumeRoutes *routes = rpc_request_userdata(request);

        return store_call_finish(&routes->store, request);
}

static int finish_delete(RpcRequest *request) {
        const VolumeRoutes *routes = rpc_request_userdata(request);

        return delete_call_finish(&routes->delete, request);
}

static int finish_pull(RpcRequest *request) {
        const VolumeRoutes *routes = rpc_request_userdata(request);

        return pull_finish(&routes->pull, request);
}

static int finish_check(RpcRequest *request) {
        const VolumeRoutes *routes = rpc_request_userdata(request);

        return check_finish(&routes->check, request);
}

static const RpcHandler handlers[_CALL_MAX] = {
        [CALL_STORE] = { begin_order, finish_store },
        [CALL_DELETE] = { begin_order, finish_delete },
        [CALL_PULL] = { begin_order, finish_pull },
        [CALL_CHECK] = { begin_order, finish_check },
};

static int admit(
                const Handshake *offer,
                Handshake *answer,
                char ret_sentence[static FRAME_SENTENCE_MAX + 1],
                void *userdata) {
        const VolumeRoutes *routes = userdata;

        return caller_admit(routes->callers, offer, answer, ret_sentence);
}

RpcServiceOptions volume_calls(VolumeRoutes *routes) {
        return (RpcServiceOptions){
                .secret = routes->callers->secret,
                .handlers = handlers,
                .userdata = routes,
                .admit = admit,
        };
}
