/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Complaints: what a user is told when something fails: what failed, why, and what to do about it,
 * in whole sentences on stderr. */

#include "base/macro.h"

#define EXIT_USAGE 2

/* Prints one line; FORMAT may use %m. Returns -abs(ERROR), which allows return complain(r, "Failed
 * to …: %m"). */
int complain(int error, const char *format, ...) _printf_(2, 3);

/* The same for something that the user typed. Returns EXIT_USAGE, the verb's result. */
int complain_usage(const char *format, ...) _printf_(1, 2);

/* What to do about it: a line below the complaint. */
void advise(const char *format, ...) _printf_(1, 2);
