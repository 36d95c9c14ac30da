/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Caller: checks who calls this volume, once the gate has checked the signature.
 *
 * An order is a call of the master that this volume follows; a neighbor is another volume of the
 * cluster; a greeting comes from any master of the cluster. A call that is not meant for this
 * volume is refused before any of its body is kept, and the caller is told who is here. */

#include "http/request.h"
#include "rpc/rpc-service.h"
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

/* For the RPC service: whether who OFFERs to call means this volume. Returns 0 with the ANSWER; or
 * a negative errno, see allegiance_check_receiver(), and the caller is told who is here. */
int caller_admit(
                const Callers *callers,
                const Handshake *offer,
                Handshake *answer,
                char ret_sentence[static FRAME_SENTENCE_MAX + 1]);

/* For the table of calls: see allegiance_check_order(). */
int caller_begin_order(const Callers *callers, RpcRequest *request);

/* For begin functions of routes. Return 0 if the request may go on; else a negative errno, or they
 * have replied. See allegiance_check_receiver() and _check_greeting(). */
int caller_begin_neighbor(const Callers *callers, HttpRequest *request);
int caller_begin_greeting(const Callers *callers, HttpRequest *request);

/* For finish functions, after caller_begin_order(). Returns the body, which is good until the
 * answer; what the order stores tells which revision it knows. */
const Buffer *caller_read_order(const Callers *callers, RpcRequest *request);
