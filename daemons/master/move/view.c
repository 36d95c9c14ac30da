/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "master/move/view.h"
#include "base/clock.h"

void cluster_view_done(ClusterView *view) {
        (void) cluster_free(view->cluster);
        free(view->volumes);
        *view = (ClusterView){};
}

static bool is_constrained(const VolumeStatus *volume) {
        bool is_used = volume->state == VOLUME_ACTIVE || volume->state == VOLUME_DRAINING;

        return is_used && (!volume->up || volume->nearly_full);
}

/* Both the map and the statuses are ordered by number; they belong together if they are of the same
 * epoch. */
int cluster_view_look(ClusterView *view, Volumes *volumes) {
        uint64_t epoch;
        int r;

        do {
                cluster_view_done(view);
                r = volumes_list(volumes, &view->volumes, &view->n_volumes, &epoch);
                if (r >= 0)
                        r = volumes_snapshot(volumes, &view->cluster);
                if (r < 0) {
                        cluster_view_done(view);
                        return r;
                }
        } while (view->cluster->epoch != epoch);

        for (size_t i = 0; i < view->n_volumes; i++)
                view->is_constrained = view->is_constrained || is_constrained(view->volumes + i);
        view->copies = volumes_copies(volumes);
        view->looked_usec = clock_monotonic();
        return 0;
}

const VolumeStatus *cluster_view_find(const ClusterView *view, uint32_t number) {
        for (size_t i = 0; i < view->n_volumes; i++)
                if (view->volumes[i].number == number)
                        return view->volumes + i;
        return NULL;
}

const VolumeStatus *cluster_view_status(const ClusterView *view, const Volume *volume) {
        return view->volumes + (volume - view->cluster->volumes);
}
