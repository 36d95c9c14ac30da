/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "core/url.h"
#include "http/record.h"
#include "volume/link/master-link.h"
#include "volume/link/masters.h"

static const char redirect_text[] =
                "Ask the master, at the address in the Location header. With curl, use -L to follow it.\n";

/* How long one of several masters may take for a report. After each round in which none was in time
 * it is twice as long, so often at most. */
#define PATIENCE_USEC    USEC_PER_SEC
#define PATIENCE_DOUBLED ((size_t) 3)

struct MasterLink {
        Peers *peers;           /* not owned */
        Allegiance *allegiance; /* not owned */
        Masters *masters;
        const char *_Atomic taken_by; /* the last one that has taken a report; NULL if none has */
        atomic_size_t n_late;         /* reports that got no answer in time since one was taken */
        void (*on_refresh)(void *userdata);
        void *userdata; /* of that */
};

int master_link_new(Peers *peers, Allegiance *allegiance, const char *urls, MasterLink **ret) {
        _cleanup_(master_link_freep) MasterLink *link = malloc(sizeof(*link));
        int r;

        if (!link)
                return -ENOMEM;

        *link = (MasterLink){ .peers = peers, .allegiance = allegiance };
        r = masters_new(urls, &link->masters);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(link);
        return 0;
}

MasterLink *master_link_free(MasterLink *link) {
        if (!link)
                return NULL;

        (void) masters_free(link->masters);
        free(link);
        return NULL;
}

const char *master_link_url(const MasterLink *link) {
        return masters_url(link->masters);
}

size_t master_link_count(const MasterLink *link) {
        return masters_count(link->masters);
}

void master_link_turn_to(MasterLink *link, const char *url) {
        (void) masters_turn_to(link->masters, url);
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

int master_link_call(
                MasterLink *link,
                CallKind kind,
                Buffer *body,
                void (*on_done)(const RpcResult *result, void *userdata),
                void *userdata) {
        Parties parties;

        if (!allegiance_call(link->allegiance, &parties))
                return -EINPROGRESS;
        return rpc_call(
                        &(RpcCall){
                                        .peers = link->peers,
                                        .kind = kind,
                                        .url = masters_url(link->masters),
                                        .parties = &parties,
                                        .body = body,
                                        .on_done = on_done,
                                        .userdata = userdata,
                        },
                        NULL);
}

/* With one master, what calls get anyway. */
static uint64_t patience(const MasterLink *link) {
        size_t n = masters_count(link->masters);

        return n > 1 ? PATIENCE_USEC << MIN(atomic_load(&link->n_late) / n, PATIENCE_DOUBLED) : 0;
}

int master_link_report(
                MasterLink *link,
                Buffer *body,
                void (*on_done)(const RpcResult *result, void *userdata),
                void *userdata,
                RpcCallHandle **ret,
                const char **ret_url) {
        Parties parties;

        (void) allegiance_call(link->allegiance, &parties);
        *ret_url = masters_url(link->masters);
        return rpc_call(
                        &(RpcCall){
                                        .peers = link->peers,
                                        .kind = CALL_REPORT,
                                        .url = *ret_url,
                                        .parties = &parties,
                                        .body = body,
                                        .timeout_usec = patience(link),
                                        .on_done = on_done,
                                        .userdata = userdata,
                        },
                        ret);
}

/* Whether the master itself has said nothing, or that it does not lead. */
static bool is_no_leader(int error, const RpcResult *result) {
        switch (error) {
        case -ESHUTDOWN: /* this side is stopped */
        case -ECANCELED: /* by who knows where to go instead */
        case -EINPROGRESS:
                return false;
        case -EKEYREVOKED: /* an older leader does not know yet that it is one */
        case -EDESTADDRREQ:
        case -ENOLINK:
        case -EHOSTDOWN:
                return true;
        default:
                return result->error < 0;
        }
}

/* What still waits for the leader of before, perhaps since it hangs, is repeated at the new one. */
static void note_taken(MasterLink *link, const char *url) {
        const char *before = atomic_exchange(&link->taken_by, url);

        atomic_store(&link->n_late, 0);
        if (before && before != url)
                peers_end_silent(link->peers, before, 0);
}

bool master_link_judge(MasterLink *link, const char *url, int error, const RpcResult *result) {
        const char *told = result->refusal == -EDESTADDRREQ ? result->detail : NULL;

        if (result->error == -ETIMEDOUT)
                (void) atomic_fetch_add(&link->n_late, 1);
        if (error == 0)
                note_taken(link, url);
        else if (told && !url_complain(told))
                (void) masters_turn_to(link->masters, told);
        else if (is_no_leader(error, result))
                masters_turn_from(link->masters, url);
        return masters_url(link->masters) != url;
}

int master_link_result(MasterLink *link, const RpcResult *result) {
        int r = rpc_result_error(result);

        if (r == -EINPROGRESS || r == -EKEYREVOKED ||
            (r < 0 && masters_count(link->masters) > 1 && is_no_leader(r, result)))
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

        authority = make_authority(
                        url_authority(masters_url(link->masters)),
                        http_request_header(request, "Host"));
        if (!authority)
                return -ENOMEM;
        r = url_format(&url, authority, "%s%s%s", http_request_path(request), *query ? "?" : "",
                       query);
        return r < 0 ? r : http_request_reply_redirect(request, url, redirect_text);
}
