/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Report: the master takes note of what a volume says of itself, each second, and has the map say
 * it if that is news. */

#include "master/cluster/volumes.h"

/* Takes note. Returns 0, -EINVAL for a number or URL that cannot be, -EEXIST if the number belongs
 * to another store (that was added, or is up), -EBUSY for that of a removed volume, -ENOTUNIQ if
 * another run of the store is up elsewhere, -EINPROGRESS if that is not known yet, -EALREADY if a
 * later one was here before. */
int volumes_report(Volumes *volumes, const VolumeReport *report);
