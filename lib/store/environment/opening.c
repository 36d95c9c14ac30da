/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "store/disk/db-hooks.h"
#include "store/disk/disk.h"
#include "store/disk/double-write.h"
#include "store/disk/members.h"
#include "store/disk/replacement.h"
#include "store/environment/checkpointer.h"
#include "store/environment/committer.h"
#include "store/environment/database.h"
#include "store/environment/log-keeper.h"
#include "store/environment/opening.h"

/* The log takes a small part of the file system, and little of a large one. */
#define LOG_SIZE_MIN     (1 * MIB)
#define LOG_SIZE_MAX     (32 * MIB)
#define LOG_SIZE_DIVISOR 128

#define LOGS_PER_CHECKPOINT 4

/* The ring of the double write (see store/disk/double-write.h) is smaller than a log. */
#define LOG_SIZE_PER_RING 4
#define RING_SIZE_MIN     (512 * KIB)
#define RING_SIZE_MAX     (8 * MIB)

#define CACHE_SIZE_MIN (8 * MIB)

/* Of its hash table. By default there is one for each bucket: 50 MiB of them for a cache of 3 GiB.
 */
#define CACHE_MUTEXES 1024

/* Of all, in the beginning; there will be more when they are needed. By default there is one for
 * each page that the cache could hold, at once: 100 MiB of them for a cache of 3 GiB. */
#define MUTEXES_INITIAL 4096

#define LOCK_FILE "lock"

#define PROGRESS_USEC USEC_PER_SEC

