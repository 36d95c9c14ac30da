/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Screen: the terminal as a page that is redrawn repeatedly, while keys are read one by one.
 *
 * The previous contents of the terminal come back when the program leaves the screen: by
 * screen_leave(), by exit(), or by a failed assertion. The caller turns signals into an ordinary
 * end. There is one screen in a process. */

#include <stdio.h>

#include "base/macro.h"

/* Takes stdin and stdout, which must be terminals. Returns 0 or a negative errno. */
int screen_enter(void);
void screen_leave(void);

/* Draws the first lines of TEXT that fit the terminal, cut to its width, and its last line at the
 * bottom. TEXT may have colours. Returns 0 or a negative errno. */
int screen_draw(const char *text);
