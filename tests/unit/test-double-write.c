/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Pages that find no room in their places stay where they can be read, whatever other threads
 * write meanwhile. */

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>

#include "base/file.h"
#include "scratch.h"
#include "store/double-write.h"

#define THREADS     4
#define ROUNDS      400
#define FIRST       10 /* leads to no others */
#define N_PAGES     (THREADS * ROUNDS)
#define TYPE_OFFSET 25

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

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(pages_without_room_are_kept),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
