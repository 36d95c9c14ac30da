/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Deletions: what the master's collector has this volume delete; see core/call/wire.h.
 *
 * A call that was held up on its way may arrive when the master has long given it up, repeated it,
 * and had a copy of one of its versions made here anew. So the master numbers its calls, and one
 * that comes behind its successor is refused, also after a restart. */

#include "http/request.h"
#include "store/object/objects.h"

typedef struct Deletions Deletions;

/* STORE is not owned. Returns 0, -EBADMSG, or another negative errno. */
int deletions_new(ObjectStore *store, Deletions **ret);

/* The HTTP server and the store must have been freed before. */
Deletions *deletions_free(Deletions *deletions);
DEFINE_CLEANUP(Deletions *, deletions_free);

/* The number of the last call; 0 if there was none. */
uint64_t deletions_last(Deletions *deletions);

int deletions_finish(HttpRequest *request);
