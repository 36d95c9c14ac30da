/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "store/disk/db-hooks.h"
#include "store/disk/disk.h"
#include "store/environment/log-keeper.h"
#include "store/format/log-scan.h"

/* In the record of a checkpoint: behind type, transaction and previous LSN. */
#define CHECKPOINT_LSN_OFFSET ((size_t) 16)

int log_keeper_check(Environment *environment, LogPages **ret_pages) {
        LogKeeper *keeper = &environment->log_keeper;
        _cleanup_(log_pages_freep) LogPages *pages = NULL;
        LogScan scan = { .on_record = log_pages_note };
        char name[LOG_NAME_SIZE];
        int r;

        r = log_mark_read(environment->dir_fd, &keeper->mark);
        if (r < 0 && r != -ENOENT)
                return r;
        keeper->has_mark = r >= 0;

        r = log_pages_new(&pages);
        if (r < 0)
                return r;
        scan.userdata = pages;

        r = log_scan(environment->dir_fd, keeper->has_mark ? &keeper->mark : NULL, &scan);
        if (r == -EBADMSG && scan.what) {
                log_name(scan.damage.file, name);
                disk_note_damage(
                                "offset %" PRIu32 " of '%s/%s': %s", scan.damage.offset,
                                environment->options.directory, name, scan.what);
        }
        if (r < 0)
                return r;

        r = log_pages_complete(
                        pages, environment->hooks.is_copy ? keeper->mark.needed : scan.needed);
        if (r < 0)
                return r;

        keeper->mark.id = scan.id;
        keeper->end = scan.is_zero_behind ? scan.end : (LogPosition){};
        *ret_pages = TAKE_PTR(pages);
        return 0;
}

void log_keeper_begin_recovery(Environment *environment) {
        LogPosition end = environment->log_keeper.end;
        char name[LOG_NAME_SIZE];
        struct stat st;

        /* A log that is short yet gets its zeroes: so there is room for what has to be written when
         * the disk is full. */
        log_name(end.file, name);
        if (end.file > 0 && fstatat(environment->dir_fd, name, &st, 0) >= 0 &&
            (uint64_t) st.st_size >= environment->options.log_size)
                db_hooks_shorten_begin(&st, end.offset);
}

void log_keeper_end_recovery(void) {
        db_hooks_shorten_end();
}

int log_keeper_find_flushed(Environment *environment, LogPosition *ret) {
        DB_LOG_STAT *stat;
        int r;

        r = environment->db_env->log_stat(environment->db_env, &stat, 0);
        if (r != 0)
                return environment_error(environment, r);

        *ret = (LogPosition){ stat->st_disk_file, stat->st_disk_offset };
        free(stat);
        return 0;
}

int log_keeper_find_needed(Environment *environment, LogPosition *ret) {
        DB_ENV *db_env = environment->db_env;
        DBT data = { .flags = DB_DBT_MALLOC };
        DB_TXN_STAT *stat;
        DB_LOGC *cursor;
        DB_LSN lsn;
        int r;

        r = db_env->txn_stat(db_env, &stat, 0);
        if (r != 0)
                return environment_error(environment, r);
        lsn = stat->st_last_ckp;
        free(stat);
        if (lsn.file == 0) { /* there was none yet */
                *ret = (LogPosition){ 1, 0 };
                return 0;
        }

        r = db_env->log_cursor(db_env, &cursor, 0);
        if (r != 0)
                return environment_error(environment, r);
        db_hooks_tolerate_begin();
        r = cursor->get(cursor, &lsn, &data, DB_SET);
        if (r == 0 && data.size >= CHECKPOINT_LSN_OFFSET + sizeof(lsn)) {
                memcpy(&lsn, (uint8_t *) data.data + CHECKPOINT_LSN_OFFSET, sizeof(lsn));
                *ret = (LogPosition){ lsn.file, lsn.offset };
        }
        (void) cursor->close(cursor, 0);
        db_hooks_tolerate_end();
        free(data.data);

        return environment_error(environment, r);
}

/* A log that was the spare has been on the disk in its full size from the beginning. Of one that
 * grows as it is written, another thread may have written more than is flushed. */
static void note_size(Environment *environment, LogMark *mark) {
        char name[LOG_NAME_SIZE];
        struct stat st;

        log_name(mark->flushed.file, name);
        mark->size = fstatat(environment->dir_fd, name, &st,
                             0) >= 0 && (uint64_t) st.st_size == environment->options.log_size
                                     ? (uint32_t) st.st_size
                                     : 0;
}

