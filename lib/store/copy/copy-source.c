/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "store/copy/copy-source.h"
#include "store/environment/environment-internal.h"
#include "store/environment/log-hold.h"
#include "store/environment/log-keeper.h"

struct CopySource {
        Environment *environment; /* not owned */
        CopySourceOptions options;
        LogHold *hold;
        CopyHead head;
        CopyPosition position;
        CopyPosition furthest;              /* that a receiver can be at */
        uint64_t sizes[COPY_DATABASES_MAX]; /* as they were sent */
        bool has_end;                       /* the databases are read, and the log ends there: */
        CopyEnd end;
        bool is_told;      /* the end was added */
        uint64_t due_usec; /* monotonic; of the next piece */
        uint8_t *piece;
};

static int note_database(CopySource *source, const char *name) {
        CopyDatabase *database = &source->head.databases[source->head.n_databases];
        struct stat st;

        if (source->head.n_databases >= COPY_DATABASES_MAX ||
            strlen(name) >= sizeof(database->name))
                return -EOPNOTSUPP;
        if (fstatat(source->environment->dir_fd, name, &st, 0) < 0)
                return -errno;

        (void) snprintf(database->name, sizeof(database->name), "%s", name);
        database->size = (uint64_t) st.st_size - (uint64_t) st.st_size % PAGE_SIZE;
        source->head.n_databases++;
        return 0;
}

/* The log is held: all that was changed before is in the files. */
static int fill_head(CopySource *source) {
        Environment *environment = source->environment;
        CopyHead *head = &source->head;

        (void) snprintf(head->format, sizeof(head->format), "%s", environment->hooks.format);
        memcpy(head->cluster, source->options.cluster, sizeof(head->cluster));
        head->log_id = environment->log_keeper.mark.id;
        if (getrandom(&head->id, sizeof(head->id), 0) != sizeof(head->id))
                return -EIO;

        for (size_t i = 0; i < environment->n_databases; i++) {
                DB *database = environment->databases[i];
                const char *name;
                int r;

                r = environment_error(environment, database->get_dbname(database, &name, NULL));
                if (r >= 0)
                        r = note_database(source, name);
                if (r < 0)
                        return r;
        }
        return 0;
}

int copy_source_new(Environment *environment, const CopySourceOptions *options, CopySource **ret) {
        const LogHoldOptions hold = { options->log_max, options->idle_usec };
        _cleanup_(copy_source_freep) CopySource *source = NULL;
        int r;

        if (environment->hooks.others && environment->hooks.others[0])
                return -EOPNOTSUPP;

        source = calloc(1, sizeof(*source));
        if (!source)
                return -ENOMEM;
        source->environment = environment;
        source->options = *options;
        source->piece = malloc(COPY_PIECE_MAX);
        if (!source->piece)
                return -ENOMEM;

        r = log_hold_new(environment, &hold, &source->head.begin, &source->hold);
        if (r < 0)
                return r;

        r = fill_head(source);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(source);
        return 0;
}

CopySource *copy_source_free(CopySource *source) {
        if (!source)
                return NULL;

        (void) log_hold_free(source->hold);
        free(source->piece);
        free(source);
        return NULL;
}

uint64_t copy_source_id(const CopySource *source) {
        return source->head.id;
}

static bool is_database(const CopySource *source, CopyPosition position) {
        return position.file < source->head.n_databases;
}

int copy_source_connect(CopySource *source, CopyPosition from, Buffer *buffer) {
        int r;

        r = log_hold_renew(source->hold);
        if (r < 0)
                return r;
        if (copy_position_compare(from, source->furthest) > 0 ||
            (is_database(source, from) && from.offset % PAGE_SIZE != 0))
                return -EINVAL;

        source->position = from;
        source->is_told = false;

        /* Pages that are read once more may be newer than the end was. */
        if (is_database(source, from)) {
                source->has_end = false;
                source->furthest = from;
        }
        copy_put_head(buffer, &source->head);
        return buffer_error(buffer);
}

/* Berkeley DB cuts free pages off the end of a file. What the log knows of one that is not there is
 * passed over, up to where it is added again: so the file may end where it ends now, and pages that
 * come later need not be copied. */
static int read_database(CopySource *source, size_t *ret_size, bool *ret_is_last) {
        const CopyDatabase *database = &source->head.databases[source->position.file];
        uint64_t offset = source->position.offset, left = database->size - offset;
        size_t size = (size_t) MIN(left, COPY_PIECE_MAX);
        int r;

        r = page_files_copy(
                        source->environment->page_files, database->name,
                        (uint32_t) (offset / PAGE_SIZE), (uint32_t) (size / PAGE_SIZE),
                        source->piece);
        if (r < 0)
                return r;

        *ret_size = (size_t) r * PAGE_SIZE;
        *ret_is_last = *ret_size < size || size == left;
        if (*ret_is_last)
                source->sizes[source->position.file] = offset + *ret_size;
        return 0;
}

