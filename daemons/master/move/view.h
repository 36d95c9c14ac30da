/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* View: the cluster map together with what the volumes last reported, as they were at one moment.
 * What plans the moves of many keys looks at it for each of them, without a lock. */

#include "master/cluster/volumes.h"

typedef struct ClusterView {
        Cluster *cluster;      /* owned */
        VolumeStatus *volumes; /* those of the map, in the same order; owned */
        size_t n_volumes;
        uint32_t copies;      /* of each value, as there should be */
        bool is_constrained;  /* a volume that holds values is down or nearly full */
        uint64_t looked_usec; /* monotonic; 0 for never */
} ClusterView;

/* Looks at VOLUMES as they are now. Returns 0, or a negative errno: then the view is empty. */
int cluster_view_look(ClusterView *view, Volumes *volumes);

/* Frees what it holds, and leaves it empty. */
void cluster_view_done(ClusterView *view);

/* NULL if there is no such volume. */
const VolumeStatus *cluster_view_find(const ClusterView *view, uint32_t number);

/* The status of a volume of the view's own map. */
const VolumeStatus *cluster_view_status(const ClusterView *view, const Volume *volume);
