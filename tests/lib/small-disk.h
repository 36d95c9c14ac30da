/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Small disk: what becomes of a store when there is no room left. */

/* Mounts a file system of so many KIB on DIRECTORY and runs SCENE there. Both are in a process of
 * their own, which others do not see the mount of; a failed assertion ends it. Returns its status
 * as of waitpid(): 0 if all went well; or -EPERM if this machine does not let us mount. */
int small_disk(const char *directory, unsigned kib, void (*scene)(const char *directory));
