/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* How far an object store has come; see reach.h. */

#include "store/object/objects.h"
#include "store/object/reach.h"

/* What is on the disk of it. */
Reach object_store_reach(const ObjectStore *store);

/* A master has told of this revision: it is stored with what is stored next, or by
 * object_store_save_reach(), which does not wait for that. */
void object_store_hear(ObjectStore *store, uint64_t revision);
void object_store_save_reach(ObjectStore *store);
