/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Founding: how a group of masters begins. The first one, which may have been alone for years,
 * makes the group with all of its members, and prints what the others need: which group it is, and
 * its index. They read that, and from then on each may be started.
 *
 * A member is made once. One that has taken part has promised things that it must remember: nobody
 * makes it anew. Errors are logged. */

#include "store/index/index.h"

/* The master whose index OPTIONS name becomes the first of the group at URLS, a list as of
 * core/url.h, of 1, 3 or 5 masters; what the others need goes to the file descriptor OUTPUT.
 * Returns 0, -EEXIST if it is a member already that was started, or another negative errno. May be
 * repeated before the first start. */
int founding_found(const IndexOptions *options, const char *urls, int output);

/* The master without an index whose directory OPTIONS name becomes member NUMBER of the group that
 * INPUT is about. Returns 0, -ENOTEMPTY if there is anything in the directory, or another negative
 * errno. */
int founding_join(const IndexOptions *options, uint64_t number, int input);
