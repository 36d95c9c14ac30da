/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/file.h"
#include "core/checksum.h"
#include "store/disk/disk.h"
#include "store/disk/double-write.h"

#define MAGIC UINT64_C(0x3067706c62756f64) /* "doublpg0" */

#define BATCH_MAX 256

typedef struct Slot {
        char name[32];
        uint32_t number;
        uint32_t reserved;
        Checksum checksum; /* of the page */
} Slot;

/* In front of the pages of a batch, in the byte order of this machine. */
typedef struct Header {
        uint64_t magic;
        uint64_t sequence; /* the next batch of the ring has the next one */
        uint32_t n_pages;
        uint32_t reserved;
        Slot slots[BATCH_MAX];
        Checksum checksum; /* of all before */
} Header;

#define HEADER_SIZE ((size_t) (4 * PAGE_SIZE))

_Static_assert(sizeof(Header) <= HEADER_SIZE, "The header does not fit into its pages");
_Static_assert(sizeof(Slot) == 56, "A slot has holes");

typedef struct Batch {
        uint8_t *memory; /* header and pages, as they are in the file */
        PageFile *files[BATCH_MAX];
        uint32_t numbers[BATCH_MAX];
        bool is_left[BATCH_MAX]; /* found no room */
        unsigned n;
} Batch;

#define FILES_MAX 16

struct DoubleWrite {
        int fd;
        uint64_t size;
        unsigned batch_max;

        pthread_mutex_t lock;
        pthread_cond_t is_idle;
        Batch batches[2];
        Batch *filling, *draining; /* one and the other */
        bool is_draining;
        atomic_uint n_pages; /* in both */
        PageFile *files[FILES_MAX];
        size_t n_files;

        /* Of the thread that drains. */
        uint64_t offset, sequence;
};

static Header *header_of(const Batch *batch) {
        return (Header *) batch->memory;
}

static uint8_t *page_of(const Batch *batch, unsigned i) {
        return batch->memory + HEADER_SIZE + (size_t) i * PAGE_SIZE;
}

static uint64_t batch_size(unsigned n_pages) {
        return HEADER_SIZE + (uint64_t) n_pages * PAGE_SIZE;
}

static bool header_is_whole(const Header *header) {
        Checksum checksum = checksum_of(header, offsetof(Header, checksum));

        return header->magic == MAGIC && header->n_pages <= BATCH_MAX &&
               memcmp(&checksum, &header->checksum, sizeof(checksum)) == 0;
}

/* Puts the page in its place if what is there is torn. Returns 1 if it was, or 0. */
static int restore(int dir_fd, const Slot *slot, const uint8_t *page) {
        _cleanup_close_ int fd = -1;
        char name[sizeof(slot->name) + 1];
        uint8_t in_place[PAGE_SIZE];
        ssize_t n;
        int r;

        memcpy(name, slot->name, sizeof(slot->name));
        name[sizeof(slot->name)] = '\0';
        fd = openat(dir_fd, name, O_RDWR | O_CLOEXEC);
        if (fd < 0)
                return errno == ENOENT ? 0 : -errno;

        n = pread_all(fd, in_place, sizeof(in_place), (uint64_t) slot->number * PAGE_SIZE);
        if (n < 0 && n != -EIO)
                return (int) n;
        if (n == 0 || (n == PAGE_SIZE && page_is_sound(in_place, slot->number)))
                return 0;

        r = pwrite_all(fd, page, PAGE_SIZE, (uint64_t) slot->number * PAGE_SIZE);
        if (r < 0)
                return r;
        return fdatasync(fd) < 0 ? -errno : 1;
}

