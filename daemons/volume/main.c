/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* dkv-volume: stores values. */

#include "core/placement/cluster.h"
#include "daemon/backoff.h"
#include "volume/bus.h"
#include "volume/volume.h"

int main(int argc, char *argv[]) {
        static const Program program = {
                .name = "dkv-volume",
                .summary = "Stores values for a dkv cluster and serves them over HTTP.",
                .config = "/etc/dkv/volume@N.conf",
                .items = volume_conf_items,
                .objects = volume_bus_objects,
                .number_max = VOLUME_MAX,
        };
        _cleanup_(volume_daemon_freep) VolumeDaemon *volume = NULL;
        ProgramArguments arguments;
        int r;

        r = program_start(&program, argc, argv, &arguments);
        if (r <= 0)
                return r < 0 ? 2 : program_exit(EXIT_SUCCESS);

        backoff_wait();
        r = volume_daemon_new(&arguments, &volume);
        if (r >= 0) {
                backoff_forget();
                r = volume_daemon_run(volume);
        } else
                backoff_failed();
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
