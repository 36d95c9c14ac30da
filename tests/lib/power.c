/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdalign.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/file.h"
#include "power.h"
#include "scratch.h"

#define SECTOR           512
#define INODES_MAX       1024
#define NAMES_MAX        1024
#define ACKNOWLEDGED_MAX 1024

/* An event in the trace: this, then path, other path and data, padded so that the next one is
 * aligned. */
typedef struct Event {
        FaultCallKind kind;
        uint32_t path_size, other_size; /* with the 0 behind it; 0 for none */
        uint64_t inode, directory, size, offset, data_size;
} Event;

/* Recording, in the process of the scene. */

static int trace_fd = -1;

static void record(const void *data, size_t size) {
        const uint8_t *p = data;

        while (size > 0) {
                ssize_t n = syscall(SYS_write, trace_fd, p, size);

                if (n <= 0)
                        _exit(1);
                p += n;
                size -= (size_t) n;
        }
}

static uint64_t directory_of(const char *path) {
        char directory[PATH_MAX];
        struct stat st;
        char *slash;

        (void) snprintf(directory, sizeof(directory), "%s", path);
        slash = strrchr(directory, '/');
        if (slash)
                *slash = '\0';
        return stat(directory, &st) < 0 ? 0 : st.st_ino;
}

static size_t size_of(const Event *event) {
        size_t size = sizeof(*event) + event->path_size + event->other_size + event->data_size;

        return (size + alignof(Event) - 1) / alignof(Event) * alignof(Event);
}

static void on_call(const FaultCall *call) {
        static const uint8_t padding[alignof(Event)];

        Event event = {
                .kind = call->kind,
                .inode = call->inode,
                .size = call->size,
                .offset = call->offset,
                .path_size = call->path ? (uint32_t) strlen(call->path) + 1 : 0,
                .other_size = call->other ? (uint32_t) strlen(call->other) + 1 : 0,
                .directory = call->path ? directory_of(call->other ?: call->path) : 0,
                .data_size = call->data ? call->size : 0,
        };

        record(&event, sizeof(event));
        record(call->path, event.path_size);
        record(call->other, event.other_size);
        record(call->data, event.data_size);
        record(padding, size_of(&event) - sizeof(event) - event.path_size - event.other_size -
                                        event.data_size);
}

