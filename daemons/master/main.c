/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* dkv-master: knows where every key is and who the volumes are. */

#include <stdlib.h>
#include <unistd.h>

#include "daemon/backoff.h"
#include "master/bus/manager.h"
#include "master/node.h"
#include "master/seat/founding.h"
#include "store/index/storage.h"

/* Makes this master a member of a group, which ends before anything is served. */
static int enter_group(const ProgramArguments *arguments) {
        MasterConf conf = {};
        IndexOptions options;
        int r;

        r = master_conf_load(&conf, arguments);
        if (r >= 0) {
                options = (IndexOptions){
                        .directory = conf.directory,
                        .cache_size = conf.cache_size ?: index_default_cache(),
                        .checkpoint_size = conf.checkpoint_size,
                        .reserve_size = conf.reserve_size,
                };
                r = arguments->found_group
                                    ? founding_found(&options, arguments->found_group,
                                                     STDOUT_FILENO)
                                    : founding_join(&options, arguments->join_group, STDIN_FILENO);
        }
        conf_done(master_conf_items, &conf);
        return r;
}

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

        if (arguments.found_group || arguments.join_group > 0)
                return enter_group(&arguments) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;

        backoff_wait();
        r = node_new(&arguments, &node);
        if (r >= 0) {
                backoff_forget();
                r = node_run(node);
        } else
                backoff_failed();
        return r < 0 ? EXIT_FAILURE : lead_exit_status(node->lead);
}
