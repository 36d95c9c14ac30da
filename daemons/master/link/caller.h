/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Caller: who calls the master, and whether it may; what is not meant for this master, or comes
 * from a store that is not the volume, is refused before any of its body is kept. */

#include "base/buffer.h"
#include "http/request.h"
#include "master/cluster/trouble.h"
#include "master/cluster/volumes.h"
#include "master/link/probe.h"
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
int caller_begin_report(const Callers *callers, HttpRequest *request);
int caller_begin(const Callers *callers, HttpRequest *request);

/* Returns 0, or -EREMOTE if the store belongs to another cluster. */
int caller_check_cluster(const Callers *callers, const VolumeReport *report);

/* Returns 0 and the body, or -EACCES if that is not the one that was announced. */
int caller_read(const Callers *callers, HttpRequest *request, const Buffer **ret_body);

/* Says why a report was refused, to the volume and to the administrator. */
int caller_refuse_report(
                const Callers *callers,
                HttpRequest *request,
                const VolumeReport *report,
                int error);
