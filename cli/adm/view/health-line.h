/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Two lines: how the cluster is and why, and what to do about it. */

#include <stdio.h>

#include "frame/table.h"

Colour health_colour(const char *health);

/* REASON and ADVICE may be empty. Lines that are too long for the terminal are broken at blanks. */
void health_line_print(
                FILE *file,
                const TableLook *look,
                const char *health,
                const char *reason,
                const char *advice);
