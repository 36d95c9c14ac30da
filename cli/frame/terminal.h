/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Terminal: what stdout is, and the pager in front of it. */

#include "base/macro.h"

/* Whether stdout is a terminal, or was one before pager_open(). */
bool terminal_is_there(void);

/* Columns and lines of the terminal, or from $COLUMNS and $LINES; 80 and 24 if unknown. Returns
 * whether they are known. */
bool terminal_size(unsigned *ret_columns, unsigned *ret_lines);

/* Whether to use colours: as $SYSTEMD_COLORS says, else not if $NO_COLOR is set, else on a terminal
 * that is not "dumb". */
bool terminal_has_colours(void);

/* Sends stdout through $SYSTEMD_PAGER, $PAGER or less, until pager_close(), which waits for it.
 * Does nothing without a terminal, if the pager's name is empty or "cat", or if there is none. */
void pager_open(void);
void pager_close(void);
