/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Caller: who calls the master, and whether it may; what is not meant for this master, or comes
 * from a store that is not the volume, is refused before any of its body is kept. */

#include "base/buffer.h"
#include "http/request.h"
#include "master/cluster/volumes.h"

typedef struct Master Master;

/* For the route table. A report comes from any store; everything else from the run that is the
 * volume, and that follows this leader. */
int caller_begin_report(HttpRequest *request);
int caller_begin(HttpRequest *request);

/* Returns 0, or -EREMOTE if the store belongs to another cluster. */
int caller_check_cluster(const Master *master, const VolumeReport *report);

/* Returns 0 and the body, or -EACCES if that is not the one that was announced. */
int caller_read(HttpRequest *request, const Buffer **ret_body);

/* Says why a report was refused, to the volume and to the administrator. */
int caller_refuse_report(HttpRequest *request, const VolumeReport *report, int error);
