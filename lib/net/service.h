/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Service: what each daemon does to be one: listening sockets, signals, readiness, the main loop.
 */

#include <systemd/sd-event.h>

#include "base/macro.h"

/* Returns the listening socket for HTTP: the one that was passed in under the name "http" (or the
 * only one), else a new one bound to LISTEN ("127.0.0.1:3000", "[::1]:3000", "3000" for all
 * addresses of the machine). Returns a descriptor, -EINVAL for a malformed address, or another
 * negative errno. */
int service_listen(const char *listen);

/* The port that a socket is bound to, or a negative errno. */
int service_port(int fd);

/* Makes the thread's default event loop with SIGTERM and SIGINT ending it and SIGHUP calling
 * ON_RELOAD (may be NULL). All threads that are started later have these signals blocked. SIGPIPE
 * is ignored. */
int service_new(int (*on_reload)(void *userdata), void *userdata, sd_event **ret);

/* The cluster's secret: $CREDENTIALS_DIRECTORY/dkv.secret, else the file PATH. Returns 0 and a new
 * buffer, -ENOENT if there is neither, -EINVAL if it is shorter than SECRET_MIN, -EPERM if others
 * than the owner may read the file. */
int service_read_secret(const char *path, void **ret_secret, size_t *ret_size);

/* sd_notify() with one formatted line such as "STATUS=…"; does nothing outside of systemd. */
void service_notify(const char *format, ...) _printf_(1, 2);