static int restore_batch(DoubleWrite *double_write, int dir_fd, unsigned *repaired) {
        const Batch *batch = &double_write->batches[0];
        const Header *header = header_of(batch);

        for (unsigned i = header->n_pages; i-- > 0;) {
                const uint8_t *page = page_of(batch, i);
                Checksum checksum = checksum_of(page, PAGE_SIZE);
                int r;

                if (memcmp(&checksum, &header->slots[i].checksum, sizeof(checksum)) != 0 ||
                    !page_is_sound(page, header->slots[i].number))
                        continue;

                r = restore(dir_fd, &header->slots[i], page);
                if (r < 0)
                        return r;
                *repaired += (unsigned) r;
        }

        return 0;
}

/* Where the batches are, the newest of the ring last. */
static int find_batches(DoubleWrite *double_write, uint64_t **ret_offsets, size_t *ret_n) {
        Header *header = header_of(&double_write->batches[0]);
        _cleanup_free_ uint64_t *offsets = NULL;
        uint64_t offset = 0;
        size_t n_batches = 0;

        offsets = calloc(double_write->size / HEADER_SIZE + 1, sizeof(*offsets));
        if (!offsets)
                return -ENOMEM;

        while (offset + HEADER_SIZE <= double_write->size) {
                ssize_t n;

                n = pread_all(double_write->fd, header, HEADER_SIZE, offset);
                if (n < 0 && n != -EIO)
                        return (int) n;
                if (n < (ssize_t) HEADER_SIZE || !header_is_whole(header) ||
                    (n_batches > 0 && header->sequence != double_write->sequence))
                        break;

                double_write->sequence = header->sequence + 1;
                offsets[n_batches++] = offset;
                offset += batch_size(header->n_pages);
        }

        /* What was the first one is torn: nothing behind it may look like the next. */
        if (n_batches == 0 && getrandom(&double_write->sequence, sizeof(double_write->sequence),
                                        0) != sizeof(double_write->sequence))
                return -EIO;

        *ret_offsets = TAKE_PTR(offsets);
        *ret_n = n_batches;
        return 0;
}

/* Newest batch first: what one has put right, an older one leaves alone. */
static int restore_all(DoubleWrite *double_write, int dir_fd, unsigned *ret_repaired) {
        _cleanup_free_ uint64_t *offsets = NULL;
        Batch *batch = &double_write->batches[0];
        size_t n_batches = 0;
        int r;

        r = find_batches(double_write, &offsets, &n_batches);
        if (r < 0)
                return r;

        *ret_repaired = 0;
        while (n_batches-- > 0) {
                ssize_t n;

                n = pread_all(double_write->fd, batch->memory, batch_size(BATCH_MAX),
                              offsets[n_batches]);
                if (n == -EIO)
                        continue;
                if (n < 0)
                        return (int) n;

                memset(batch->memory + n, 0, batch_size(BATCH_MAX) - (size_t) n);
                r = restore_batch(double_write, dir_fd, ret_repaired);
                if (r < 0)
                        return r;
        }

        return 0;
}

/* So that a flush of it changes nothing but data. */
static int fill(DoubleWrite *double_write) {
        _cleanup_free_ uint8_t *zeroes = calloc(1, 64 * KIB);
        struct stat st;

        if (!zeroes)
                return -ENOMEM;
        if (fstat(double_write->fd, &st) < 0)
                return -errno;

        for (uint64_t offset = (uint64_t) st.st_size; offset < double_write->size;) {
                uint64_t n = MIN(double_write->size - offset, 64 * KIB);
                int r;

                r = pwrite_all(double_write->fd, zeroes, n, offset);
                if (r < 0)
                        return r;
                offset += n;
        }

        return fdatasync(double_write->fd) < 0 ? -errno : 0;
}

