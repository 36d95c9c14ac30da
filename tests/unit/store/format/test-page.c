/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "scratch.h"
#include "store/format/page.h"
#include "store/index/index.h"

/* Makes an index whose files have pages of all kinds: meta, branches, leaves, overflow, free. */
static void make_databases(const char *directory) {
        IndexOptions options = { .directory = directory };
        static uint8_t blob[20000];
        IndexSet set = {
                .request.done = scratch_answered,
                .name = "map",
                .data = blob,
                .size = sizeof(blob),
        };
        Index *index;

        assert_int_equal(index_open(&options, &index), 0);
        for (uint64_t i = 1; i <= 2000; i++) {
                char key[16];
                IndexCommit commit = {
                        .request.done = scratch_answered,
                        .key = key,
                        .record = { .version = i, .content_type = "", .metadata = "" },
                };

                (void) snprintf(key, sizeof(key), "key/%04u", (unsigned) i);
                index_commit(index, &commit);
                assert_int_equal(scratch_wait(), 0);
        }

        index_set(index, &set);
        assert_int_equal(scratch_wait(), 0);
        set.data = NULL;
        index_set(index, &set);
        assert_int_equal(scratch_wait(), 0);
        index_free(index);
}

/* Calls on_page() for each page of the file. Returns how many there are. */
static unsigned for_each_page(
                const char *directory,
                const char *name,
                void (*on_page)(uint8_t *page, uint32_t number)) {
        _cleanup_close_ int fd = open(scratch_path(directory, name), O_RDONLY | O_CLOEXEC);
        uint8_t page[PAGE_SIZE];
        uint32_t n = 0;

        assert_ok(fd);
        for (; pread_all(fd, page, sizeof(page), n * PAGE_SIZE) == PAGE_SIZE; n++)
                on_page(page, n);
        return n;
}

static void is_sound(uint8_t *page, uint32_t number) {
        assert_true(page_is_sound(page, number));
        assert_false(page_is_sound(page, number + 1));
}

/* Of a meta page, only the first 512 bytes are in use and checked. */
static void shows_each_bit(uint8_t *page, uint32_t number) {
        size_t size = number == 0 ? 512 : PAGE_SIZE;

        for (size_t i = 0; i < size; i++) {
                page[i] ^= (uint8_t) (1 << i % 8);
                assert_false(page_is_sound(page, number));
                page[i] ^= (uint8_t) (1 << i % 8);
        }
        assert_true(page_is_sound(page, number));
}

TEST(pages_as_berkeley_db_writes_them_are_sound) {
        _cleanup_(scratch_freep) char *directory = scratch_new();

        make_databases(directory);
        assert_in_range(for_each_page(directory, "index.db", is_sound), 20, 200);
        assert_in_range(for_each_page(directory, "state.db", is_sound), 6, 20);
}

TEST(a_flipped_bit_shows_wherever_it_is) {
        _cleanup_(scratch_freep) char *directory = scratch_new();

        make_databases(directory);
        (void) for_each_page(directory, "state.db", shows_each_bit);
}

TEST(a_hole_is_sound) {
        const uint8_t page[PAGE_SIZE] = {};

        assert_true(page_is_sound(page, 0));
        assert_true(page_is_sound(page, 17));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(pages_as_berkeley_db_writes_them_are_sound),
                cmocka_unit_test(a_flipped_bit_shows_wherever_it_is),
                cmocka_unit_test(a_hole_is_sound),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
