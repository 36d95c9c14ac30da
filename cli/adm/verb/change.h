/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Verbs that move values. See verbs.h for what a verb is. */

#include "adm/context/context.h"

int verb_volume_add(int argc, char *argv[], void *userdata);
int verb_volume_delete(int argc, char *argv[], void *userdata);
int verb_rebalance(int argc, char *argv[], void *userdata);
int verb_set(int argc, char *argv[], void *userdata);

/* Makes all of the volumes active or none, without moving values to them; waits a few seconds for
 * volumes that have not reported yet. Returns 0 or a negative errno, having said what is wrong. */
int master_add_volumes(Context *context, const uint32_t numbers[], size_t n);
