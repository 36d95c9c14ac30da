/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Masters: those that this volume may have, and which of them it talks to: the one that was last
 * said to lead, until that one fails. All of it may be called from any thread. */

#include <stddef.h>

#include "base/macro.h"

typedef struct Masters Masters;

/* LIST is of url_list_normalize(), and copied. Returns 0 or -ENOMEM. */
int masters_new(const char *list, Masters **ret);

/* Accepts NULL. */
Masters *masters_free(Masters *masters);
DEFINE_CLEANUP(Masters *, masters_free);

/* Whom it talks to. The string stays as long as MASTERS. */
const char *masters_url(const Masters *masters);

/* How many there are to try: those of the list. */
size_t masters_count(const Masters *masters);

/* Somebody who knows says that the master at URL leads. One that is not in the list is remembered
 * as well, up to a number. Returns whether it will be talked to from now on. */
bool masters_turn_to(Masters *masters, const char *url);

/* The one at URL did not help: the next of the list is to be tried, unless another one is talked to
 * already. */
void masters_turn_from(Masters *masters, const char *url);
