/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Who reaches whom, as far as it is known; what placement goes by is in volumes.h. */

#include "master/cluster/volumes.h"

/* Whether there is a volume at AUTHORITY ("host:port") that is up and answers the master. */
bool volumes_answers_at(Volumes *volumes, const char *authority);

/* Whether FROM says that it cannot reach TO. */
bool volumes_is_cut(Volumes *volumes, uint32_t from, uint32_t to);
