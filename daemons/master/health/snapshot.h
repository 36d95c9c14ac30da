/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Snapshot: the health of the cluster as it is now, for every place that shows it. */

#include "core/checksum.h"
#include "master/health/health.h"

typedef struct HealthSnapshot {
        VolumeStatus *volumes; /* owned, as the troubles are */
        Trouble *troubles;
        HealthInput input; /* points to both */
        uint64_t epoch;
        uint32_t copies;
        Health health;
} HealthSnapshot;

/* Returns 0 or -ENOMEM. */
int health_snapshot(Volumes *volumes, Troubles *troubles, HealthSnapshot *ret);
void health_snapshot_done(HealthSnapshot *snapshot);

/* Another one when the troubles are others. */
Checksum health_snapshot_mark(const HealthSnapshot *snapshot);

/* Calls back as health_each() does, with the words of each trouble. */
typedef struct TroubleWords {
        const Trouble *trouble;
        const char *name, *level, *sentence, *advice;
} TroubleWords;

/* Ends with the first negative errno that ON_WORDS returns, which it returns. */
int health_snapshot_each(
                const HealthSnapshot *snapshot,
                int (*on_words)(const TroubleWords *words, void *userdata),
                void *userdata);
