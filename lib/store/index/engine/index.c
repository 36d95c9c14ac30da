/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "store/disk/disk.h"
#include "store/environment/opening.h"
#include "store/index/apply/damage.h"
#include "store/index/apply/garbage.h"
#include "store/index/apply/rollback.h"
#include "store/index/apply/upgrade.h"
#include "store/index/dump.h"
#include "store/index/engine/index-internal.h"

static int open_environment(
                Index *index, const IndexOptions *options, const char *format, const char *older) {
        static const char *const required[] = { "state" DATABASE_SUFFIX, "index" DATABASE_SUFFIX,
                                                "garbage" DATABASE_SUFFIX, NULL };
        const EnvironmentHooks hooks = {
                .required = required,
                .format = format,
                .older = { older },
                .is_loading = strcmp(format, INDEX_FORMAT_LOADING) == 0,
                .upgrade = upgrade_revision,
                .prepare = submit_on_prepare,
                .ending = tables_ending,
                .ended = tables_ended,
                .flushed = tables_flushed,
                .userdata = &index->tables,
        };
        const EnvironmentOptions environment_options = {
                .directory = options->directory,
                .cache_size = options->cache_size,
                .log_size = options->log_size,
                .checkpoint_size = options->checkpoint_size,
                .reserve_size = options->reserve_size,
                .before_done = options->before_done,
                .after_done = options->after_done,
                .on_progress = options->on_progress,
        };
        int r;

        r = environment_open(&environment_options, &hooks, &index->tables.environment);
        if (r < 0)
                return r;

        index->submitter.environment = index->tables.environment;
        return tables_open(&index->tables);
}

int index_open_tables(
                const IndexOptions *options, const char *format, const char *older, Index **ret) {
        _cleanup_(index_freep) Index *index = NULL;
        int r;

        assert(options);
        assert(ret);

        index = calloc(1, sizeof(*index));
        if (!index)
                return -ENOMEM;
        tables_init(&index->tables);

        r = open_environment(index, options, format, older);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(index);
        return 0;
}

int index_open_to_dump(const IndexOptions *options, Index **ret) {
        return index_open_tables(options, INDEX_FORMAT, INDEX_FORMAT_OLDER, ret);
}

/* What is kept in memory about the tables. */
static int load_all(Tables *tables) {
        int r;

        r = damage_load(tables);
        if (r >= 0)
                r = upgrade_surplus(tables);
        if (r >= 0)
                r = garbage_load(tables);
        if (r >= 0)
                r = tables_load(tables);
        return r < 0 ? r : rollback_load(tables);
}

int index_open(const IndexOptions *options, Index **ret) {
        _cleanup_(index_freep) Index *index = NULL;
        int r;

        r = index_open_tables(options, INDEX_FORMAT, INDEX_FORMAT_OLDER, &index);
        if (r >= 0)
                r = load_all(&index->tables);
        if (r >= 0)
                r = versions_open(&index->versions, &index->submitter);
        if (r >= 0)
                r = identity_begin(&index->identity, &index->submitter);
        if (r >= 0)
                r = environment_seal(index->tables.environment);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(index);
        return 0;
}

Index *index_free(Index *index) {
        if (!index)
                return NULL;

        versions_close(&index->versions);
        (void) environment_free(index->tables.environment);
        tables_done(&index->tables);
        free(index);
        return NULL;
}
