/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Change: what an administrator does to the volumes; volume-settings.h and membership.h say what
 * that may be.
 *
 * Each change is checked against the map as it is when its turn comes, and is made as a whole or
 * not at all. Once it is in force, durable and announced, done() is called with 0. The functions
 * return a negative errno if the change is refused at once; then done() is not called. If the
 * change had to wait and is refused later, or cannot be stored, done() gets the error. A change
 * that changes nothing succeeds and leaves the epoch as it is.
 *
 * All of them: -EREMCHG if the map has another epoch than the change expects, -ENOENT for the
 * number of an unknown volume, -EBUSY for that of a removed one, -EINVAL for impossible values. */

#include "master/cluster/volumes.h"

/* A change, from the call to done(). Embedded in what knows the details; it must not move until
 * done() is called, or the call has failed. */
typedef struct VolumesChange {
        uint64_t epoch; /* that the map must have, or EPOCH_ANY; for done(), that of the map now */

        /* On the committer's thread; must not block. A change that still waits when volumes_free()
         * is called gets -ESHUTDOWN from there. */
        void (*done)(struct VolumesChange *change, int result);

        uint32_t refused; /* after a failure: the volume that it is about; 0 for all, or none */
} VolumesChange;
