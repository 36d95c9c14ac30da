/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/file.h"
#include "store/copy/copy-target.h"
#include "store/copy/copy-verify.h"
#include "store/disk/disk.h"
#include "store/disk/page-file.h"
#include "store/disk/replacement.h"
#include "store/environment/opening.h"

/* So much is written before it is flushed, and need not stay in memory. */
#define FLUSH_SIZE (8 * MIB)

struct CopyTarget {
        CopyTargetOptions options;
        CopyParser parser;
        CopyHead head;
        char *directory; /* of the copy */
        int dir_fd;      /* of the old one */
        int copy_fd;
        PageFile *database; /* that grows; or none, or a log: */
        int log_fd;
        uint64_t unflushed;
        bool is_ready, is_installed;
};

/* The directory is that of the copy. */
static int check_room(const CopyTarget *target, const CopyHead *head) {
        uint64_t size = 0;
        struct statvfs st;

        if (fstatvfs(target->copy_fd, &st) < 0)
                return -errno;
        for (uint32_t i = 0; i < head->n_databases; i++)
                size += head->databases[i].size;
        return (uint64_t) st.f_bavail * st.f_frsize <
                                               size + target->options.environment.reserve_size
                               ? -ENOSPC
                               : 0;
}

static int on_head(void *userdata, const CopyHead *head) {
        CopyTarget *target = userdata;
        int r;

        if (!cluster_id_is_null(target->options.cluster) &&
            !cluster_id_equal(target->options.cluster, head->cluster))
                return -EXDEV;
        if (strcmp(head->format, target->options.format) != 0)
                return -EPROTONOSUPPORT;

        r = check_room(target, head);
        if (r < 0)
                return r;
        target->head = *head;
        return 0;
}