int double_write_new(int dir_fd, uint64_t size, unsigned *ret_repaired, DoubleWrite **ret) {
        DoubleWrite *double_write;
        int r = -ENOMEM;

        double_write = calloc(1, sizeof(*double_write));
        if (!double_write)
                return -ENOMEM;

        double_write->size = MAX(size, batch_size(BATCH_MAX / 16));
        double_write->batch_max = (unsigned) MIN(
                        (double_write->size - HEADER_SIZE) / PAGE_SIZE, (uint64_t) BATCH_MAX);
        double_write->filling = &double_write->batches[0];
        double_write->draining = &double_write->batches[1];
        (void) pthread_mutex_init(&double_write->lock, NULL);
        (void) pthread_cond_init(&double_write->is_idle, NULL);

        double_write->fd = openat(dir_fd, DOUBLE_WRITE_FILE, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
        if (double_write->fd < 0)
                r = -errno;
        for (size_t i = 0; i < ELEMENTSOF(double_write->batches); i++)
                double_write->batches[i].memory = calloc(1, batch_size(BATCH_MAX));

        if (double_write->fd >= 0 && double_write->batches[0].memory &&
            double_write->batches[1].memory)
                r = restore_all(double_write, dir_fd, ret_repaired);
        if (r >= 0)
                r = fill(double_write);
        if (r < 0) {
                (void) double_write_free(double_write);
                return r;
        }

        *ret = double_write;
        return 0;
}

DoubleWrite *double_write_free(DoubleWrite *double_write) {
        if (!double_write)
                return NULL;

        for (size_t i = 0; i < ELEMENTSOF(double_write->batches); i++)
                free(double_write->batches[i].memory);
        (void) pthread_cond_destroy(&double_write->is_idle);
        (void) pthread_mutex_destroy(&double_write->lock);
        closep(&double_write->fd);
        free(double_write);
        return NULL;
}

void double_write_add(DoubleWrite *double_write, PageFile *file) {
        (void) pthread_mutex_lock(&double_write->lock);
        assert(double_write->n_files < FILES_MAX);
        double_write->files[double_write->n_files++] = file;
        (void) pthread_mutex_unlock(&double_write->lock);
}

static void complete_header(const Batch *batch, uint64_t sequence) {
        Header *header = header_of(batch);

        header->magic = MAGIC;
        header->sequence = sequence;
        header->n_pages = batch->n;
        for (unsigned i = 0; i < batch->n; i++) {
                Slot *slot = &header->slots[i];

                memset(slot, 0, sizeof(*slot));
                memcpy(slot->name, batch->files[i]->name,
                       strnlen(batch->files[i]->name, sizeof(slot->name)));
                slot->number = batch->numbers[i];
                slot->checksum = checksum_of(page_of(batch, i), PAGE_SIZE);
        }
        header->checksum = checksum_of(header, offsetof(Header, checksum));
}

/* All that the ring has is in its place: it can be written over. */
static void begin_again(DoubleWrite *double_write) {
        PageFile *files[FILES_MAX];
        size_t n;

        (void) pthread_mutex_lock(&double_write->lock);
        memcpy(files, double_write->files, sizeof(files));
        n = double_write->n_files;
        (void) pthread_mutex_unlock(&double_write->lock);

        for (size_t i = 0; i < n; i++)
                if (page_file_is_dirty(files[i]))
                        page_file_flush(files[i]);
        double_write->offset = 0;
}

/* Writes the batch to the ring, flushed. */
static void save(DoubleWrite *double_write, const Batch *batch) {
        int r;

        if (double_write->offset + batch_size(batch->n) > double_write->size)
                begin_again(double_write);

        complete_header(batch, double_write->sequence++);
        r = pwrite_all(double_write->fd, batch->memory, batch_size(batch->n), double_write->offset);
        if (r < 0)
                disk_fatal("write", double_write->fd, -r);
        disk_flush(double_write->fd);
        double_write->offset += batch_size(batch->n);
}

/* Writes the pages of the batch in place. */
static int place(Batch *batch) {
        int error = 0;

        for (unsigned i = 0; i < batch->n; i++) {
                int r;

                r = page_file_write(batch->files[i], batch->numbers[i], page_of(batch, i));
                batch->is_left[i] = r < 0;
                if (r < 0)
                        error = r;
        }

        return error;
}

/* Returns the place in the batch, or -1. */
static int find(const Batch *batch, const PageFile *file, uint32_t number) {
        for (unsigned i = 0; i < batch->n; i++)
                if (batch->numbers[i] == number && batch->files[i] == file)
                        return (int) i;
        return -1;
}

static void add(DoubleWrite *double_write, PageFile *file, uint32_t number, const uint8_t *page) {
        Batch *batch = double_write->filling;
        int i = find(batch, file, number);

        if (i < 0) {
                i = (int) batch->n++;
                batch->files[i] = file;
                batch->numbers[i] = number;
                (void) atomic_fetch_add(&double_write->n_pages, 1);
        }
        memcpy(page_of(batch, (unsigned) i), page, PAGE_SIZE);
}

/* Those that were left behind wait with the others, unless there is a newer image of them. */
static void take_back(DoubleWrite *double_write, const Batch *left) {
        for (unsigned i = 0; i < left->n; i++)
                if (left->is_left[i] &&
                    find(double_write->filling, left->files[i], left->numbers[i]) < 0)
                        add(double_write, left->files[i], left->numbers[i], page_of(left, i));
}

/* With the lock, which it gives up in between. */
static int drain_locked(DoubleWrite *double_write) {
        Batch *batch;
        unsigned n;
        int r;

        while (double_write->is_draining)
                (void) pthread_cond_wait(&double_write->is_idle, &double_write->lock);
        if (double_write->filling->n == 0)
                return 0;

        batch = double_write->filling;
        double_write->filling = double_write->draining;
        double_write->draining = batch;
        double_write->is_draining = true;
        n = batch->n;
        (void) pthread_mutex_unlock(&double_write->lock);

        save(double_write, batch);
        r = place(batch);

        /* Counted once more before they are counted off: they are always there to be read. */
        (void) pthread_mutex_lock(&double_write->lock);
        if (r < 0)
                take_back(double_write, batch);
        (void) atomic_fetch_sub(&double_write->n_pages, n);
        batch->n = 0;
        double_write->is_draining = false;
        (void) pthread_cond_broadcast(&double_write->is_idle);
        return r;
}

/* What is being written may all have to be taken back. */
static bool has_room(const DoubleWrite *double_write) {
        unsigned n = double_write->filling->n;

        return n < double_write->batch_max / 2 &&
               n + double_write->draining->n < double_write->batch_max;
}

int double_write_put(
                DoubleWrite *double_write,
                PageFile *file,
                uint32_t number,
                const uint8_t page[static PAGE_SIZE]) {
        int r = 0;

        (void) pthread_mutex_lock(&double_write->lock);
        while (r >= 0 && !has_room(double_write) && find(double_write->filling, file, number) < 0)
                r = drain_locked(double_write);
        if (r >= 0)
                add(double_write, file, number, page);
        (void) pthread_mutex_unlock(&double_write->lock);

        return r;
}

bool double_write_get(
                DoubleWrite *double_write,
                const PageFile *file,
                uint32_t number,
                uint8_t ret_page[static PAGE_SIZE]) {
        const Batch *batch = NULL;
        int i;

        if (atomic_load(&double_write->n_pages) == 0)
                return false;

        (void) pthread_mutex_lock(&double_write->lock);
        batch = double_write->filling;
        i = find(batch, file, number);
        if (i < 0 && double_write->is_draining) {
                batch = double_write->draining;
                i = find(batch, file, number);
        }
        if (i >= 0)
                memcpy(ret_page, page_of(batch, (unsigned) i), PAGE_SIZE);
        (void) pthread_mutex_unlock(&double_write->lock);

        return i >= 0;
}

int double_write_drain(DoubleWrite *double_write) {
        int r = 0;

        (void) pthread_mutex_lock(&double_write->lock);
        while (r >= 0 && (double_write->is_draining || double_write->filling->n > 0))
                r = drain_locked(double_write);
        (void) pthread_mutex_unlock(&double_write->lock);

        return r;
}
