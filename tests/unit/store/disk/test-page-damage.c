/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Pages of the databases are damaged while nobody has them open: what is on other pages is there,
 * what is on them answers -EBADMSG, and nothing is as it was before or seems never to have been.
 * $DKV_PAGE_FLIPS: how many; 300 in nightly runs. */

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/file.h"
#include "scratch.h"
#include "store/format/page.h"
#include "store/index/index.h"
#include "store/index/storage.h"

#define KEYS 1500

static EnvironmentOptions make_options(const char *directory) {
        return (EnvironmentOptions){
                .directory = directory,
                .log_size = 256 * KIB,
                .checkpoint_size = 512 * KIB,
        };
}

static int put(Index *index, unsigned key, uint64_t version) {
        static char metadata[500] = "m";
        char name[16];
        IndexCommit commit = {
                .request.done = scratch_answered,
                .key = name,
                .record = {
                        .version = version,
                        .content_type = "",
                        .metadata = metadata,
                        .metadata_size = sizeof(metadata),
                },
        };

        memset(metadata + 2, 'v', sizeof(metadata) - 3);
        (void) snprintf(name, sizeof(name), "key/%u", key);
        index_commit(index, &commit);
        return scratch_wait();
}

static uint64_t version_of(unsigned key) {
        return key % 3 == 0 ? KEYS + key : key + 1;
}

/* In a process of its own: every key, or every third once more. Only a clean end makes a
 * checkpoint. */
static void write_keys(const char *directory, bool again, bool clean) {
        EnvironmentOptions options = { .directory = directory,
                                       .log_size = 256 * KIB,
                                       .checkpoint_size = 64 * MIB };
        Index *index;
        int status;
        pid_t pid;

        pid = fork();
        assert_ok(pid);
        if (pid == 0) {
                if (scratch_open_index(&options, &index) < 0)
                        _exit(1);
                for (unsigned i = 0; i < KEYS; i += again ? 3 : 1)
                        if (put(index, i, again ? version_of(i) : i + 1) < 0)
                                _exit(1);
                if (clean)
                        (void) index_free(index);
                _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
}

/* Pages from before the last checkpoint change after it, too. */
static void fill(const char *directory, bool clean) {
        write_keys(directory, false, true);
        write_keys(directory, true, clean);
}

typedef struct Tally {
        unsigned whole, keys_lost, most_lost, damaged, repaired;
} Tally;

/* Opens it and looks at each key. */
static void check(const char *directory, Tally *tally) {
        EnvironmentOptions options = make_options(directory);
        unsigned lost = 0;
        Index *index;

        assert_int_equal(scratch_open_index(&options, &index), 0);
        for (unsigned key = 0; key < KEYS; key++) {
                _cleanup_(buffer_done) Buffer scratch = {};
                char name[16];
                Record record;
                int r;

                (void) snprintf(name, sizeof(name), "key/%u", key);
                r = index_get(index, name, &scratch, &record);
                assert_true(r == -EBADMSG || (r == 0 && record.version == version_of(key)));
                lost += r < 0;
        }

        if (lost > 0) {
                assert_true(environment_damaged_pages(index_environment(index)) > 0);
                tally->damaged++;
        } else
                tally->whole++;
        tally->repaired += environment_repaired_pages(index_environment(index)) > 0;
        tally->keys_lost += lost;
        tally->most_lost = MAX(tally->most_lost, lost);
        assert_null(index_free(index));
}

static uint32_t n_pages(const char *path) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

        assert_ok(fd);
        return (uint32_t) (lseek(fd, 0, SEEK_END) / (off_t) PAGE_SIZE);
}

/* Not the unused part of a meta page. */
static uint64_t place_of(unsigned i, uint32_t number) {
        return number * PAGE_SIZE + (i * 37) % (number == 0 ? 480 : PAGE_SIZE);
}

typedef enum Damage { FLIP, NOISE, ZEROES } Damage;

static void damage_all_over(const char *directory, Damage damage) {
        static const char *const names[] = { "index.db", "index.db", "index.db",   "index.db",
                                             "index.db", "state.db", "garbage.db", "strays.db" };
        const char *flips = getenv("DKV_PAGE_FLIPS");
        unsigned n = flips ? (unsigned) atoi(flips) : 40;
        Tally tally = {};

        for (unsigned i = 0; i < n; i++) {
                _cleanup_(scratch_freep) char *copy = scratch_copy(directory);
                const char *path = scratch_path(copy, names[i % ELEMENTSOF(names)]);
                uint32_t pages = n_pages(path), number = (i / 8 * 7 + i % 8) % MAX(pages, 1U);

                if (damage != FLIP) {
                        const uint8_t noise[PAGE_SIZE] = { damage == NOISE };
                        _cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

                        assert_ok(pwrite_all(fd, noise, sizeof(noise), number * PAGE_SIZE));
                } else
                        scratch_flip_bit(path, place_of(i, number));

                check(copy, &tally);
                check(copy, &tally); /* it stays like that */
        }

        print_message("%u pages: all there %u times, some keys unreadable %u times (at most %u "
                      "of %u), repaired %u times\n",
                      n, tally.whole, tally.damaged, tally.most_lost, KEYS, tally.repaired);
        assert_true(tally.damaged > 0);
        assert_true(tally.repaired > 0);
        assert_in_range(tally.most_lost, 1, 20);
}

