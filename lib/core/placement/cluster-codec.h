/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The cluster map as it is stored: a format byte, then the map; see ARCHITECTURE.md. */

#include "base/buffer.h"
#include "core/placement/cluster.h"

void cluster_encode(const Cluster *cluster, Buffer *buffer);

/* Returns 0, -EPROTONOSUPPORT for an unknown format, -EBADMSG for anything malformed, or -ENOMEM.
 */
int cluster_decode(const void *data, size_t size, Cluster **ret);
