/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "core/url.h"
#include "http/record.h"
#include "volume/link/master-link.h"

static const char redirect_text[] =
                "Ask the master, at the address in the Location header. With curl, use -L to follow it.\n";

struct MasterLink {
        Peers *peers;           /* not owned */
        Allegiance *allegiance; /* not owned */
        void (*on_refresh)(void *userdata);
        void *userdata; /* of that */
        char url[];
};

int master_link_new(Peers *peers, Allegiance *allegiance, const char *url, MasterLink **ret) {
        size_t size = strlen(url) + 1;
        MasterLink *link = malloc(sizeof(*link) + size);

        if (!link)
                return -ENOMEM;

        *link = (MasterLink){ .peers = peers, .allegiance = allegiance };
        memcpy(link->url, url, size);
        *ret = link;
        return 0;
}

MasterLink *master_link_free(MasterLink *link) {
        free(link);
        return NULL;
}

const char *master_link_url(const MasterLink *link) {
        return link->url;
}

void master_link_set_refresh(MasterLink *link, void (*on_refresh)(void *userdata), void *userdata) {
        link->on_refresh = on_refresh;
        link->userdata = userdata;
}

void master_link_refresh(MasterLink *link) {
        if (link->on_refresh)
                link->on_refresh(link->userdata);
}

int master_link_post(
                MasterLink *link,
                uint64_t delay_usec,
                void (*function)(void *userdata),
                void *userdata) {
        return peers_post(link->peers, delay_usec, function, userdata);
}

static int call(MasterLink *link,
                CallKind kind,
                const Parties *parties,
                Buffer *body,
                void (*on_done)(const RpcResult *result, void *userdata),
                void *userdata) {
        return rpc_call(
                        &(RpcCall){
                                        .peers = link->peers,
                                        .kind = kind,
                                        .url = link->url,
                                        .parties = parties,
                                        .body = body,
                                        .on_done = on_done,
                                        .userdata = userdata,
                        },
                        NULL);
}

int master_link_call(
                MasterLink *link,
                CallKind kind,
                Buffer *body,
                void (*on_done)(const RpcResult *result, void *userdata),
                void *userdata) {
        Parties parties;

        if (!allegiance_call(link->allegiance, &parties))
                return -EINPROGRESS;
        return call(link, kind, &parties, body, on_done, userdata);
}

int master_link_report(
                MasterLink *link,
                Buffer *body,
                void (*on_done)(const RpcResult *result, void *userdata),
                void *userdata) {
        Parties parties;

        (void) allegiance_call(link->allegiance, &parties);
        return call(link, CALL_REPORT, &parties, body, on_done, userdata);
}

int master_link_result(MasterLink *link, const RpcResult *result) {
        int r = rpc_result_error(result);

        if (r == -EINPROGRESS || r == -EKEYREVOKED)
                master_link_refresh(link);
        return r;
}

static bool is_local(const char *authority) {
        return strncmp(authority, "127.", strlen("127.")) == 0 ||
               strncasecmp(authority, "localhost", strlen("localhost")) == 0 ||
               strncmp(authority, "[::1]", strlen("[::1]")) == 0;
}

/* The length of the name in "name:port" or "[address]:port". */
static size_t name_length(const char *authority) {
        return *authority == '[' ? strcspn(authority, "]") + 1 : strcspn(authority, ":");
}

/* HOST is the Host header of the client's request; NULL if there is none. */
static char *make_authority(const char *master, const char *host) {
        size_t length = strcspn(master, "/"), name = name_length(master);
        char *authority;
        int r;

        if (host && is_local(master) && !is_local(host) && name <= length)
                r = asprintf(&authority, "%.*s%.*s", (int) name_length(host), host,
                             (int) (length - name), master + name);
        else
                r = asprintf(&authority, "%.*s", (int) length, master);
        return r < 0 ? NULL : authority;
}

int master_link_redirect(const MasterLink *link, HttpRequest *request) {
        const char *query = http_request_query(request);
        _cleanup_free_ char *authority = NULL, *url = NULL;
        int r;

        authority = make_authority(url_authority(link->url), http_request_header(request, "Host"));
        if (!authority)
                return -ENOMEM;
        r = url_format(&url, authority, "%s%s%s", http_request_path(request), *query ? "?" : "",
                       query);
        return r < 0 ? r : http_request_reply_redirect(request, url, redirect_text);
}