int environment_lock(int dir_fd) {
        _cleanup_close_ int fd = -1;

        fd = openat(dir_fd, LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
        if (fd < 0)
                return -errno;

        if (flock(fd, LOCK_EX | LOCK_NB) < 0)
                return errno == EWOULDBLOCK ? -EBUSY : -errno;
        return TAKE_FD(fd);
}

static int lock_directory(Environment *environment) {
        char byte;
        ssize_t n;

        environment->dir_fd = open(
                        environment->options.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (environment->dir_fd < 0)
                return -errno;

        environment->lock_fd = environment_lock(environment->dir_fd);
        if (environment->lock_fd < 0)
                return environment->lock_fd;

        n = pread_all(environment->lock_fd, &byte, 1, 0);
        if (n < 0)
                return (int) n;

        environment->was_recovered = n > 0;
        return 0;
}

/* The lock file has a byte in it while the environment is open; durably, or after a loss of power
 * the mirrors would be believed without a look. */
static int note_open(Environment *environment) {
        int r;

        r = pwrite_all(environment->lock_fd, "\n", 1, 0);
        if (r < 0)
                return r;
        return fdatasync(environment->lock_fd) < 0 ? -errno : 0;
}

static int choose_sizes(Environment *environment) {
        EnvironmentOptions *options = &environment->options;
        uint64_t available, size = 0;
        int r;

        r = environment_free_space(environment, &available, &size);
        if (r < 0)
                return r;

        if (options->log_size == 0)
                options->log_size = MIN(MAX(size / LOG_SIZE_DIVISOR, LOG_SIZE_MIN), LOG_SIZE_MAX);
        if (options->checkpoint_size == 0)
                options->checkpoint_size = LOGS_PER_CHECKPOINT * options->log_size;

        /* The log must never find the disk full, and the files before the last checkpoint stay
         * until there is a new one. */
        options->reserve_size = MAX(
                        options->reserve_size, (CHECKPOINT_LATE + 2) * options->checkpoint_size);
        return 0;
}

static void on_message(const DB_ENV *db_env, const char *prefix, const char *message) {
        log_debug("Berkeley DB: %s", message);
}

/* When Berkeley DB gives the environment up, it tells only here why: the first time. While it is
 * open that is fatal at once, unless it is over a page that cannot be read: see survive_damage().
 */
static void on_event(DB_ENV *db_env, uint32_t event, void *info) {
        Environment *environment = db_env->app_private;
        int none = 0;

        if (event != DB_EVENT_PANIC || !info)
                return;
        if (environment->is_open && *(const int *) info != EBADMSG)
                disk_fatal("go on with the databases of", environment->dir_fd, *(const int *) info);
        (void) atomic_compare_exchange_strong(
                        &environment->panic_error, &none, *(const int *) info);
}

/* Where Berkeley DB needs the neighbours of a page that it takes out of a tree, one that cannot be
 * read makes it give up everything. But nothing has been changed by then that the transaction does
 * not undo, so the call fails alone, as others do that meet such a page. */
static int survive_damage(Environment *environment) {
        DB_ENV *db_env = environment->db_env;

        return environment_error(environment, db_env->set_flags(db_env, DB_NOPANIC, 1));
}

/* Called for each record of the log. */
static void on_feedback(DB_ENV *db_env, int what, int percent) {
        Environment *environment = db_env->app_private;
        uint64_t now = clock_monotonic();

        if (what != DB_RECOVER || now < environment->progress_due)
                return;

        environment->progress_due = now + PROGRESS_USEC;
        environment->options.on_progress((unsigned) percent);
}

static int configure_progress(Environment *environment, DB_ENV *db_env) {
        if (!environment->options.on_progress)
                return 0;

        environment->progress_due = clock_monotonic() + PROGRESS_USEC;
        return db_env->set_feedback(db_env, on_feedback);
}

static int configure(Environment *environment, DB_ENV *db_env) {
        uint64_t cache_size = MAX(environment->options.cache_size, CACHE_SIZE_MIN);
        uint32_t log_size = (uint32_t) environment->options.log_size;
        int r;

        db_env->app_private = environment;
        db_env->set_errcall(db_env, on_message); /* or it would go to stderr */

        r = db_env->set_event_notify(db_env, on_event);
        if (r == 0)
                r = db_env->set_cachesize(
                                db_env, (uint32_t) (cache_size / GIB),
                                (uint32_t) (cache_size % GIB), 1);
        if (r == 0)
                r = db_env->set_lg_bsize(db_env, log_size / 8); /* a usual batch fits */
        if (r == 0)
                r = db_env->set_lg_max(db_env, log_size);
        if (r == 0)
                r = db_env->set_mp_mtxcount(db_env, CACHE_MUTEXES);
        if (r == 0)
                r = db_env->mutex_set_init(db_env, MUTEXES_INITIAL);
        if (r == 0)
                r = db_env->log_set_config(db_env, DB_LOG_AUTO_REMOVE, 1);
        if (r == 0)
                r = configure_progress(environment, db_env);

        return environment_error(environment, r);
}

static int open_db_env(Environment *environment) {
        const uint32_t flags = DB_CREATE | DB_PRIVATE | DB_THREAD | DB_INIT_LOG | DB_INIT_MPOOL |
                               DB_INIT_TXN |
                               (environment->hooks.is_copy ? DB_RECOVER_FATAL : DB_RECOVER);
        DB_ENV *db_env;
        int r;

        r = db_env_create(&db_env, 0);
        if (r != 0)
                return environment_error(environment, r);

        environment->db_env = db_env;
        r = configure(environment, db_env);
        if (r < 0)
                return r;

        r = db_env->open(db_env, environment->options.directory, flags, 0640);
        return environment_error(environment, r);
}

/* Opens what writes the pages, and makes them whole as far as that goes. */
static int open_pages(Environment *environment) {
        uint64_t size = environment->options.log_size / LOG_SIZE_PER_RING;
        int r;

        r = page_files_new(
                        environment->dir_fd, environment->options.directory,
                        MIN(MAX(size, RING_SIZE_MIN), RING_SIZE_MAX), !environment->was_recovered,
                        &environment->page_files);
        if (r < 0)
                return r;

        return page_files_check(environment->page_files);
}

static int recover(Environment *environment, const LogPages *pages) {
        unsigned n_empty;
        int r;

        (void) page_files_recover(environment->page_files, log_pages_has, pages);
        log_keeper_begin_recovery(environment);
        r = open_db_env(environment);
        log_keeper_end_recovery();
        n_empty = page_files_recover(environment->page_files, NULL, NULL);
        if (r < 0 || n_empty == 0)
                return r;

        r = environment_error(environment, environment->db_env->close(environment->db_env, 0));
        environment->db_env = NULL;
        if (r < 0)
                return r;

        return open_db_env(environment);
}

int environment_open_database(Environment *environment, const char *name, DB **ret) {
        DB *database;
        int r;

        assert(environment->n_databases < ELEMENTSOF(environment->databases));

        r = db_create(&database, environment->db_env, 0);
        if (r != 0)
                return environment_error(environment, r);

        environment->databases[environment->n_databases++] = database;

        r = database->set_pagesize(database, PAGE_SIZE);
        if (r == 0)
                r = database->set_flags(database, DB_CHKSUM);
        if (r == 0)
                r = database->open(
                                database, NULL, name, NULL, DB_BTREE,
                                DB_CREATE | DB_AUTO_COMMIT | DB_THREAD, 0640);
        if (r != 0)
                return environment_error(environment, r);

        *ret = database;
        return 0;
}

static int apply_set_format(Operation *operation, Transaction *transaction) {
        const char *format = transaction->environment->hooks.format;

        return transaction_set_state(transaction, ".format", format, strlen(format));
}

static int apply_upgrade(Operation *operation, Transaction *transaction) {
        const EnvironmentHooks *hooks = &transaction->environment->hooks;
        int r;

        r = hooks->upgrade ? hooks->upgrade(transaction, hooks->userdata) : 0;
        return r < 0 ? r : apply_set_format(operation, transaction);
}

static bool is_format(const Buffer *found, const char *format) {
        return format && found->size == strlen(format) &&
               memcmp(found->data, format, found->size) == 0;
}

static int check_format(Environment *environment) {
        const EnvironmentHooks *hooks = &environment->hooks;
        Operation set = { .apply = apply_set_format }, upgrade = { .apply = apply_upgrade };
        _cleanup_(buffer_done) Buffer found = {};
        int r;

        r = environment_get_state(environment, ".format", &found);
        if (r == -ENOENT)
                return environment_run(environment, &set);
        if (r < 0)
                return r;
        if (!is_format(&found, hooks->format) && !is_format(&found, hooks->older[0]) &&
            !is_format(&found, hooks->older[1]))
                return -EPROTONOSUPPORT;

        r = environment_load_counters(environment);
        if (r < 0 || is_format(&found, hooks->format))
                return r;
        return environment_run(environment, &upgrade);
}

static void init_lock(pthread_rwlock_t *lock) {
        pthread_rwlockattr_t attributes;

        (void) pthread_rwlockattr_init(&attributes);
        (void) pthread_rwlockattr_setkind_np(
                        &attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
        (void) pthread_rwlock_init(lock, &attributes);
        (void) pthread_rwlockattr_destroy(&attributes);
}

static int environment_new(
                const EnvironmentOptions *options,
                const EnvironmentHooks *hooks,
                Environment **ret) {
        Environment *environment;

        environment = calloc(1, sizeof(*environment));
        if (!environment)
                return -ENOMEM;

        environment->options = *options;
        environment->hooks = *hooks;
        environment->dir_fd = environment->lock_fd = environment->log_keeper.fd = -1;
        init_lock(&environment->lock);
        (void) sem_init(&environment->committer.wakeup, 0, 0);
        (void) pthread_mutex_init(&environment->checkpointer.mutex, NULL);
        (void) pthread_cond_init(&environment->checkpointer.changed, NULL);
        (void) pthread_mutex_init(&environment->log_keeper.mutex, NULL);
        (void) pthread_mutex_init(&environment->log_holds.mutex, NULL);

        *ret = environment;
        return 0;
}

/* Opens the database that every environment has, and starts the threads. */
static int start(Environment *environment) {
        int r;

        r = environment_open_database(environment, "state" DATABASE_SUFFIX, &environment->state);
        if (r < 0)
                return r;
        environment->growing[0] = environment->state;

        r = survive_damage(environment);
        if (r < 0)
                return r;

        r = log_keeper_start(environment);
        if (r < 0)
                return r;

        r = checkpointer_start(environment);
        if (r < 0)
                return r;

        r = committer_start(environment);
        if (r < 0)
                return r;

        return check_format(environment);
}

/* Whether all that belongs to it is there, after another one has taken its place, if one was to. */
static int find_members(Environment *environment) {
        const EnvironmentHooks *hooks = &environment->hooks;
        int r;

        r = replacement_complete(environment->dir_fd);
        if (r < 0)
                return r;

        r = members_check(environment->dir_fd, hooks->required);
        if (r == -EINPROGRESS)
                r = hooks->is_loading || hooks->is_copy ? 1 : -EPROTONOSUPPORT;
        environment->is_new = r > 0;
        return r;
}

int environment_open(
                const EnvironmentOptions *options,
                const EnvironmentHooks *hooks,
                Environment **ret) {
        _cleanup_(environment_freep) Environment *environment = NULL;
        _cleanup_(log_pages_freep) LogPages *pages = NULL;
        int r;

        assert(options);
        assert(hooks);
        assert(ret);

        db_hooks_install();
        disk_note_damage("%s", "");

        r = environment_new(options, hooks, &environment);
        if (r < 0)
                return r;

        r = lock_directory(environment);
        if (r < 0)
                return r;

        r = find_members(environment);
        if (r < 0)
                return r;

        r = choose_sizes(environment);
        if (r < 0)
                return r;

        r = log_keeper_check(environment, &pages);
        if (r < 0)
                return r;

        r = note_open(environment);
        if (r < 0)
                return r;

        r = open_pages(environment);
        if (r < 0)
                return r;

        r = recover(environment, pages);
        if (r < 0)
                return r;

        r = start(environment);
        if (r < 0)
                return r;

        environment->is_open = true;
        *ret = TAKE_PTR(environment);
        return 0;
}

int environment_seal(Environment *environment) {
        const char *names[ELEMENTSOF(environment->databases) + 8];
        const char *const *others = environment->hooks.others;
        size_t n = 0;
        int r;

        for (size_t i = 0; i < environment->n_databases; i++) {
                r = environment->databases[i]->get_dbname(
                                environment->databases[i], names + n++, NULL);
                if (r != 0)
                        return environment_error(environment, r);
        }
        names[n++] = LOG_MARK_FILE;
        names[n++] = DOUBLE_WRITE_FILE;
        for (; others && *others && n < ELEMENTSOF(names); others++)
                names[n++] = *others;

        return members_write(environment->dir_fd, names, n);
}

static void close_databases(Environment *environment) {
        DB_ENV *db_env = environment->db_env;
        bool is_clean;

        if (!db_env)
                return;

        /* After this, a failure is not worth a word: whatever the checkpoint missed is in the log.
         */
        environment->is_open = false;
        is_clean = db_env->txn_checkpoint(db_env, 0, 0, DB_FORCE) == 0;

        for (size_t i = 0; i < environment->n_databases; i++)
                is_clean = environment->databases[i]->close(environment->databases[i], 0) == 0 &&
                           is_clean;
        is_clean = log_keeper_finish(environment) == 0 && is_clean;
        is_clean = db_env->close(db_env, 0) == 0 && is_clean;

        environment->is_clean = is_clean;
}

Environment *environment_free(Environment *environment) {
        if (!environment)
                return NULL;

        assert(!environment->log_holds.first);

        committer_stop(environment);
        checkpointer_stop(environment);
        close_databases(environment);
        log_keeper_stop(environment);
        environment->page_files = page_files_free(environment->page_files);
        if (environment->is_clean)
                (void) ftruncate(environment->lock_fd, 0);

        (void) sem_destroy(&environment->committer.wakeup);
        (void) pthread_cond_destroy(&environment->checkpointer.changed);
        (void) pthread_mutex_destroy(&environment->checkpointer.mutex);
        (void) pthread_mutex_destroy(&environment->log_holds.mutex);
        (void) pthread_rwlock_destroy(&environment->lock);
        closep(&environment->lock_fd);
        closep(&environment->dir_fd);
        free(environment);
        return NULL;
}
