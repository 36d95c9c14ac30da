/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Master link: where this volume's master is, and how to call it.
 *
 * Everything that talks to the master goes through here: this is the one module that knows the
 * URL, and what it means when the master answers "you are not known here" or "I do not lead".
 * All of it may be called from any thread. */

#include "http/request.h"
#include "rpc/rpc-call.h"
#include "volume/link/allegiance.h"

typedef struct MasterLink MasterLink;

/* PEERS and ALLEGIANCE are not owned; URL ("http://host:port") is copied. Returns 0 or -ENOMEM. */
int master_link_new(Peers *peers, Allegiance *allegiance, const char *url, MasterLink **ret);

/* The peers must have been freed before. Accepts NULL. */
MasterLink *master_link_free(MasterLink *link);
DEFINE_CLEANUP(MasterLink *, master_link_free);

/* The master's URL, borrowed. */
const char *master_link_url(const MasterLink *link);

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

/* Sends a report: a call that is also made before the volume follows anybody. Returns 0 or a
 * negative errno. */
int master_link_report(
                MasterLink *link,
                Buffer *body,
                void (*on_done)(const RpcResult *result, void *userdata),
                void *userdata);

/* What a call came to: 0, or a negative errno. If the master does not know this volume, or leads no
 * longer, it asks for a report as well. */
int master_link_result(MasterLink *link, const RpcResult *result);

/* Replies 307 to the same path and query at the master. If this volume reaches the master on its
 * own machine, the client is sent to the name by which it reached the volume. Returns as
 * http_request_reply(). */
int master_link_redirect(const MasterLink *link, HttpRequest *request);
