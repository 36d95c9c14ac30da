/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Store log: what a daemon tells the administrator about its store when it opens it. WHAT is what
 * messages call the store: "index" or "store". */

#include "store/environment/environment.h"

/* Tells why the store in DIRECTORY was not opened, on the thread that tried. Returns ERROR. */
int store_log_failure(const char *what, const char *directory, int error);

/* Tells what the recovery found: an unclean end, pages that were put right, and pages that cannot
 * be read. */
void store_log_opened(const char *what, const Environment *environment);
