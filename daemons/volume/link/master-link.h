/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Master link: where this volume's master is, and how to call it.
 *
 * Everything that talks to the master goes through here: this is the one module that knows the
 * URL, and what it means when the master answers "you are not known here" or "I do not lead". Of
 * several masters one is talked to (link/masters.h); the reports find out which one that is, and
 * all other calls go there. All of it may be called from any thread. */

#include "http/request.h"
#include "rpc/rpc-call.h"
#include "volume/link/allegiance.h"

typedef struct MasterLink MasterLink;

/* PEERS and ALLEGIANCE are not owned; URLS, a list as of url_list_normalize(), is copied. Returns 0
 * or -ENOMEM. */
int master_link_new(Peers *peers, Allegiance *allegiance, const char *urls, MasterLink **ret);

/* The peers must have been freed before. Accepts NULL. */
MasterLink *master_link_free(MasterLink *link);
DEFINE_CLEANUP(MasterLink *, master_link_free);

/* The URL of the master that is talked to, borrowed. */
const char *master_link_url(const MasterLink *link);

/* How many masters there are to try. */
size_t master_link_count(const MasterLink *link);

/* Registers what master_link_refresh() runs; before there are other threads. */
void master_link_set_refresh(MasterLink *link, void (*on_refresh)(void *userdata), void *userdata);

/* Has the report go out soon instead of with the next second: something may have changed at the
 * master, or it does not know this volume. */
void master_link_refresh(MasterLink *link);

/* As peers_post(), on the thread on which on_done() of calls runs. */
int master_link_post(
                MasterLink *link,
                uint64_t delay_usec,
                void (*function)(void *userdata),
                void *userdata);

/* Calls the leader that this volume follows, as rpc_call() does: takes BODY over. Returns 0,
 * -EINPROGRESS while the volume follows nobody, or another negative errno. */
int master_link_call(
                MasterLink *link,
                CallKind kind,
                Buffer *body,
                void (*on_done)(const RpcResult *result, void *userdata),
                void *userdata);

/* Sends a report: a call that is also made before the volume follows anybody. RET is a reference to
 * the call, as of rpc_call(), and RET_URL where it goes, borrowed; both are set before it begins.
 * Returns 0 or a negative errno. */
int master_link_report(
                MasterLink *link,
                Buffer *body,
                void (*on_done)(const RpcResult *result, void *userdata),
                void *userdata,
                RpcCallHandle **ret,
                const char **ret_url);

/* A report to URL came to ERROR: 0 if it was taken, else the negative errno of RESULT, or what was
 * wrong with the answer. Returns whether another master is to be asked now. */
bool master_link_judge(MasterLink *link, const char *url, int error, const RpcResult *result);

/* Somebody who has the secret says that the master at URL leads. */
void master_link_turn_to(MasterLink *link, const char *url);

/* What another call came to: 0, or a negative errno. If the master does not know this volume, leads
 * no longer, or cannot be reached while there are others, it asks for a report as well. */
int master_link_result(MasterLink *link, const RpcResult *result);

/* Replies 307 to the same path and query at the master. If this volume reaches the master on its
 * own machine, the client is sent to the name by which it reached the volume. Returns as
 * http_request_reply(). */
int master_link_redirect(const MasterLink *link, HttpRequest *request);
