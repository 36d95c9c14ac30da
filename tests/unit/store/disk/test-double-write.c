/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Pages that find no room in their places stay where they can be read, whatever other threads
 * write meanwhile; what puts a torn page right is its newest image. */

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>

#include "base/file.h"
#include "scratch.h"
#include "store/disk/double-write.h"

#define THREADS      4
#define ROUNDS       400
#define FIRST        10 /* leads to no others */
#define N_PAGES      (THREADS * ROUNDS)
#define TYPE_OFFSET  25
#define VALUE_OFFSET 100

typedef struct Writer {
        pthread_t thread;
        DoubleWrite *double_write;
        PageFile *file;
        unsigned i;
        bool taken[ROUNDS];
        bool lost;
} Writer;

static void fill(uint32_t number, uint8_t ret_page[static PAGE_SIZE]) {
        memset(ret_page, 0, PAGE_SIZE);
        memcpy(ret_page, &number, sizeof(number));
        ret_page[TYPE_OFFSET] = 5;
}

static uint32_t number_of(unsigned writer, unsigned round) {
        return FIRST + round * THREADS + writer;
}

static bool is_there(Writer *writer, unsigned round) {
        uint8_t page[PAGE_SIZE], expected[PAGE_SIZE];
        uint32_t number = number_of(writer->i, round);

        fill(number, expected);
        return double_write_get(writer->double_write, writer->file, number, page) &&
               memcmp(page, expected, sizeof(page)) == 0;
}

static void *write_pages(void *userdata) {
        Writer *writer = userdata;
        uint8_t page[PAGE_SIZE];

        for (unsigned round = 0; round < ROUNDS; round++) {
                uint32_t number = number_of(writer->i, round);

                fill(number, page);
                writer->taken[round] = double_write_put(
                                                       writer->double_write, writer->file, number,
                                                       page) >= 0;
                for (unsigned i = 0; i <= round; i++)
                        writer->lost = writer->lost || (writer->taken[i] && !is_there(writer, i));
        }
        return NULL;
}

static unsigned run(Writer writers[static THREADS], DoubleWrite *double_write, PageFile *file) {
        unsigned n_taken = 0;

        for (unsigned i = 0; i < THREADS; i++) {
                writers[i] = (Writer){ .double_write = double_write, .file = file, .i = i };
                assert_ok(-pthread_create(&writers[i].thread, NULL, write_pages, writers + i));
        }
        for (unsigned i = 0; i < THREADS; i++) {
                (void) pthread_join(writers[i].thread, NULL);
                assert_false(writers[i].lost);
                for (unsigned round = 0; round < ROUNDS; round++)
                        n_taken += writers[i].taken[round];
        }
        return n_taken;
}

static void check_places(const Writer writers[static THREADS], int fd) {
        uint8_t page[PAGE_SIZE], expected[PAGE_SIZE];

        for (unsigned i = 0; i < THREADS; i++)
                for (unsigned round = 0; round < ROUNDS; round++) {
                        uint32_t number = number_of(i, round);

                        if (!writers[i].taken[round])
                                continue;
                        fill(number, expected);
                        assert_int_equal(
                                        pread_all(fd, page, sizeof(page), number * PAGE_SIZE),
                                        PAGE_SIZE);
                        assert_memory_equal(page, expected, sizeof(page));
                }
}

TEST(pages_without_room_are_kept) {
        _cleanup_(scratch_freep) char *directory = scratch_new();
        _cleanup_close_ int dir_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_close_ int fd = -1;
        static Writer writers[THREADS];
        PageFile file = { .name = "x.db", .fd = open("/dev/full", O_RDWR | O_CLOEXEC) };
        DoubleWrite *double_write;
        unsigned n_repaired;

        assert_ok(dir_fd);
        assert_ok(file.fd);
        (void) pthread_mutex_init(&file.lock, NULL);
        assert_int_equal(double_write_new(dir_fd, 8 * MIB, &n_repaired, &double_write), 0);
        double_write_add(double_write, &file);

        assert_in_range(run(writers, double_write, &file), 100, N_PAGES - 1);
        assert_int_equal(double_write_drain(double_write), -ENOSPC);

        /* Now there is room. */
        fd = openat(dir_fd, file.name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        assert_ok(fd);
        assert_ok(dup2(fd, file.fd));
        assert_int_equal(double_write_drain(double_write), 0);
        check_places(writers, fd);

        assert_null(double_write_free(double_write));
        (void) close(file.fd);
        (void) pthread_mutex_destroy(&file.lock);
}

static PageFile make_file(int dir_fd) {
        PageFile file = { .name = "x.db" };

        file.fd = openat(dir_fd, file.name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        assert_ok(file.fd);
        (void) pthread_mutex_init(&file.lock, NULL);
        return file;
}

/* A page that is sound, with VALUE in it. */
static void make_page(uint8_t value, uint8_t ret_page[static PAGE_SIZE]) {
        const uint32_t number = FIRST;
        uint32_t hash;

        memset(ret_page, 0, PAGE_SIZE);
        memcpy(ret_page + 8, &number, sizeof(number));
        ret_page[TYPE_OFFSET] = 5;
        ret_page[VALUE_OFFSET] = value;
        hash = page_hash(ret_page, PAGE_SIZE);
        memcpy(ret_page + 28, &hash, sizeof(hash));
        assert_true(page_is_sound(ret_page, number));
}

/* One run, with a batch of one page for each value. Returns how many pages were put right. */
static unsigned write_values(int dir_fd, const char *values) {
        PageFile file = make_file(dir_fd);
        DoubleWrite *double_write;
        uint8_t page[PAGE_SIZE];
        unsigned n_repaired;

        assert_int_equal(double_write_new(dir_fd, 1 * MIB, &n_repaired, &double_write), 0);
        double_write_add(double_write, &file);
        for (; *values; values++) {
                make_page((uint8_t) *values, page);
                assert_int_equal(double_write_put(double_write, &file, FIRST, page), 0);
                assert_int_equal(double_write_drain(double_write), 0);
        }
        assert_null(double_write_free(double_write));
        (void) close(file.fd);
        (void) pthread_mutex_destroy(&file.lock);
        return n_repaired;
}

TEST(what_is_left_of_an_older_ring_is_not_taken) {
        _cleanup_(scratch_freep) char *directory = scratch_new();
        _cleanup_close_ int dir_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_close_ int fd = -1;
        uint8_t page[PAGE_SIZE];

        assert_int_equal(write_values(dir_fd, "ab"), 0);

        /* The first batch of the next run is torn in the ring, and power is lost once more. */
        scratch_flip_bit(scratch_path(directory, DOUBLE_WRITE_FILE), 20);
        assert_int_equal(write_values(dir_fd, "c"), 0);

        scratch_flip_bit(scratch_path(directory, "x.db"), FIRST * PAGE_SIZE + 2000);
        assert_int_equal(write_values(dir_fd, ""), 1);
        fd = openat(dir_fd, "x.db", O_RDONLY | O_CLOEXEC);
        assert_int_equal(pread_all(fd, page, sizeof(page), FIRST * PAGE_SIZE), PAGE_SIZE);
        assert_int_equal(page[VALUE_OFFSET], 'c');
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(pages_without_room_are_kept),
                cmocka_unit_test(what_is_left_of_an_older_ring_is_not_taken),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
