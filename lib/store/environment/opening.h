/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Opening: how an environment comes to be, through a recovery if need be, and how it is closed. */

#include "store/environment/environment-internal.h"

/* Opens, recovers, starts the threads. Returns 0, -EBUSY if another process has it open,
 * -EPROTONOSUPPORT if it is of another format, -EBADMSG if it is damaged (disk_last_damage() says
 * where), -ENOMEDIUM if a file is missing (members_missing() says which), or another negative
 * errno. */
int environment_open(
                const EnvironmentOptions *options,
                const EnvironmentHooks *hooks,
                Environment **ret);

/* Keeps everybody from opening what is in this directory until the descriptor is closed that this
 * returns. Returns -EBUSY if somebody has it open, or another negative errno. */
int environment_lock(int dir_fd);

/* When the owner has opened all that belongs to it: writes down what that is. */
int environment_seal(Environment *environment);

/* Opens or creates a B-tree; it is closed with the environment. NAME ends in DATABASE_SUFFIX. */
int environment_open_database(Environment *environment, const char *name, DB **ret);

/* Completes what was submitted, makes a checkpoint, closes. */
Environment *environment_free(Environment *environment);
DEFINE_CLEANUP(Environment *, environment_free);