static int create_file(const CopyTarget *target, const char *name) {
        int fd;

        fd = openat(target->copy_fd, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
        return fd < 0 ? -errno : fd;
}

static int open_database(CopyTarget *target, const char *name) {
        _cleanup_close_ int fd = -1;

        fd = create_file(target, name);
        if (fd < 0)
                return fd;
        return page_file_new(target->copy_fd, name, true, &target->database);
}

static int write_pages(CopyTarget *target, uint64_t offset, const uint8_t *data, size_t size) {
        for (size_t i = 0; i < size; i += PAGE_SIZE) {
                uint32_t number = (uint32_t) ((offset + i) / PAGE_SIZE);
                int r;

                if (!page_is_sound(data + i, number))
                        return -EBADMSG;
                r = page_file_write(target->database, number, data + i);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* What is flushed can be dropped. */
static void drop(int fd) {
        (void) posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
}

static int
put_pages(CopyTarget *target, CopyPosition position, bool is_last, const void *data, size_t size) {
        int r;

        if (!target->database) {
                r = open_database(target, target->head.databases[position.file].name);
                if (r < 0)
                        return r;
        }

        r = write_pages(target, position.offset, data, size);
        if (r < 0)
                return r;

        target->unflushed += size;
        if (target->unflushed >= FLUSH_SIZE || is_last) {
                page_file_flush(target->database);
                page_file_flush_mirror(target->database);
                drop(target->database->fd);
                target->unflushed = 0;
        }
        if (is_last)
                target->database = page_file_free(target->database);
        return 0;
}

static int
put_log(CopyTarget *target, CopyPosition position, bool is_last, const void *data, size_t size) {
        char name[LOG_NAME_SIZE];
        int r;

        if (target->log_fd < 0) {
                log_name(copy_log_number(&target->head, position.file), name);
                target->log_fd = create_file(target, name);
                if (target->log_fd < 0)
                        return target->log_fd;
        }

        r = pwrite_all(target->log_fd, data, size, position.offset);
        if (r < 0)
                return r;

        if (is_last) {
                disk_flush(target->log_fd);
                drop(target->log_fd);
                closep(&target->log_fd);
        }
        return 0;
}

static int
on_piece(void *userdata, CopyPosition position, bool is_last, const void *data, size_t size) {
        CopyTarget *target = userdata;
        int r;

        r = position.file < target->head.n_databases
                            ? put_pages(target, position, is_last, data, size)
                            : put_log(target, position, is_last, data, size);
        return r == -EDQUOT ? -ENOSPC : r;
}

/* The mark tells the log's end, so that one that is cut or damaged is not taken for a shorter one;
 * and from where on it is needed. */
static int on_end(void *userdata, const CopyEnd *end) {
        CopyTarget *target = userdata;

        return log_mark_create(
                        target->copy_fd, &(LogMark){
                                                         .id = target->head.log_id,
                                                         .flushed = end->log_end,
                                                         .needed = target->head.begin,
                                         });
}

int copy_target_new(const CopyTargetOptions *options, CopyTarget **ret) {
        _cleanup_(copy_target_freep) CopyTarget *target = NULL;

        target = calloc(1, sizeof(*target));
        if (!target)
                return -ENOMEM;
        target->options = *options;
        target->dir_fd = target->copy_fd = target->log_fd = -1;
        copy_parser_init(
                        &target->parser, &(CopyEvents){
                                                         .on_head = on_head,
                                                         .on_piece = on_piece,
                                                         .on_end = on_end,
                                                         .userdata = target,
                                         });
        if (asprintf(&target->directory, "%s/" REPLACEMENT_DIRECTORY,
                     options->environment.directory) < 0) {
                target->directory = NULL;
                return -ENOMEM;
        }

        target->dir_fd = open(options->environment.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (target->dir_fd < 0)
                return -errno;
        target->copy_fd = replacement_begin(target->dir_fd);
        if (target->copy_fd < 0)
                return target->copy_fd;

        *ret = TAKE_PTR(target);
        return 0;
}

CopyTarget *copy_target_free(CopyTarget *target) {
        if (!target)
                return NULL;

        (void) page_file_free(target->database);
        closep(&target->log_fd);
        if (target->copy_fd >= 0 && !target->is_installed)
                (void) replacement_discard(target->dir_fd);
        closep(&target->copy_fd);
        closep(&target->dir_fd);
        copy_parser_done(&target->parser);
        free(target->directory);
        free(target);
        return NULL;
}

uint64_t copy_target_id(const CopyTarget *target) {
        return target->head.id;
}

CopyPosition copy_target_position(const CopyTarget *target) {
        return copy_parser_position(&target->parser);
}

bool copy_target_is_complete(const CopyTarget *target) {
        return copy_parser_is_complete(&target->parser);
}

void copy_target_connect(CopyTarget *target) {
        copy_parser_connect(&target->parser);
}

int copy_target_feed(CopyTarget *target, const void *data, size_t size) {
        return copy_parser_feed(&target->parser, data, size);
}

static int open_databases(CopyTarget *target, Environment *environment) {
        for (uint32_t i = 0; i < target->head.n_databases; i++) {
                const char *name = target->head.databases[i].name;
                DB *database;
                int r;

                if (strcmp(name, "state" DATABASE_SUFFIX) == 0)
                        continue; /* each environment opens it itself */
                r = environment_open_database(environment, name, &database);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* A page that the log cannot make whole is marked by this, so that the database is no tree. */
static int replay(CopyTarget *target) {
        EnvironmentOptions options = target->options.environment;
        const EnvironmentHooks hooks = { .format = target->options.format, .is_copy = true };
        _cleanup_(environment_freep) Environment *environment = NULL;
        int r;

        options.directory = target->directory;
        options.before_done = options.after_done = NULL;
        r = environment_open(&options, &hooks, &environment);
        if (r >= 0)
                r = open_databases(target, environment);
        return r < 0 ? r : environment_seal(environment);
}

int copy_target_recover(CopyTarget *target) {
        int r;

        assert(copy_target_is_complete(target));

        r = replay(target);
        for (uint32_t i = 0; i < target->head.n_databases && r >= 0; i++)
                r = copy_verify(target->directory, target->head.databases[i].name);
        target->is_ready = r >= 0;
        return r;
}

int copy_target_install(CopyTarget *target) {
        _cleanup_close_ int lock_fd = -1;
        int r;

        assert(target->is_ready);

        r = environment_lock(target->dir_fd);
        if (r < 0)
                return r;
        lock_fd = r;

        target->is_installed = true; /* or it may be */
        return replacement_install(target->dir_fd);
}
