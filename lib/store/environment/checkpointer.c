/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The checkpoint thread: bounds how much of the log a recovery has to go through, and prepares the
 * next log. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/file.h"
#include "base/log.h"
#include "store/disk/db-hooks.h"
#include "store/disk/disk.h"
#include "store/environment/checkpointer.h"
#include "store/environment/log-hold.h"
#include "store/environment/log-keeper.h"

static int fill_with_zeroes(int fd, uint64_t size) {
        static const uint8_t zeroes[256 * KIB] = {};

        for (uint64_t offset = 0; offset < size; offset += sizeof(zeroes)) {
                int r;

                r = pwrite_all(fd, zeroes, MIN(size - offset, sizeof(zeroes)), offset);
                if (r < 0)
                        return r;
        }

        return 0;
}

/* Makes the spare log if there is none. It gets its name when it is complete, so a crash leaves
 * nothing. */
static void prepare_spare_log(Environment *environment) {
        char path[sizeof("/proc/self/fd/") + 3 * sizeof(int)];
        _cleanup_close_ int fd = -1;

        if (faccessat(environment->dir_fd, SPARE_LOG, F_OK, 0) >= 0)
                return;

        /* Only a gain in speed: without it the log grows as it is written. */
        fd = openat(environment->dir_fd, ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, 0640);
        if (fd < 0 || fill_with_zeroes(fd, environment->options.log_size) < 0)
                return;

        disk_flush(fd);
        (void) snprintf(path, sizeof(path), "/proc/self/fd/%i", fd);
        (void) linkat(AT_FDCWD, path, environment->dir_fd, SPARE_LOG, AT_SYMLINK_FOLLOW);
}

/* Waits until there is something to do. Returns false when it is over. */
static bool wait_for_work(Checkpointer *checkpointer) {
        bool stop;

        (void) pthread_mutex_lock(&checkpointer->mutex);
        while (!checkpointer->is_wanted && !checkpointer->stop)
                (void) pthread_cond_wait(&checkpointer->changed, &checkpointer->mutex);
        checkpointer->is_wanted = false;
        stop = checkpointer->stop;
        (void) pthread_mutex_unlock(&checkpointer->mutex);

        return !stop;
}

static void *checkpointer_main(void *userdata) {
        Environment *environment = userdata;
        Checkpointer *checkpointer = &environment->checkpointer;
        DB_ENV *db_env = environment->db_env;
        uint32_t kib = (uint32_t) (environment->options.checkpoint_size / KIB);

        (void) pthread_setname_np(pthread_self(), "checkpointer");

        while (wait_for_work(checkpointer)) {
                int r;

                prepare_spare_log(environment);

                /* Without room for the pages there is no checkpoint this time. All else has ended
                 * the process. */
                r = environment_error(environment, db_env->txn_checkpoint(db_env, kib, 0, 0));
                if (r < 0)
                        log_debug_errno(r, "Failed to make a checkpoint: %m");
                else
                        log_keeper_note_checkpoint(environment);
                log_holds_check(environment);

                (void) pthread_mutex_lock(&checkpointer->mutex);
                checkpointer->attempts++;
                (void) pthread_cond_broadcast(&checkpointer->changed);
                (void) pthread_mutex_unlock(&checkpointer->mutex);
        }

        return NULL;
}

/* Where the log ends, all logs in a row. */
static uint64_t end_of_log(const Environment *environment, const DB_LOG_STAT *stat) {
        return stat->st_cur_file * environment->options.log_size + stat->st_cur_offset;
}

/* The first quarter of a log that is written from now on wakes the thread; a log that is nearly
 * full, the first batch. An environment that is opened and closed makes no spare log. */
static void begin_to_count(Environment *environment) {
        DB_LOG_STAT *stat;

        if (environment->db_env->log_stat(environment->db_env, &stat, 0) != 0)
                return;
        if (stat->st_cur_offset < environment->options.log_size / 2)
                environment->checkpointer.log_end = end_of_log(environment, stat);
        free(stat);
}

int checkpointer_start(Environment *environment) {
        Checkpointer *checkpointer = &environment->checkpointer;
        int r;

        begin_to_count(environment);

        r = pthread_create(&checkpointer->thread, NULL, checkpointer_main, environment);
        if (r > 0)
                return -r;

        checkpointer->is_running = true;
        return 0;
}

void checkpointer_stop(Environment *environment) {
        Checkpointer *checkpointer = &environment->checkpointer;

        if (!checkpointer->is_running)
                return;

        (void) pthread_mutex_lock(&checkpointer->mutex);
        checkpointer->stop = true;
        (void) pthread_cond_broadcast(&checkpointer->changed);
        (void) pthread_mutex_unlock(&checkpointer->mutex);

        (void) pthread_join(checkpointer->thread, NULL);
        checkpointer->is_running = false;
}

/* Wakes the thread, and if IS_LATE waits for what it does now or next. */
static void wake(Checkpointer *checkpointer, bool is_late) {
        uint64_t attempts;

        (void) pthread_mutex_lock(&checkpointer->mutex);
        attempts = checkpointer->attempts;
        checkpointer->is_wanted = true;
        (void) pthread_cond_broadcast(&checkpointer->changed);
        while (is_late && checkpointer->attempts == attempts)
                (void) pthread_cond_wait(&checkpointer->changed, &checkpointer->mutex);
        (void) pthread_mutex_unlock(&checkpointer->mutex);
}

void checkpointer_run(Environment *environment) {
        wake(&environment->checkpointer, true);
}

void checkpointer_note(Environment *environment) {
        Checkpointer *checkpointer = &environment->checkpointer;
        const EnvironmentOptions *options = &environment->options;
        uint64_t end, since;
        DB_LOG_STAT *stat;
        bool is_late;

        if (environment->db_env->log_stat(environment->db_env, &stat, 0) != 0)
                return;
        end = end_of_log(environment, stat);
        since = stat->st_wc_mbytes * MIB + stat->st_wc_bytes;
        free(stat);

        /* The next log has to be ready by the time that this one is full. */
        is_late = since > CHECKPOINT_LATE * options->checkpoint_size;
        if (!is_late && end - checkpointer->log_end < options->log_size / 4)
                return;

        checkpointer->log_end = end;
        wake(checkpointer, is_late);
}
