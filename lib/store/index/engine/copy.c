/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "store/index/copy.h"
#include "store/index/engine/index-internal.h"
#include "store/index/identity.h"

int index_copy(Index *index, const IndexCopyLimits *limits, CopySource **ret) {
        CopySourceOptions options = {
                .rate = limits->rate,
                .log_max = limits->log_max,
                .idle_usec = limits->idle_usec,
        };

        memcpy(options.cluster, index_identity(index)->cluster, sizeof(options.cluster));
        return copy_source_new(index->tables.environment, &options, ret);
}

int index_receive_copy(
                const IndexOptions *options,
                const uint8_t cluster[static CLUSTER_ID_SIZE],
                CopyTarget **ret) {
        CopyTargetOptions target = {
                .environment = {
                        .directory = options->directory,
                        .cache_size = options->cache_size,
                        .log_size = options->log_size,
                        .checkpoint_size = options->checkpoint_size,
                        .reserve_size = options->reserve_size,
                        .on_progress = options->on_progress,
                },
                .format = INDEX_FORMAT,
        };

        memcpy(target.cluster, cluster, sizeof(target.cluster));
        return copy_target_new(&target, ret);
}
