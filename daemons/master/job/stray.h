/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What has to wait for old copies: no copy of a version may come to a volume where one is about to
 * be deleted. */

#include <stdbool.h>
#include <stdint.h>

typedef struct Jobs Jobs;
typedef struct Pass Pass;

/* A copy that is about to be deleted, of a version that is current. */
typedef struct Stray {
        uint64_t version;
        uint32_t volume;
} Stray;

bool stray_is_there(Jobs *jobs, const Stray *stray);

/* When it may be deleted, since the epoch; 0 if it is gone already. */
uint64_t stray_due(Jobs *jobs, const Stray *stray);

/* If nothing could be moved, and that is why: says until when. */
bool pass_wait_for_strays(Pass *pass);
