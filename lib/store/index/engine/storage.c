/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "store/index/storage.h"
#include "store/disk/disk.h"
#include "store/index/engine/index-internal.h"

uint64_t index_default_cache(void) {
        return environment_default_cache();
}

const char *index_last_damage(void) {
        return disk_last_damage();
}

const Environment *index_environment(const Index *index) {
        return index->tables.environment;
}

bool index_is_stuck(const Index *index, uint64_t timeout_usec) {
        return environment_is_stuck(index->tables.environment, timeout_usec);
}

int index_free_space(const Index *index, uint64_t *ret_free, uint64_t *ret_size) {
        return environment_free_space(index->tables.environment, ret_free, ret_size);
}
