/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Copy verify: whether a database is a whole B-tree, with all of its pages and in order. */

#include "base/macro.h"

/* Reads all of the file NAME in DIRECTORY, which nobody has open. Returns 0, -EBADMSG
 * (disk_last_damage() names the file), or another negative errno. */
int copy_verify(const char *directory, const char *name);
