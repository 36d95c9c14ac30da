/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Check: whether the writes that a ledger names can be read. */

#include "bench/bench.h"

/* Reads all keys of the ledger at PATH, and prints how many values are not what was acknowledged,
 * and which. Returns 0 if there are none, 1 if there are, or a negative errno, having said what is
 * wrong. */
int check_ledger(Bench *bench, const char *path);
