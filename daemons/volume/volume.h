/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The volume daemon: one object store, served over HTTP.
 *
 * Requests run on the loops, changes of the store on its committer, calls to the
 * master and to other volumes on the HTTP clients' threads; the main thread has the timers. Only
 * main.c and volume.c know this header: each module is given what it needs. */

#include "daemon/program.h"

typedef struct VolumeDaemon VolumeDaemon;

/* Loads the settings, opens the store, connects everything and starts to serve. ARGUMENTS must
 * stay: the settings are loaded again when a signal asks for it. Errors are logged. */
int volume_daemon_new(const ProgramArguments *arguments, VolumeDaemon **ret);

/* Ends the process if some requests do not end. Accepts NULL. */
VolumeDaemon *volume_daemon_free(VolumeDaemon *volume);
DEFINE_CLEANUP(VolumeDaemon *, volume_daemon_free);

/* Runs until a signal ends it, and then until the running requests have ended. */
int volume_daemon_run(VolumeDaemon *volume);
