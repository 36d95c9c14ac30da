/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Clocks: notes as trouble whose clock is wrong, by what the volumes report. */

#include "master/cluster/volumes.h"
#include "master/trouble/trouble.h"

void clocks_look(Troubles *troubles, const VolumeStatus volumes[], size_t n);
