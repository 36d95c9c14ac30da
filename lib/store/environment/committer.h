/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Committer: the one thread that changes an environment. What it does with the operations that are
 * submitted to it stands in store/environment/environment.h. */

#include "store/environment/environment-internal.h"

int committer_start(Environment *environment);

/* Completes what was submitted before. */
void committer_stop(Environment *environment);
