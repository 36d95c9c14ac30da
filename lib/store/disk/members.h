/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Members: the file "members" in the directory of an environment, which lists what belongs to it.
 *
 * Berkeley DB creates a database that it does not find, and then everything else that belonged to
 * the lost one is rubbish. So nothing is opened while a member is missing: most often its disk is
 * not mounted. The list is written, durably, once all members are there; while a store is being
 * made for the first time, the list says so. A store from before there were lists gets one if it
 * looks whole. */

#include "base/macro.h"

#define MEMBERS_FILE "members"

/* In a directory with nothing in it: notes, durably, that a store is being loaded there. Until it
 * is complete and members_write() says so, nobody else takes what is there for a store. */
int members_begin_load(int dir_fd);

/* Checks DIR_FD. REQUIRED, which ends with NULL, is what a store without a list must have if it
 * has anything at all. Returns 0 if all members are there; 1 if the store is new, which has been
 * noted durably; -EINPROGRESS if it is being loaded, or that did not come to its end; -ENOMEDIUM if
 * one is missing, and members_missing() has its name; -EBADMSG for a list that makes no sense;
 * or another negative errno. */
int members_check(int dir_fd, const char *const required[]);

/* The name of what was found missing last on this thread, or "". */
const char *members_missing(void);

/* Notes that NAME is missing. Returns -ENOMEDIUM. */
int members_note_missing(const char *name);

/* Writes the list of N names, durably, unless it is there already. What it names is there. */
int members_write(int dir_fd, const char *const names[], size_t n);
