/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "store/index/storage.h"
#include "store/disk/disk.h"
#include "store/disk/members.h"
#include "store/index/index-internal.h"

uint64_t index_default_cache(void) {
        return environment_default_cache();
}

const char *index_missing(void) {
        return members_missing();
}

const char *index_last_damage(void) {
        return disk_last_damage();
}

bool index_was_recovered(const Index *index) {
        return environment_was_recovered(index->environment);
}

unsigned index_damaged_pages(const Index *index) {
        return environment_damaged_pages(index->environment);
}

unsigned index_repaired_pages(const Index *index) {
        return environment_repaired_pages(index->environment);
}

bool index_damaged_page(const Index *index, unsigned i, char *ret, size_t size) {
        return environment_damaged_page(index->environment, i, ret, size);
}

bool index_is_stuck(const Index *index, uint64_t timeout_usec) {
        return environment_is_stuck(index->environment, timeout_usec);
}

int index_free_space(const Index *index, uint64_t *ret_free, uint64_t *ret_size) {
        return environment_free_space(index->environment, ret_free, ret_size);
}
