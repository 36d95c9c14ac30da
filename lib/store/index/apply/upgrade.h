/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Upgrades: what an index of an earlier version lacks. Each is a function of the tables alone. */

#include "store/index/apply/tables.h"

/* The environment's hook: sets the revision of an index from before there were any. */
int upgrade_revision(Transaction *transaction, void *userdata);

/* Once, for an index from before there were surplus copies: takes all of its garbage for such.
 * Submits an operation and waits for it. Returns 0 or a negative errno. */
int upgrade_surplus(Tables *tables);

/* Whether nothing of it is left to be done. Returns 0, -EPROTONOSUPPORT, or another negative errno.
 */
int upgrade_is_complete(const Tables *tables);
