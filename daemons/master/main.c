/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* dkv-master: knows where every key is and who the volumes are. */

#include "daemon/backoff.h"
#include "master/bus/manager.h"
#include "master/node.h"
#include "store/index/storage.h"

int main(int argc, char *argv[]) {
        static const Program program = {
                .name = "dkv-master",
                .summary = "Knows where every key of a dkv cluster is and serves it over HTTP.",
                .config = "/etc/dkv/master.conf",
                .items = master_conf_items,
                .objects = master_bus_objects,
                .is_master = true,
        };
        _cleanup_(node_freep) Node *node = NULL;
        ProgramArguments arguments;
        int r;

        r = program_start(&program, argc, argv, &arguments);
        if (r <= 0)
                return r < 0 ? 2 : program_exit(EXIT_SUCCESS);

        backoff_wait();
        r = node_new(&arguments, &node);
        if (r >= 0) {
                backoff_forget();
                r = node_run(node);
        } else
                backoff_failed();
        if (r >= 0 && lead_state(node->lead) == LEAD_DEPOSED)
                return LEAD_EXIT_DEPOSED;
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
