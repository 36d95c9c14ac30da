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
#include "rpc/rpc.h"

static int begin_peer(HttpRequest *request) {
        return caller_begin(&requests_of(request)->callers, request);
}

static int refuse_report(HttpRequest *request, int error) {
        return caller_refuse_reporter(&requests_of(request)->callers, request, error);
}

/* clang-format off */
const HttpRoute master_routes[] = {
        { "GET",    "/-/health",  HTTP_PUBLIC, .finish = health_finish                             },
        { "GET",    "/-/where/",  HTTP_CLIENT, .finish = read_where_finish                         },
        RPC_ROUTE(REPORT,  caller_begin_report, report_call_finish, refuse_report),
        RPC_ROUTE(COMMIT,  begin_peer,          commit_call_finish, caller_refuse),
        RPC_ROUTE(DAMAGED, begin_peer,          damage_call_finish, caller_refuse),
        RPC_ROUTE(SETTLE,  begin_peer,          settle_call_finish, caller_refuse),
        { "HEAD",   "/",          HTTP_CLIENT, .finish = read_head_finish                          },
        { "GET",    "/",          HTTP_CLIENT, .finish = read_get_finish, .end = read_end          },
        { "PUT",    "/",          HTTP_CLIENT, write_begin, write_body, write_finish, write_end    },
        { "POST",   "/",          HTTP_CLIENT, write_begin, write_body, write_finish, write_end    },
        { "DELETE", "/",          HTTP_CLIENT, .finish = remove_finish, .end = remove_end          },
        {}
};
/* clang-format on */
