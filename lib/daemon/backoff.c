/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "daemon/backoff.h"
#include "daemon/service.h"

#define FILE_NAME "failed-starts"
#define ASK_USEC  USEC_PER_SEC

/* Seconds to wait, by the number of failures; the last one is for all larger numbers. */
static const unsigned waits[] = { 0, 0, 5, 15, 60 };

static int open_directory(void) {
        const char *path = getenv("NOTIFY_SOCKET") ? getenv("RUNTIME_DIRECTORY") : NULL;

        return path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
}

static uint64_t read_failures(int directory) {
        _cleanup_free_ char *text = NULL;
        uint64_t failures;

        if (read_file(directory, FILE_NAME, 32, &text, NULL) < 0 ||
            parse_u64(text, UINT32_MAX, &failures) < 0)
                return 0;
        return failures;
}

/* Whether systemd has started us on its own, because of Restart=. */
static bool is_automatic(void) {
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        uint32_t restarts;

        if (sd_bus_open_system(&bus) < 0)
                return true; /* without a bus, nobody is there to be kept waiting, either */

        (void) sd_bus_set_method_call_timeout(bus, ASK_USEC);
        return sd_bus_get_property_trivial(
                               bus, "org.freedesktop.systemd1",
                               "/org/freedesktop/systemd1/unit/self",
                               "org.freedesktop.systemd1.Service", "NRestarts", NULL, 'u',
                               &restarts) < 0 ||
               restarts > 0;
}

void backoff_wait(void) {
        _cleanup_close_ int directory = open_directory();
        struct timespec pause = {};
        uint64_t failures;

        if (directory < 0)
                return;
        failures = read_failures(directory);
        pause.tv_sec = waits[MIN(failures, ELEMENTSOF(waits) - 1)];
        if (pause.tv_sec == 0)
                return;
        if (!is_automatic()) {
                (void) unlinkat(directory, FILE_NAME, 0);
                return;
        }

        service_notify("EXTEND_TIMEOUT_USEC=%" PRIu64 "\n"
                       "STATUS=Could not start %" PRIu64
                       " times, see the log; tries again in %" PRIu64
                       " s. To try at once: systemctl restart",
                       ((uint64_t) pause.tv_sec + 30) * USEC_PER_SEC, failures,
                       (uint64_t) pause.tv_sec);
        while (nanosleep(&pause, &pause) < 0 && errno == EINTR)
                ;
}

void backoff_failed(void) {
        _cleanup_close_ int directory = open_directory();
        char text[32];

        if (directory < 0)
                return;
        (void) snprintf(text, sizeof(text), "%" PRIu64, read_failures(directory) + 1);
        /* If this fails, the next start does not wait. */
        (void) write_file(directory, FILE_NAME, text, strlen(text), 0600);
}

void backoff_forget(void) {
        _cleanup_close_ int directory = open_directory();

        if (directory >= 0)
                (void) unlinkat(directory, FILE_NAME, 0);
}
