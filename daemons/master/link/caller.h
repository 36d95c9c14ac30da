/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Caller: who calls the master, and whether it may. A call that is meant for another master, or
 * comes from a store that is not the volume, is refused. */

#include "base/buffer.h"
#include "master/cluster/volumes.h"
#include "master/link/probe.h"
#include "master/trouble/trouble.h"
#include "rpc/rpc-service.h"

/* What callers are checked against; nothing of it is owned. */
typedef struct Callers {
        Index *index;
        Volumes *volumes;
        Troubles *troubles;
        Prober *prober;
} Callers;

/* For the RPC service: whether who OFFERs to call is a volume that looks for a master, whichever
 * that is. Returns 0 with the ANSWER, or -EREMOTE. */
int caller_admit(const Callers *callers, const Handshake *offer, Handshake *answer);

/* For the table of calls. A report comes from any store; everything else from the run that is the
 * volume, and that follows this leader. */
int caller_begin_report(RpcRequest *request);
int caller_begin(const Callers *callers, RpcRequest *request);

/* Returns 0, or -EREMOTE if the store belongs to another cluster. */
int caller_check_cluster(const Callers *callers, const VolumeReport *report);

/* Says why a report was refused, to the volume and to the administrator. */
int caller_refuse_report(
                const Callers *callers, RpcRequest *request, const VolumeReport *report, int error);