TEST(a_flip_after_the_death_of_the_process_costs_one_page) {
        _cleanup_(scratch_freep) char *directory = scratch_new();

        fill(directory, false);
        damage_all_over(directory, FLIP);
}

TEST(a_flip_after_a_clean_end_costs_one_page) {
        _cleanup_(scratch_freep) char *directory = scratch_new();

        fill(directory, true);
        damage_all_over(directory, FLIP);
}

TEST(a_page_that_is_overwritten_costs_one_page) {
        _cleanup_(scratch_freep) char *directory = scratch_new();

        fill(directory, false);
        damage_all_over(directory, NOISE);
}

/* By a trim, say, or a write that was lost. */
TEST(a_page_that_reads_as_zeroes_costs_one_page) {
        for (int clean = 0; clean < 2; clean++) {
                _cleanup_(scratch_freep) char *directory = scratch_new();

                fill(directory, clean);
                damage_all_over(directory, ZEROES);
        }
}

/* The first leaf behind page number AFTER. */
static uint32_t find_leaf(const char *path, uint32_t after) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
        uint8_t page[PAGE_SIZE];

        do
                assert_int_equal(
                                pread(fd, page, PAGE_SIZE, ++after * (off_t) PAGE_SIZE), PAGE_SIZE);
        while (page[25] != 5);
        return after;
}

static int erase(Index *index, unsigned key) {
        char name[16];
        IndexDelete deletion = { .request.done = scratch_answered, .key = name };

        (void) snprintf(name, sizeof(name), "key/%u", key);
        index_delete(index, &deletion);
        return scratch_wait();
}

static int look(Index *index, unsigned key) {
        _cleanup_(buffer_done) Buffer scratch = {};
        char name[16];
        Record record;

        (void) snprintf(name, sizeof(name), "key/%u", key);
        return index_get(index, name, &scratch, &record);
}

/* Deletes all keys, from the first or from the last, and fills the place again. Returns how many
 * were lost: none if the page was still in the ring of the double write, and was put right. */
static unsigned empty(const char *directory, bool backward) {
        EnvironmentOptions options = make_options(directory);
        int results[KEYS];
        unsigned lost = 0;
        Index *index;

        assert_int_equal(scratch_open_index(&options, &index), 0);
        for (unsigned i = 0; i < KEYS; i++) {
                unsigned key = backward ? KEYS - 1 - i : i;

                results[key] = erase(index, key);
                assert_true(results[key] == 0 || results[key] == -EBADMSG);
                lost += results[key] < 0;
        }
        assert_in_range(lost, 0, 20);
        assert_int_equal(environment_damaged_pages(index_environment(index)), lost > 0);
        assert_int_equal(environment_repaired_pages(index_environment(index)), lost == 0);

        assert_null(index_free(index));
        assert_int_equal(scratch_open_index(&options, &index), 0);
        for (unsigned key = 0; key < KEYS; key++)
                assert_int_equal(look(index, key), results[key] < 0 ? -EBADMSG : -ENOENT);
        for (unsigned key = 0; key < KEYS; key++)
                if (results[key] == 0 && put(index, key, 2 * KEYS + key) == 0)
                        assert_int_equal(look(index, key), 0);
        assert_null(index_free(index));
        return lost;
}

/* An empty page is taken out of its tree by way of its neighbours. */
TEST(all_around_a_damaged_page_can_be_deleted) {
        _cleanup_(scratch_freep) char *directory = scratch_new();
        uint32_t leaf = PAGES_ALWAYS_LEADING;
        unsigned lost = 0;

        fill(directory, true);
        for (int i = 0; i < 6; i++) {
                _cleanup_(scratch_freep) char *copy = scratch_copy(directory);
                const char *path = scratch_path(copy, "index.db");

                leaf = find_leaf(path, leaf + 4);
                scratch_flip_bit(path, leaf * PAGE_SIZE + 3000);
                lost += empty(copy, i % 2);
        }
        assert_true(lost > 0);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_flip_after_the_death_of_the_process_costs_one_page),
                cmocka_unit_test(a_flip_after_a_clean_end_costs_one_page),
                cmocka_unit_test(a_page_that_is_overwritten_costs_one_page),
                cmocka_unit_test(a_page_that_reads_as_zeroes_costs_one_page),
                cmocka_unit_test(all_around_a_damaged_page_can_be_deleted),
        };

        if (access("/dev/shm", W_OK) >= 0)
                (void) setenv("TMPDIR", "/dev/shm", 0);

        return cmocka_run_group_tests(tests, NULL, NULL);
}
