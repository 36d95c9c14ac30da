/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Settings: what an administrator may say about one volume. See change.h for what is true of all
 * changes. */

#include "master/cluster/change.h"

typedef struct VolumeSettings {
        const char *url, *zone; /* NULL leaves as is, "" gives back to the volume's own report */
        uint32_t weight;        /* 0 leaves as is */
} VolumeSettings;

int volumes_set(Volumes *volumes,
                uint32_t number,
                const VolumeSettings *settings,
                VolumesChange *change);

/* While in maintenance, a volume gets no new values, is still read, and may be down without
 * degrading the cluster. UNTIL_USEC is since the epoch, UINT64_MAX without end, 0 ends it. */
int volumes_set_maintenance(
                Volumes *volumes, uint32_t number, uint64_t until_usec, VolumesChange *change);