/* Brings the mark up to date with what was flushed. */
static int renew(Environment *environment) {
        LogMark *mark = &environment->log_keeper.mark;
        LogPosition flushed = {};
        int r;

        r = log_keeper_find_flushed(environment, &flushed);
        if (r < 0)
                return r;

        if (log_position_compare(flushed, mark->flushed) > 0) {
                bool is_new = flushed.file != mark->flushed.file;

                mark->flushed = flushed;
                if (is_new)
                        note_size(environment, mark);
        }
        return 0;
}

static int renew_needed(Environment *environment) {
        int r;

        r = renew(environment);
        if (r < 0)
                return r;

        /* What was needed before is an answer, too. */
        (void) log_keeper_find_needed(environment, &environment->log_keeper.mark.needed);
        return 0;
}

int log_keeper_start(Environment *environment) {
        LogKeeper *keeper = &environment->log_keeper;
        int r;

        if (keeper->mark.id == 0 &&
            getrandom(&keeper->mark.id, sizeof(keeper->mark.id), 0) != sizeof(keeper->mark.id))
                return -errno;

        r = renew_needed(environment);
        if (r < 0)
                return r;

        if (!keeper->has_mark) {
                r = log_mark_create(environment->dir_fd, &keeper->mark);
                if (r < 0)
                        return r;
        }

        keeper->fd = openat(environment->dir_fd, LOG_MARK_FILE, O_RDWR | O_CLOEXEC);
        if (keeper->fd < 0)
                return -errno;

        r = log_mark_write(keeper->fd, LOG_MARK_SURE, &keeper->mark);
        if (r < 0)
                return r;
        return fdatasync(keeper->fd) < 0 ? -errno : 0;
}

int log_keeper_claim(Environment *environment) {
        DB_ENV *db_env = environment->db_env;
        LogPosition flushed = {};
        int r;

        r = log_keeper_find_flushed(environment, &flushed);
        if (r < 0)
                return r;

        r = db_env->log_printf(
                        db_env, NULL, LOG_CLAIM_FORMAT, environment->log_keeper.mark.id,
                        flushed.file, flushed.offset);
        return environment_error(environment, r);
}

/* An older mark is as true as a newer one, so a full disk is no reason to end. */
static void write_mark(LogKeeper *keeper, LogMarkSlot slot) {
        int r;

        r = log_mark_write(keeper->fd, slot, &keeper->mark);
        if (r < 0 && r != -ENOSPC && r != -EDQUOT)
                disk_fatal("write", keeper->fd, -r);
        if (slot == LOG_MARK_SURE)
                disk_flush(keeper->fd);
}

void log_keeper_note_flush(Environment *environment) {
        LogKeeper *keeper = &environment->log_keeper;
        LogPosition before;

        (void) pthread_mutex_lock(&keeper->mutex);
        before = keeper->mark.flushed;
        if (renew(environment) >= 0 && log_position_compare(before, keeper->mark.flushed) != 0)
                write_mark(keeper, keeper->mark.flushed.file == before.file ? LOG_MARK_QUICK
                                                                            : LOG_MARK_SURE);
        (void) pthread_mutex_unlock(&keeper->mutex);
}

void log_keeper_note_checkpoint(Environment *environment) {
        LogKeeper *keeper = &environment->log_keeper;

        (void) pthread_mutex_lock(&keeper->mutex);
        if (renew_needed(environment) >= 0)
                write_mark(keeper, LOG_MARK_SURE);
        (void) pthread_mutex_unlock(&keeper->mutex);
}

int log_keeper_finish(Environment *environment) {
        LogKeeper *keeper = &environment->log_keeper;
        int r;

        if (keeper->fd < 0)
                return 0;

        r = environment_error(
                        environment, environment->db_env->log_flush(environment->db_env, NULL));
        if (r >= 0)
                r = renew_needed(environment);
        if (r >= 0)
                r = log_mark_write(keeper->fd, LOG_MARK_SURE, &keeper->mark);
        if (r < 0)
                return r;
        return fdatasync(keeper->fd) < 0 ? -errno : 0;
}

void log_keeper_stop(Environment *environment) {
        closep(&environment->log_keeper.fd);
        (void) pthread_mutex_destroy(&environment->log_keeper.mutex);
}