static void run_scene(const FaultSweep *sweep, const char *directory, const char *trace) {
        int status;
        pid_t pid;

        pid = fork();
        if (pid < 0)
                err(1, "Failed to fork");
        if (pid == 0) {
                trace_fd = open(trace, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
                fault_observe(on_call);
                sweep->scene(directory);
                fault_observe(NULL);
                _exit(0);
        }
        if (waitpid(pid, &status, 0) < 0 || status != 0)
                errx(1, "The scene ended with status %#x", (unsigned) status);
}

/* Playing it again. */

typedef struct Inode {
        uint64_t number;
        bool is_directory;
        uint8_t *content; /* what is flushed */
        size_t size;
        const Event **pending;
        size_t n_pending;
} Inode;

typedef struct Name {
        char path[256]; /* below the directory */
        Inode *inode;
} Name;

typedef struct Disk {
        const char *directory; /* of the scene */
        Inode inodes[INODES_MAX];
        size_t n_inodes;
        Name names[NAMES_MAX];
        size_t n_names;
        const Event **pending; /* names that are not flushed */
        size_t n_pending;
        uint8_t acknowledged[ACKNOWLEDGED_MAX];
        size_t n_acknowledged;
} Disk;

static const char *path_of(const Event *event) {
        return (const char *) (event + 1);
}

static const char *other_of(const Event *event) {
        return path_of(event) + event->path_size;
}

static const uint8_t *data_of(const Event *event) {
        return (const uint8_t *) other_of(event) + event->other_size;
}

static void push(const Event ***list, size_t *n, const Event *event) {
        *list = realloc(*list, (*n + 1) * sizeof(**list));
        if (!*list)
                err(1, "Failed to allocate");
        (*list)[(*n)++] = event;
}

/* A number may be used again: the last one counts. */
static Inode *find_inode(Disk *disk, uint64_t number) {
        for (size_t i = disk->n_inodes; i-- > 0;)
                if (disk->inodes[i].number == number)
                        return &disk->inodes[i];
        return NULL;
}

static Inode *new_inode(Disk *disk, uint64_t number) {
        if (disk->n_inodes == INODES_MAX)
                errx(1, "The scene makes too many files");
        disk->inodes[disk->n_inodes] = (Inode){ .number = number };
        return &disk->inodes[disk->n_inodes++];
}

static void resize(uint8_t **content, size_t *size, size_t new_size) {
        if (new_size > *size) {
                *content = realloc(*content, new_size);
                if (!*content)
                        err(1, "Failed to allocate");
                memset(*content + *size, 0, new_size - *size);
        }
        *size = new_size;
}

static void apply(uint8_t **content, size_t *size, const Event *event, uint64_t from, uint64_t n) {
        if (event->kind == FAULT_TRUNCATE) {
                resize(content, size, event->size);
                return;
        }
        if (event->offset + from + n > *size)
                resize(content, size, event->offset + from + n);
        memcpy(*content + event->offset + from, data_of(event) + from, n);
}

static const char *relative(const Disk *disk, const char *path) {
        size_t n = strlen(disk->directory);

        return strncmp(path, disk->directory, n) == 0 ? path + n + strspn(path + n, "/") : "";
}

static void set_name(Disk *disk, Name *names, size_t *n, const char *path, Inode *inode) {
        path = relative(disk, path);
        if (!*path || path[strlen(path) - 1] == '/') /* elsewhere, or a file without a name */
                return;

        for (size_t i = 0; i < *n; i++)
                if (strcmp(names[i].path, path) == 0) {
                        if (inode)
                                names[i].inode = inode;
                        else
                                names[i] = names[--*n];
                        return;
                }
        if (!inode)
                return;
        if (*n == NAMES_MAX)
                errx(1, "The scene has too many names");
        (void) snprintf(names[*n].path, sizeof(names[*n].path), "%s", path);
        names[(*n)++].inode = inode;
}

/* What is in the directory moves with it. */
static void rename_below(Disk *disk, Name *names, size_t n, const char *from, const char *to) {
        size_t from_size;

        from = relative(disk, from);
        to = relative(disk, to);
        from_size = strlen(from);
        for (size_t i = 0; i < n; i++)
                if (strncmp(names[i].path, from, from_size) == 0 &&
                    names[i].path[from_size] == '/') {
                        char path[sizeof(names[i].path)];

                        (void) snprintf(path, sizeof(path), "%s%.*s", to,
                                        (int) (sizeof(path) - strlen(to) - 1),
                                        names[i].path + from_size);
                        memcpy(names[i].path, path, sizeof(path));
                }
}

static void apply_name(Disk *disk, Name *names, size_t *n, const Event *event) {
        switch (event->kind) {
        case FAULT_CREATE:
        case FAULT_DIRECTORY:
        case FAULT_LINK:
                set_name(disk, names, n, path_of(event), find_inode(disk, event->inode));
                break;
        case FAULT_RENAME:
                rename_below(disk, names, *n, path_of(event), other_of(event));
                set_name(disk, names, n, path_of(event), NULL);
                set_name(disk, names, n, other_of(event), find_inode(disk, event->inode));
                break;
        case FAULT_UNLINK:
                set_name(disk, names, n, path_of(event), NULL);
                break;
        default:
                break;
        }
}

static void flush(Disk *disk, const Event *event) {
        Inode *inode = find_inode(disk, event->inode);
        size_t kept = 0;

        if (inode) {
                for (size_t i = 0; i < inode->n_pending; i++)
                        apply(&inode->content, &inode->size, inode->pending[i], 0,
                              inode->pending[i]->data_size);
                inode->n_pending = 0;
        }

        for (size_t i = 0; i < disk->n_pending; i++)
                if (disk->pending[i]->directory == event->inode)
                        apply_name(disk, disk->names, &disk->n_names, disk->pending[i]);
                else
                        disk->pending[kept++] = disk->pending[i];
        disk->n_pending = kept;
}

static void step(Disk *disk, const Event *event) {
        Inode *inode;

        switch (event->kind) {
        case FAULT_CREATE:
        case FAULT_DIRECTORY:
                new_inode(disk, event->inode)->is_directory = event->kind == FAULT_DIRECTORY;
                push(&disk->pending, &disk->n_pending, event);
                break;
        case FAULT_LINK:
        case FAULT_RENAME:
        case FAULT_UNLINK:
                push(&disk->pending, &disk->n_pending, event);
                break;
        case FAULT_WRITE:
        case FAULT_TRUNCATE:
                inode = find_inode(disk, event->inode);
                if (inode)
                        push(&inode->pending, &inode->n_pending, event);
                break;
        case FAULT_FLUSH:
                flush(disk, event);
                break;
        case FAULT_ACKNOWLEDGE:
                if (disk->n_acknowledged < ACKNOWLEDGED_MAX)
                        disk->acknowledged[disk->n_acknowledged++] = *data_of(event);
                break;
        }
}

/* What became of the writes that were not flushed, in this state. */
typedef enum Fate {
        FATE_RANDOM, /* of each: nothing or all */
        FATE_TORN,   /* of each: any sectors */
        FATE_LAST,   /* all, but the last one is torn */
        FATE_NONE,
        FATE_ALL,
        FATES,
} Fate;

static void apply_torn(uint8_t **content, size_t *size, const Event *event) {
        uint64_t offset = 0;

        while (offset < event->data_size) {
                uint64_t sector_end = ((event->offset + offset) / SECTOR + 1) * SECTOR;
                uint64_t n = MIN(sector_end - event->offset - offset, event->data_size - offset);

                if (random() % 2)
                        apply(content, size, event, offset, n);
                offset += n;
        }
}

static void write_state(const Inode *inode, Fate fate, const char *path) {
        _cleanup_free_ uint8_t *content = NULL;
        size_t size = 0;
        int fd;

        resize(&content, &size, inode->size);
        if (size > 0)
                memcpy(content, inode->content, size);

        for (size_t i = 0; i < inode->n_pending; i++) {
                const Event *event = inode->pending[i];
                bool is_torn = event->kind == FAULT_WRITE &&
                               (fate == FATE_TORN ||
                                (fate == FATE_LAST && i + 1 == inode->n_pending));

                if (is_torn)
                        apply_torn(&content, &size, event);
                else if (fate == FATE_ALL || fate == FATE_LAST ||
                         (fate != FATE_NONE && random() % 2))
                        apply(&content, &size, event, 0, event->data_size);
        }

        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (fd < 0 && errno == ENOENT)
                return; /* its directory is not there */
        if (fd < 0 || write_all(fd, content, size) < 0)
                err(1, "Failed to write '%s'", path);
        (void) close(fd);
}

static char *make_state(Disk *disk) {
        static Name names[NAMES_MAX];
        size_t n = disk->n_names, n_flushed;
        Fate fate = (Fate) (random() % FATES);
        char *directory = scratch_new();

        memcpy(names, disk->names, n * sizeof(*names));
        n_flushed = (size_t) random() % (disk->n_pending + 1);
        if (fate == FATE_ALL)
                n_flushed = disk->n_pending;
        for (size_t i = 0; i < n_flushed; i++)
                apply_name(disk, names, &n, disk->pending[i]);

        /* Directories, those of the first level first. */
        for (unsigned level = 0; level < 2; level++)
                for (size_t i = 0; i < n; i++)
                        if (names[i].inode->is_directory &&
                            (strchr(names[i].path, '/') != NULL) == (level == 1))
                                (void) mkdir(scratch_path(directory, names[i].path), 0700);
        for (size_t i = 0; i < n; i++)
                if (!names[i].inode->is_directory)
                        write_state(names[i].inode, fate, scratch_path(directory, names[i].path));

        return directory;
}

static void keep(const char *directory) {
        _cleanup_free_ char *command = NULL;
        const char *where = getenv("DKV_KEEP_STATES");

        if (where && asprintf(&command, "cp -r '%s' '%s'", directory, where) >= 0)
                (void) !system(command);
}

/* Returns whether the state is good. */
static bool check_state(const FaultSweep *sweep, Disk *disk) {
        _cleanup_(scratch_freep) char *directory = make_state(disk), *kept = NULL;
        int status;
        pid_t pid;

        if (getenv("DKV_KEEP_STATES"))
                kept = scratch_copy(directory);

        pid = fork();
        if (pid < 0)
                err(1, "Failed to fork");
        if (pid == 0) {
                sweep->check(directory, disk->acknowledged, disk->n_acknowledged);
                _exit(0);
        }
        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        err(1, "Failed to wait");
        if (status != 0 && kept)
                keep(kept);
        return status == 0;
}

static int compare(const void *a, const void *b) {
        const size_t *x = a, *y = b;

        return *x < *y ? -1 : *x > *y;
}

static unsigned check_states(
                const FaultSweep *sweep,
                Disk *disk,
                const char *trace,
                size_t size,
                unsigned n_states) {
        _cleanup_free_ size_t *points = calloc(n_states, sizeof(*points));
        size_t n_events = 0, n = 0;
        unsigned state = 0, bad = 0;

        for (size_t at = 0; at < size; at += size_of((const Event *) (trace + at)))
                n_events++;
        for (unsigned i = 0; i < n_states; i++)
                points[i] = (size_t) random() % (n_events + 1);
        qsort(points, n_states, sizeof(*points), compare);

        for (size_t at = 0;; at += size_of((const Event *) (trace + at)), n++) {
                for (; state < n_states && points[state] == n; state++)
                        if (!check_state(sweep, disk)) {
                                warnx("State %u, after %zu of %zu events, is bad; %zu acknowledged",
                                      state, n, n_events, disk->n_acknowledged);
                                bad++;
                        }
                if (at >= size)
                        break;
                step(disk, (const Event *) (trace + at));
        }

        return bad;
}

static void disk_done(Disk *disk) {
        for (size_t i = 0; i < disk->n_inodes; i++) {
                free(disk->inodes[i].content);
                free(disk->inodes[i].pending);
        }
        free(disk->pending);
        free(disk);
}

unsigned power_loss(const FaultSweep *sweep, unsigned n_states, unsigned seed) {
        _cleanup_(scratch_freep) char *directory = scratch_new(), *other = scratch_new();
        _cleanup_free_ char *trace = NULL;
        Disk *disk = calloc(1, sizeof(*disk));
        unsigned bad;
        size_t size;

        if (!disk)
                err(1, "Failed to allocate");

        run_scene(sweep, directory, scratch_path(other, "trace"));
        if (read_file(AT_FDCWD, scratch_path(other, "trace"), 1 * GIB, &trace, &size) < 0)
                err(1, "Failed to read the trace");

        srandom(seed);
        disk->directory = directory;
        bad = check_states(sweep, disk, trace, size, (n_states + FAULT_STRIDE - 1) / FAULT_STRIDE);
        disk_done(disk);
        return bad;
}
