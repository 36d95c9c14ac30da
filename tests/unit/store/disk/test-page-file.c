/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "scratch.h"
#include "store/disk/page-file.h"

/* Pages that are sound without being Berkeley DB's: a branch leads to others, a leaf does not. */
enum { TYPE_BRANCH = 3, TYPE_LEAF = 5, NUMBER_OFFSET = 8, TYPE_OFFSET = 25, CHECKSUM_OFFSET = 28 };

#define N_PAGES 8 /* that are there when a test begins */

typedef struct World {
        char *directory;
        int dir_fd;
        PageFile *file;
} World;

static void make_page(uint32_t number, uint8_t type, uint8_t content, uint8_t *ret_page) {
        uint32_t hash;

        memset(ret_page, content, PAGE_SIZE);
        memcpy(ret_page + NUMBER_OFFSET, &number, sizeof(number));
        ret_page[TYPE_OFFSET] = type;
        memset(ret_page + CHECKSUM_OFFSET, 0, sizeof(hash));
        hash = page_hash(ret_page, PAGE_SIZE);
        memcpy(ret_page + CHECKSUM_OFFSET, &hash, sizeof(hash));
        assert_true(page_is_sound(ret_page, number));
}

static void open_file(World *world, const char *name, bool was_closed) {
        assert_int_equal(page_file_new(world->dir_fd, name, was_closed, &world->file), 0);
}

static void reopen(World *world, bool was_closed) {
        world->file = page_file_free(world->file);
        open_file(world, "test.db", was_closed);
}

