/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Service: what each daemon does to be one: listening sockets, signals, the main loop, and what
 * systemd is told about it. Outside of systemd all is the same, except that nobody is told. */

#include <systemd/sd-event.h>

#include "base/macro.h"

/* Returns the listening socket for HTTP: the one that was passed in under the name "http" (or the
 * only one), else a new one bound to LISTEN ("127.0.0.1:3000", "[::1]:3000", "3000" for all
 * addresses of the machine). Returns a descriptor, -EINVAL for a malformed address, or another
 * negative errno. */
int service_listen(const char *listen);

/* Returns the port that a socket is bound to, or a negative errno. */
int service_port(int fd);

/* Finds the other HTTP sockets that systemd passed, which are served as well. Returns how many,
 * -E2BIG if there are more than MAX, or another negative errno. */
int service_listen_more(int ret[], size_t max);

/* Whether systemd passed a socket of a unit, which service_listen() takes whatever its argument is.
 */
bool service_is_activated(void);

/* Where a socket is bound to: "127.0.0.1:3000". */
#define SERVICE_ADDRESS_SIZE 64
int service_format_address(int fd, char ret[static SERVICE_ADDRESS_SIZE]);

typedef struct Service Service;

/* What the daemon does; all of it on the main loop's thread, all of it optional. */
typedef struct ServiceHooks {
        /* SIGHUP: reads its settings anew. */
        void (*reload)(void *userdata);

        /* Whether its threads have made progress within the last TIMEOUT_USEC. While they do not,
         * systemd's watchdog is not fed. */
        bool (*is_alive)(uint64_t timeout_usec, void *userdata);

        /* A sentence for "systemctl status"; asked for again and again, sent if it changes. */
        void (*status)(char *ret, size_t size, void *userdata);

        /* SIGTERM, SIGINT: lets running work end. Called again and again until it returns true,
         * while the loop goes on with everything else. */
        bool (*stop)(void *userdata);
} ServiceHooks;

/* Makes the thread's default event loop. Threads that are started later have the signals blocked
 * that it handles. SIGPIPE is ignored. HOOKS must outlive the service. */
int service_new(const ServiceHooks *hooks, void *userdata, Service **ret);
Service *service_free(Service *service);
DEFINE_CLEANUP(Service *, service_free);

/* Borrowed. */
sd_event *service_event(Service *service);

/* Tells systemd that all is ready, and runs the loop until a signal comes. Then it returns when
 * stop() is done, STOP_USEC have passed, or a second signal has come. */
int service_run(Service *service, uint64_t stop_usec);

/* For EnvironmentOptions.on_progress: tells systemd that the start takes long but is not stuck. */
void service_recovering(unsigned percent);

/* Reads the cluster's secret from $CREDENTIALS_DIRECTORY/dkv.secret, else from the file PATH. A
 * newline at the end is not part of it, since copying by hand may add or lose one. Returns 0 and a
 * new buffer, -ENOENT if there is neither, -EINVAL if it is shorter than SECRET_MIN, -EPERM if
 * others than the owner may read the file. */
int service_read_secret(const char *path, void **ret_secret, size_t *ret_size);

/* sd_notify() with one formatted line such as "STATUS=…"; does nothing outside of systemd. */
void service_notify(const char *format, ...) _printf_(1, 2);