static int open_log(const CopySource *source, uint32_t number, uint64_t *ret_size) {
        _cleanup_close_ int fd = -1;
        char name[LOG_NAME_SIZE];
        struct stat st;

        log_name(number, name);
        fd = openat(source->environment->dir_fd, name, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;

        *ret_size = number == source->end.log_end.file ? source->end.log_end.offset
                                                       : (uint64_t) st.st_size;
        return TAKE_FD(fd);
}

/* How long the whole copy is. */
static int sum_up(CopySource *source) {
        CopyEnd *end = &source->end;

        end->n_bytes = 0;
        for (uint32_t i = 0; i < source->head.n_databases; i++)
                end->n_bytes += source->sizes[i];
        for (uint32_t number = source->head.begin.file; number <= end->log_end.file; number++) {
                _cleanup_close_ int fd = -1;
                uint64_t size;

                fd = open_log(source, number, &size);
                if (fd < 0)
                        return fd;
                end->n_bytes += size;
        }
        return 0;
}

/* No page that was read is newer than the log that is flushed now. The record that is added makes
 * sure that the last log has something in it. */
static int find_end(CopySource *source) {
        Environment *environment = source->environment;
        int r;

        r = log_keeper_claim(environment);
        if (r >= 0)
                r = environment_error(
                                environment,
                                environment->db_env->log_flush(environment->db_env, NULL));
        if (r >= 0)
                r = log_keeper_find_flushed(environment, &source->end.log_end);
        if (r >= 0)
                r = sum_up(source);
        source->has_end = r >= 0;
        return r;
}

static int read_log(CopySource *source, size_t *ret_size, bool *ret_is_last) {
        uint64_t offset = source->position.offset, log_size = 0;
        _cleanup_close_ int fd = -1;
        size_t size;
        ssize_t n;

        fd = open_log(source, copy_log_number(&source->head, source->position.file), &log_size);
        if (fd < 0)
                return fd;
        if (offset >= log_size)
                return -EINVAL;

        size = (size_t) MIN(log_size - offset, COPY_PIECE_MAX);
        n = pread_all(fd, source->piece, size, offset);
        if (n < 0)
                return (int) n;
        if (n < (ssize_t) size)
                return -EIO;

        (void) posix_fadvise(fd, (off_t) offset, (off_t) size, POSIX_FADV_DONTNEED);
        *ret_size = size;
        *ret_is_last = offset + size == log_size;
        return 0;
}

static void advance(CopySource *source, size_t size, bool is_last) {
        uint64_t now_usec = clock_monotonic();

        source->position.offset += size;
        if (is_last)
                source->position = (CopyPosition){ source->position.file + 1, 0 };
        if (copy_position_compare(source->position, source->furthest) > 0)
                source->furthest = source->position;

        if (source->options.rate > 0)
                source->due_usec = MAX(source->due_usec, now_usec) +
                                   size * USEC_PER_SEC / source->options.rate;
}

static int add_piece(CopySource *source, Buffer *buffer) {
        bool is_last = false;
        size_t size = 0;
        int r;

        r = is_database(source, source->position) ? read_database(source, &size, &is_last)
                                                  : read_log(source, &size, &is_last);
        if (r < 0)
                return r;

        copy_put_piece(buffer, source->head.id, source->position, is_last, source->piece, size);
        if (buffer_error(buffer) < 0)
                return buffer_error(buffer);
        advance(source, size, is_last);
        return 1;
}

int copy_source_next(CopySource *source, Buffer *buffer) {
        int r;

        if (source->is_told)
                return 0;

        r = log_hold_renew(source->hold);
        if (r < 0)
                return r;

        if (!is_database(source, source->position) && !source->has_end) {
                r = find_end(source);
                if (r < 0)
                        return r;
        }
        if (is_database(source, source->position) ||
            copy_log_number(&source->head, source->position.file) <= source->end.log_end.file)
                return add_piece(source, buffer);

        copy_put_end(buffer, source->head.id, &source->end);
        source->is_told = buffer_error(buffer) >= 0;
        return source->is_told ? 1 : buffer_error(buffer);
}

uint64_t copy_source_pause(const CopySource *source) {
        uint64_t now_usec = clock_monotonic();

        return source->due_usec > now_usec ? source->due_usec - now_usec : 0;
}
