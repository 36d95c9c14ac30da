/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "volume/routes.h"
#include "rpc/rpc.h"

static int begin_order(HttpRequest *request) {
        const VolumeRoutes *routes = http_request_userdata(request);

        return caller_begin_order(routes->callers, request);
}

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

static int finish_store(HttpRequest *request) {
        const VolumeRoutes *routes = http_request_userdata(request);

        return store_call_finish(&routes->store, request);
}

static int finish_delete(HttpRequest *request) {
        const VolumeRoutes *routes = http_request_userdata(request);

        return delete_call_finish(&routes->delete, request);
}

static int finish_pull(HttpRequest *request) {
        const VolumeRoutes *routes = http_request_userdata(request);

        return pull_finish(&routes->pull, request);
}

static int finish_check(HttpRequest *request) {
        const VolumeRoutes *routes = http_request_userdata(request);

        return check_finish(&routes->check, request);
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

/* clang-format off */
const HttpRoute volume_routes[] = {
        { "GET",  "/-/health", HTTP_PUBLIC, .finish = finish_health                                       },
        RPC_ROUTE(HELLO,  begin_greeting, finish_hello),
        RPC_ROUTE(STORE,  begin_order,    finish_store),
        RPC_ROUTE(DELETE, begin_order,    finish_delete),
        RPC_ROUTE(PULL,   begin_order,    finish_pull),
        RPC_ROUTE(CHECK,  begin_order,    finish_check),
        RPC_ROUTE(FETCH,  begin_neighbor, finish_fetch),
        { "PUT",  "/-/copy/",  HTTP_TICKET, begin_upload, upload_body, upload_finish, upload_end          },
        { "GET",  "/",         HTTP_TICKET, .finish = finish_get, .end = get_end, .refuse = refuse_get    },
        { "PUT",  "/",         HTTP_TICKET, begin_upload, upload_body, upload_finish, upload_end          },
        { "POST", "/",         HTTP_TICKET, begin_upload, upload_body, upload_finish, upload_end          },
        {}
};
/* clang-format on */
