/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "volume/call/activity.h"
#include "base/clock.h"

void activity_note(Activity *activity) {
        atomic_store(&activity->stored_usec, clock_monotonic());
}

void activity_set_server(Activity *activity, const HttpServer *server) {
        atomic_store(&activity->server, server);
}

bool activity_has_clients(const Activity *activity) {
        const HttpServer *server = atomic_load(&activity->server);
        uint64_t stored_usec = atomic_load(&activity->stored_usec);

        return (stored_usec > 0 && clock_monotonic() < stored_usec + HTTP_LATELY_USEC) ||
               (server && http_server_has_clients(server));
}
