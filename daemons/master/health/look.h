/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Look: the health of the cluster as it is now, for every place that shows it. */

#include "core/checksum.h"
#include "master/health/health.h"

typedef struct HealthLook {
        VolumeStatus *volumes; /* owned, as the troubles are */
        Trouble *troubles;
        HealthInput input; /* points to both */
        uint64_t epoch;
        uint32_t copies;
        Health health;
} HealthLook;

/* Returns 0 or -ENOMEM. */
int health_look(Volumes *volumes, Troubles *troubles, HealthLook *ret);
void health_look_done(HealthLook *look);

/* Another one when the troubles are others. */
Checksum health_look_mark(const HealthLook *look);

/* Calls back as health_each() does, with the words of each trouble. */
typedef struct TroubleWords {
        const Trouble *trouble;
        const char *name, *level, *sentence, *advice;
} TroubleWords;

/* Ends with the first negative errno that ON_WORDS returns, which it returns. */
int health_look_each(
                const HealthLook *look,
                int (*on_words)(const TroubleWords *words, void *userdata),
                void *userdata);