static int setup(void **state) {
        World *world = calloc(1, sizeof(*world));
        uint8_t pages[N_PAGES * PAGE_SIZE];

        world->directory = scratch_new();
        world->dir_fd = open(world->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_ok(world->dir_fd);
        for (uint32_t i = 0; i < N_PAGES; i++)
                make_page(i, i == 2 ? TYPE_BRANCH : TYPE_LEAF, 1, pages + i * PAGE_SIZE);
        assert_int_equal(write_file(world->dir_fd, "test.db", pages, sizeof(pages), 0640), 0);
        open_file(world, "test.db", false);
        *state = world;
        return 0;
}

static int teardown(void **state) {
        World *world = *state;

        (void) page_file_free(world->file);
        closep(&world->dir_fd);
        (void) scratch_free(world->directory);
        free(world);
        return 0;
}

static void write_page(World *world, uint32_t number, uint8_t type, uint8_t content) {
        uint8_t page[PAGE_SIZE];

        make_page(number, type, content, page);
        assert_int_equal(page_file_write(world->file, number, page), 0);
}

static void assert_in_mirror(World *world, uint32_t number, uint8_t type, uint8_t content) {
        uint8_t page[PAGE_SIZE], expected[PAGE_SIZE];

        make_page(number, type, content, expected);
        assert_true(page_file_has_mirror(world->file, number));
        assert_true(page_file_read_mirror(world->file, number, page));
        assert_memory_equal(page, expected, sizeof(page));
}

static void assert_not_in_mirror(World *world, uint32_t number) {
        uint8_t page[PAGE_SIZE];

        assert_false(page_file_has_mirror(world->file, number));
        assert_false(page_file_read_mirror(world->file, number, page));
}

static void spoil(const World *world, const char *name, uint32_t number) {
        scratch_flip_bit(scratch_path(world->directory, name), number * PAGE_SIZE + 100);
}

TEST(a_new_mirror_has_the_pages_that_all_others_depend_on) {
        World *world = *state;

        assert_in_mirror(world, 0, TYPE_LEAF, 1);
        assert_in_mirror(world, 1, TYPE_LEAF, 1);
        assert_not_in_mirror(world, 2); /* a branch comes when it is written */
        assert_not_in_mirror(world, 3);
}

TEST(a_branch_is_mirrored_when_it_is_written_and_a_leaf_is_not) {
        World *world = *state;

        write_page(world, 3, TYPE_LEAF, 7);
        assert_not_in_mirror(world, 3);
        write_page(world, 3, TYPE_BRANCH, 8);
        assert_in_mirror(world, 3, TYPE_BRANCH, 8);
        write_page(world, 3, TYPE_BRANCH, 9);
        assert_in_mirror(world, 3, TYPE_BRANCH, 9);
}

/* Or the mirror would put an old branch in the place of a leaf. */
TEST(a_branch_that_becomes_a_leaf_leaves_the_mirror) {
        World *world = *state;

        write_page(world, 3, TYPE_BRANCH, 8);
        write_page(world, 3, TYPE_LEAF, 9);
        assert_not_in_mirror(world, 3);
        reopen(world, true);
        assert_not_in_mirror(world, 3);
}

/* Without what is in the state nothing can be opened. */
TEST(all_of_the_state_is_mirrored) {
        World *world = *state;
        World other = *world;
        uint8_t page[PAGE_SIZE];

        make_page(0, TYPE_LEAF, 5, page);
        assert_int_equal(write_file(world->dir_fd, "state.db", page, sizeof(page), 0640), 0);
        open_file(&other, "state.db", false);
        write_page(&other, 5, TYPE_LEAF, 6);
        assert_in_mirror(&other, 5, TYPE_LEAF, 6);
        (void) page_file_free(other.file);
}

/* Some devices keep one copy only of blocks that are the same. */
TEST(the_mirror_has_other_bytes_than_the_file) {
        World *world = *state;
        _cleanup_close_ int fd = openat(world->dir_fd, "test.mirror", O_RDONLY | O_CLOEXEC);
        uint8_t page[PAGE_SIZE], mirror[PAGE_SIZE];

        make_page(0, TYPE_LEAF, 1, page);
        assert_int_equal(pread_all(fd, mirror, sizeof(mirror), 0), sizeof(mirror));
        for (size_t i = 0; i < sizeof(page); i++)
                assert_int_equal(page[i] ^ mirror[i], 0xff);
}

TEST(a_mirror_that_is_damaged_is_not_believed) {
        World *world = *state;
        uint8_t page[PAGE_SIZE];

        write_page(world, 3, TYPE_BRANCH, 8);
        spoil(world, "test.mirror", 3);
        assert_false(page_file_read_mirror(world->file, 3, page));
        reopen(world, true);
        assert_not_in_mirror(world, 3);
        assert_in_mirror(world, 0, TYPE_LEAF, 1);
}

TEST(after_a_clean_end_the_mirror_is_believed) {
        World *world = *state;

        write_page(world, 3, TYPE_BRANCH, 8);
        spoil(world, "test.db", 3);
        reopen(world, true);
        assert_in_mirror(world, 3, TYPE_BRANCH, 8);
}

/* The two were not flushed together: the page may be newer than its mirror. */
TEST(after_a_crash_the_mirror_follows_the_page_if_that_is_sound) {
        World *world = *state;
        _cleanup_close_ int fd = openat(world->dir_fd, "test.db", O_WRONLY | O_CLOEXEC);
        uint8_t page[PAGE_SIZE];

        write_page(world, 3, TYPE_BRANCH, 8);
        write_page(world, 4, TYPE_BRANCH, 8);
        write_page(world, 5, TYPE_BRANCH, 8);

        make_page(3, TYPE_BRANCH, 9, page);
        assert_int_equal(pwrite_all(fd, page, sizeof(page), 3 * PAGE_SIZE), 0);
        make_page(4, TYPE_LEAF, 9, page);
        assert_int_equal(pwrite_all(fd, page, sizeof(page), 4 * PAGE_SIZE), 0);
        spoil(world, "test.db", 5);

        reopen(world, false);
        assert_in_mirror(world, 3, TYPE_BRANCH, 9);
        assert_not_in_mirror(world, 4);
        assert_in_mirror(world, 5, TYPE_BRANCH, 8);
}

/* What is behind the end of the file was never flushed, and may never come. */
TEST(after_a_crash_a_page_that_is_not_there_leaves_the_mirror) {
        World *world = *state;

        write_page(world, N_PAGES + 3, TYPE_BRANCH, 8);
        assert_int_equal(
                        truncate(scratch_path(world->directory, "test.db"), N_PAGES * PAGE_SIZE),
                        0);
        reopen(world, false);
        assert_not_in_mirror(world, N_PAGES + 3);
}

/* A page that no flush has brought to the disk cannot be torn there: the log knows all of it. */
TEST(only_a_page_behind_what_was_flushed_is_written_as_a_new_one) {
        World *world = *state;
        uint8_t page[PAGE_SIZE];

        make_page(N_PAGES - 1, TYPE_LEAF, 2, page);
        assert_int_equal(page_file_write_new(world->file, N_PAGES - 1, page), 0);
        make_page(N_PAGES, TYPE_LEAF, 2, page);
        assert_int_equal(page_file_write_new(world->file, N_PAGES, page), 1);
        assert_int_equal(page_file_write_new(world->file, N_PAGES, page), 1);

        page_file_flush(world->file);
        assert_int_equal(page_file_write_new(world->file, N_PAGES, page), 0);
}

TEST(a_file_is_dirty_until_it_is_flushed) {
        World *world = *state;

        assert_false(page_file_is_dirty(world->file));
        write_page(world, 3, TYPE_LEAF, 7);
        assert_true(page_file_is_dirty(world->file));
        page_file_flush(world->file);
        assert_false(page_file_is_dirty(world->file));
        page_file_flush_mirror(world->file);
}

/* Berkeley DB may remove a database and make it anew during a recovery. */
TEST(another_file_of_the_name_has_another_mirror) {
        World *world = *state;
        _cleanup_close_ int fd = -1;
        uint8_t page[PAGE_SIZE];

        write_page(world, 3, TYPE_BRANCH, 8);
        make_page(0, TYPE_LEAF, 2, page);
        assert_int_equal(unlinkat(world->dir_fd, "test.db", 0), 0);
        assert_int_equal(write_file(world->dir_fd, "test.db", page, sizeof(page), 0640), 0);
        fd = openat(world->dir_fd, "test.db", O_RDONLY | O_CLOEXEC);
        assert_ok(fd);

        assert_int_equal(page_file_follow(world->file, fd), 0);
        assert_not_in_mirror(world, 3);
        assert_not_in_mirror(world, 0);
        write_page(world, 0, TYPE_LEAF, 3);
        assert_in_mirror(world, 0, TYPE_LEAF, 3);
        assert_int_equal(page_file_follow(world->file, fd), 0); /* the same as before */
        assert_in_mirror(world, 0, TYPE_LEAF, 3);
}

TEST(a_file_that_is_not_there_is_not_opened) {
        World *world = *state;
        PageFile *file;

        assert_int_equal(page_file_new(world->dir_fd, "none.db", false, &file), -ENOENT);
}

#define RUN(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                RUN(a_new_mirror_has_the_pages_that_all_others_depend_on),
                RUN(a_branch_is_mirrored_when_it_is_written_and_a_leaf_is_not),
                RUN(a_branch_that_becomes_a_leaf_leaves_the_mirror),
                RUN(all_of_the_state_is_mirrored),
                RUN(the_mirror_has_other_bytes_than_the_file),
                RUN(a_mirror_that_is_damaged_is_not_believed),
                RUN(after_a_clean_end_the_mirror_is_believed),
                RUN(after_a_crash_the_mirror_follows_the_page_if_that_is_sound),
                RUN(after_a_crash_a_page_that_is_not_there_leaves_the_mirror),
                RUN(only_a_page_behind_what_was_flushed_is_written_as_a_new_one),
                RUN(a_file_is_dirty_until_it_is_flushed),
                RUN(another_file_of_the_name_has_another_mirror),
                RUN(a_file_that_is_not_there_is_not_opened),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
