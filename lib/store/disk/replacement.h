/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Replacement: a whole environment takes the place of the one in a directory.
 *
 * It is made in a directory below that. From the moment that this is renamed, it is the one that
 * counts: whatever happens then, what is left to be done is done when the environment is opened
 * next. Before that moment nothing has changed. So there is always the old one or the new one, also
 * after a loss of power.
 *
 * What is left to be done: the files of the old one are removed, but for the list of its members,
 * so that no one who does not know of replacements takes the rest for a store; that this is done is
 * noted by another name of the directory; then its files move. */

#include "base/macro.h"

/* Where a replacement is made. What is there when the environment is opened is left over. */
#define REPLACEMENT_DIRECTORY "incoming"

/* Makes REPLACEMENT_DIRECTORY anew, empty, in which nobody sees a store yet. Returns its
 * descriptor, or a negative errno. */
int replacement_begin(int dir_fd);

/* Removes it. */
int replacement_discard(int dir_fd);

/* What is in REPLACEMENT_DIRECTORY is complete and closed: it takes the place. Nobody has the
 * environment open, or can open it meanwhile. Returns 0 or a negative errno; then
 * replacement_complete() tells which of the two it is. */
int replacement_install(int dir_fd);

/* Whether there is one that counts, and is not in its place yet. */
bool replacement_is_pending(int dir_fd);

/* Does what is left of a replacement that counts, if there is one, and removes what never became
 * one. Whoever opens the environment calls this first, when no one else can. Returns 0 or a
 * negative errno. */
int replacement_complete(int dir_fd);
