/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "store/disk/disk.h"
#include "store/disk/members.h"
#include "store/disk/replacement.h"
#include "store/environment/opening.h"
#include "store/index/apply/damage.h"
#include "store/index/apply/garbage.h"
#include "store/index/apply/rollback.h"
#include "store/index/apply/upgrade.h"
#include "store/index/dump.h"
#include "store/index/engine/index-internal.h"

/* An index is a member of a group, or it is not; nobody makes one by opening it. */
static int check_exists(const IndexOptions *options) {
        _cleanup_close_ int dir_fd = -1;

        dir_fd = open(options->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir_fd < 0)
                return -errno;
        if (replacement_is_pending(dir_fd))
                return 0;
        return faccessat(dir_fd, MEMBERS_FILE, F_OK, 0) < 0 ? -errno : 0;
}

static int prepare_to_follow(Index *index, const IndexOptions *options, EnvironmentHooks *hooks) {
        int r;

        r = check_exists(options);
        if (r < 0)
                return r;
        index->follow = calloc(1, sizeof(*index->follow));
        if (!index->follow)
                return -ENOMEM;
        follow_init(index->follow, options->group);

        index->tables.is_strict = true;
        index->tables.follow = index->follow;
        hooks->prepare = follow_on_prepare;
        hooks->failed = follow_on_failed;
        hooks->ending = follow_on_ending;
        hooks->ended = follow_on_ended;
        hooks->flushed = follow_on_flushed;
        return 0;
}

static int open_environment(
                Index *index, const IndexOptions *options, const char *format, const char *older) {
        static const char *const required[] = { "state" DATABASE_SUFFIX, "index" DATABASE_SUFFIX,
                                                "garbage" DATABASE_SUFFIX, NULL };
        EnvironmentHooks hooks = {
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

        r = options->group ? prepare_to_follow(index, options, &hooks) : 0;
        if (r >= 0)
                r = environment_open(&environment_options, &hooks, &index->tables.environment);
        if (r < 0)
                return r;

        index->submitter.environment = index->tables.environment;
        if (index->follow) {
                index->follow->environment = index->tables.environment;
                index->follow->proposals.environment = index->tables.environment;
                index->submitter.proposals = &index->follow->proposals;
                index->beginning = (Beginning){
                        .proposals = &index->follow->proposals,
                        .identity = &index->identity,
                        .versions = &index->versions,
                };
        }
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
                r = garbage_load(tables);
        if (r >= 0)
                r = tables_load(tables);
        return r < 0 ? r : rollback_load(tables);
}

static int open_alone(Index *index) {
        ConsensusApplied applied;
        int r;

        r = applied_load(&index->tables, &applied);
        if (r != -ENOENT)
                return r < 0 ? r : -EXDEV;

        r = upgrade_surplus(&index->tables);
        if (r >= 0)
                r = load_all(&index->tables);
        if (r >= 0)
                r = versions_open(&index->versions, &index->submitter);
        return r < 0 ? r : identity_begin(&index->identity, &index->submitter);
}

static int open_member(Index *index) {
        int r;

        r = follow_load(index->follow, &index->tables);
        if (r >= 0)
                r = upgrade_is_complete(&index->tables);
        if (r >= 0)
                r = load_all(&index->tables);
        if (r >= 0)
                r = versions_open_member(&index->versions, &index->submitter);
        if (r >= 0)
                r = identity_load_member(&index->identity, &index->submitter);
        if (r >= 0)
                tables_note_durable(&index->tables); /* no request of its own does */
        return r;
}

int index_open(const IndexOptions *options, Index **ret) {
        _cleanup_(index_freep) Index *index = NULL;
        int r;

        r = index_open_tables(
                        options, INDEX_FORMAT, options->group ? NULL : INDEX_FORMAT_OLDER, &index);
        if (r >= 0)
                r = options->group ? open_member(index) : open_alone(index);
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
        if (index->follow && index->follow->environment)
                follow_finish(index->follow);
        (void) environment_free(index->tables.environment);
        if (index->follow)
                follow_done(index->follow);
        free(index->follow);
        tables_done(&index->tables);
        free(index);
        return NULL;
}
