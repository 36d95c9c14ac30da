/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Fences: which volumes no commit may name.
 *
 * A volume is fenced if it was removed from the map, or if it is draining and a drain that goes on
 * says so (Job.is_fenced). Nothing else is remembered, so a job that has ended leaves no fence
 * behind. */

#include "master/cluster/volumes.h"
#include "master/queue/table.h"

/* Sets the fences in the index to what map and jobs say now. Waits for the committer; without the
 * table's lock. Returns 0 or a negative errno. */
int fences_set(Index *index, Volumes *volumes, JobTable *table);

/* Before there are threads: sets the fences, and adds a drain for each volume that is draining
 * without one, since the master may have ended between the change of the map and the save of the
 * job. Returns 0 or a negative errno. */
int fences_make_up(Index *index, Volumes *volumes, JobTable *table);
