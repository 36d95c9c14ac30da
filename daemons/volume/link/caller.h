/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Caller: checks who calls this volume, once the gate has checked the signature.
 *
 * An order is a call of the master that this volume follows; a neighbor is another volume of the
 * cluster; a greeting comes from any master of the cluster. A call that is not meant for this
 * volume is refused before any of its body is kept, and the caller is told who is here. */

#include "http/request.h"
#include "rpc/secret.h"
#include "store/object/objects.h"
#include "volume/link/allegiance.h"
#include "volume/link/master-link.h"

/* What callers are checked with; none of it is owned. */
typedef struct Callers {
        Secret *secret; /* for answers and copies that this volume signs */
        Allegiance *allegiance;
        ObjectStore *store; /* hears which revision of the index an order knows */
        MasterLink *master; /* reports soon, if only the next report will tell */
} Callers;

/* For begin functions of routes. Return 0 if the call may go on; else a negative errno, or they
 * have replied. See allegiance_check_order(), _check_receiver() and _check_greeting(). */
int caller_begin_order(const Callers *callers, HttpRequest *request);
int caller_begin_neighbor(const Callers *callers, HttpRequest *request);
int caller_begin_greeting(const Callers *callers, HttpRequest *request);

/* For finish functions, after caller_begin_order(). Returns 0 and the body, which is good until the
 * request is over; or -EKEYREVOKED if the volume follows another leader by now. */
int caller_read_order(const Callers *callers, HttpRequest *request, const Buffer **ret_body);

/* Replies with a list of wire_put_error(), or with what is wrong with ERRORS. From any thread. */
void caller_reply_errors(HttpRequest *request, const Buffer *errors);
