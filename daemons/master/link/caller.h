/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Caller: who calls the master, and whether it may. A call that is meant for another master, or
 * comes from a store that is not the volume, is refused before any of its body is kept. */

#include "base/buffer.h"
#include "http/request.h"
#include "master/cluster/volumes.h"
#include "master/link/probe.h"
#include "master/trouble/trouble.h"
#include "rpc/secret.h"

/* What callers are checked against; nothing of it is owned. */
typedef struct Callers {
        Secret *secret;
        Index *index;
        Volumes *volumes;
        Troubles *troubles;
        Prober *prober;
} Callers;

/* For the route table. A report comes from any store; everything else from the run that is the
 * volume, and that follows this leader. */
int caller_begin_report(HttpRequest *request);
int caller_begin(const Callers *callers, HttpRequest *request);

/* For the route table: what the gate refuses. A volume whose clock is behind learns from the answer
 * to its report what time it is; one that signs with another secret is noted as trouble. */
int caller_refuse(HttpRequest *request, int error);
int caller_refuse_reporter(const Callers *callers, HttpRequest *request, int error);

/* Returns 0, or -EREMOTE if the store belongs to another cluster. */
int caller_check_cluster(const Callers *callers, const VolumeReport *report);

/* Says why a report was refused, to the volume and to the administrator. */
int caller_refuse_report(
                const Callers *callers,
                HttpRequest *request,
                const VolumeReport *report,
                int error);
