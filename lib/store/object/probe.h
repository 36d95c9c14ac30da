/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Tests whether an object store can keep new objects, as far as that shows without storing one. */

#include "store/object/objects.h"

/* Makes an unnamed file with room for SIZE bytes, and looks whether the directories are there and
 * may be written to. With FLUSH it is flushed, too. Blocks. Returns 0, -ENOSPC if there is not so
 * much room besides what is kept free, or what the system says as a negative errno. */
int object_store_test(ObjectStore *store, uint64_t size, bool flush);
