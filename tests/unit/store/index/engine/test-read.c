/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/key.h"
#include "store/index/garbage.h"
#include "store/index/index-fixture.h"

#define N_KEYS 700 /* more than one slice */

typedef struct Found {
        char keys[N_KEYS][16];
        size_t n;
        size_t stop_at; /* it ends the scan with 7 there; 0 for never */
} Found;

static int note(const char *key, const Record *record, void *userdata) {
        Found *found = userdata;

        assert_true(found->n < N_KEYS);
        (void) snprintf(found->keys[found->n++], sizeof(found->keys[0]), "%s", key);
        return found->n == found->stop_at ? 7 : 0;
}

/* Sorted; every third one is below "b/". */
static char names[N_KEYS][16];

static int compare(const void *a, const void *b) {
        return strcmp(a, b);
}

static void fill_with_names(Index *index) {
        for (unsigned i = 0; i < N_KEYS; i++) {
                (void) snprintf(names[i], sizeof(names[i]), "%c/%u", "abc"[i % 3], i);
                assert_int_equal(commit(index, names[i], i + 1, 3), 0);
        }
        qsort(names, N_KEYS, sizeof(names[0]), compare);
}

/* What a scan should find. */
static size_t expect(const char *prefix, const char *after, size_t limit, Found *ret) {
        ret->n = 0;
        for (size_t i = 0; i < N_KEYS && ret->n < limit; i++)
                if (strncmp(names[i], prefix, strlen(prefix)) == 0 && strcmp(names[i], after) > 0)
                        memcpy(ret->keys[ret->n++], names[i], sizeof(names[0]));
        return ret->n;
}

static void assert_scan(Index *index, const char *prefix, const char *after, size_t limit) {
        static Found found, expected;

        found = (Found){};
        (void) expect(prefix, after, limit, &expected);
        assert_int_equal(index_scan(index, prefix, after, limit, note, &found), 0);
        assert_int_equal(found.n, expected.n);
        for (size_t i = 0; i < found.n; i++)
                assert_string_equal(found.keys[i], expected.keys[i]);
}

TEST(a_scan_finds_what_has_the_prefix_and_comes_after) {
        static const char *const prefixes[] = { "", "a", "b/", "b/1", "b/13", "c/699", "d", "zz" };
        static const char *const afters[] = { "",      "a",    "a/3", "a/30", "b",
                                              "b/136", "b/13", "b0",  "c/9",  "zzz" };
        static const size_t limits[] = { 0, 1, 2, 255, 256, 257, 511, 512, SIZE_MAX };
        Fixture *fixture = *state;

        fill_with_names(fixture->index);
        for (size_t i = 0; i < ELEMENTSOF(prefixes); i++)
                for (size_t j = 0; j < ELEMENTSOF(afters); j++)
                        for (size_t k = 0; k < ELEMENTSOF(limits); k++)
                                assert_scan(fixture->index, prefixes[i], afters[j], limits[k]);
}

TEST(page_after_page_leaves_nothing_out_and_repeats_nothing) {
        Fixture *fixture = *state;
        char after[16] = "";
        size_t total = 0;

        fill_with_names(fixture->index);
        for (size_t limit = 1;; limit = limit % 97 + 1) {
                static Found found;

                found = (Found){};
                assert_int_equal(index_scan(fixture->index, "", after, limit, note, &found), 0);
                for (size_t i = 0; i < found.n; i++)
                        assert_string_equal(found.keys[i], names[total + i]);
                total += found.n;
                if (found.n < limit)
                        break;
                memcpy(after, found.keys[found.n - 1], sizeof(after));
        }
        assert_int_equal(total, N_KEYS);
}

TEST(a_scan_ends_when_its_function_says_so_and_returns_that) {
        Fixture *fixture = *state;
        static Found found;

        fill_with_names(fixture->index);
        found = (Found){ .stop_at = 300 };
        assert_int_equal(index_scan(fixture->index, "", "", SIZE_MAX, note, &found), 7);
        assert_int_equal(found.n, 300);
}

/* A prefix that is longer than any key is the prefix of none. */
TEST(keys_of_the_greatest_length_are_found_and_none_beyond) {
        Fixture *fixture = *state;
        char longest[KEY_MAX + 1], longer[KEY_MAX + 2];
        Record record;
        IndexCommit request = { .record = make_record(1, 3), .garbage_due_usec = DUE };
        static Found found;

        memset(longest, 'k', KEY_MAX);
        longest[KEY_MAX] = '\0';
        memset(longer, 'k', KEY_MAX + 1);
        longer[KEY_MAX + 1] = '\0';

        request.key = longest;
        assert_int_equal(run_commit(fixture->index, &request), 0);
        assert_int_equal(index_get(fixture->index, longest, &fixture->scratch, &record), 0);
        found = (Found){};
        assert_int_equal(index_scan(fixture->index, longest, "", 10, note, &found), 0);
        assert_int_equal(found.n, 1);
        assert_int_equal(index_scan(fixture->index, longer, "", 10, note, &found), 0);
        assert_int_equal(index_scan(fixture->index, "", longer, 10, note, &found), 0);
        assert_int_equal(found.n, 1);
}

TEST(garbage_is_told_by_volume_in_the_order_in_which_it_is_due) {
        Fixture *fixture = *state;
        Garbage items[8];

        for (uint64_t i = 0; i < 6; i++) {
                IndexCommit request = {
                        .key = "k",
                        .record = make_record(2 + 2 * i, 3 + i % 2),
                        .garbage_due_usec = 1000 - 100 * i,
                };

                assert_int_equal(run_commit(fixture->index, &request), 0);
        }

        /* Version 2 was replaced by the second commit, and so on. */
        assert_int_equal(index_garbage(fixture->index, 3, UINT64_MAX, items, 8), 3);
        assert_int_equal(items[0].due_usec, 500);
        assert_int_equal(items[0].version, 10);
        assert_int_equal(items[1].due_usec, 700);
        assert_int_equal(items[2].due_usec, 900);
        assert_int_equal(items[2].version, 2);

        assert_int_equal(index_garbage(fixture->index, 3, 700, items, 8), 2);
        assert_int_equal(index_garbage(fixture->index, 3, 499, items, 8), 0);
        assert_int_equal(index_garbage(fixture->index, 3, UINT64_MAX, items, 1), 1);
        assert_int_equal(items[0].version, 10);
        assert_int_equal(index_garbage(fixture->index, 3, UINT64_MAX, items, 0), 0);
        assert_int_equal(index_garbage(fixture->index, 5, UINT64_MAX, items, 8), 0);
        assert_int_equal(index_garbage(fixture->index, UINT32_MAX, UINT64_MAX, items, 8), 0);
}

TEST(a_blob_of_state_is_what_was_set_last) {
        static uint8_t large[100000];
        Fixture *fixture = *state;
        IndexSet set = { .request.done = scratch_answered, .name = "map" };
        Buffer *scratch = &fixture->scratch;

        assert_int_equal(index_get_state(fixture->index, "map", scratch), -ENOENT);
        for (size_t size = 0; size <= sizeof(large); size = size * 10 + 1) {
                memset(large, (int) size, sizeof(large));
                set.data = large;
                set.size = MIN(size, sizeof(large));
                index_set(fixture->index, &set);
                assert_int_equal(scratch_wait(), 0);
                assert_int_equal(index_get_state(fixture->index, "map", scratch), 0);
                assert_int_equal(scratch->size, set.size);
                assert_memory_equal(scratch->data, large, set.size);
        }
        reopen(fixture);
        assert_int_equal(index_get_state(fixture->index, "map", scratch), 0);

        set.data = NULL;
        index_set(fixture->index, &set);
        assert_int_equal(scratch_wait(), 0);
        assert_int_equal(index_get_state(fixture->index, "map", scratch), -ENOENT);
        assert_int_equal(index_get_state(fixture->index, "ma", scratch), -ENOENT);
}

#define RUN(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                RUN(a_scan_finds_what_has_the_prefix_and_comes_after),
                RUN(page_after_page_leaves_nothing_out_and_repeats_nothing),
                RUN(a_scan_ends_when_its_function_says_so_and_returns_that),
                RUN(keys_of_the_greatest_length_are_found_and_none_beyond),
                RUN(garbage_is_told_by_volume_in_the_order_in_which_it_is_due),
                RUN(a_blob_of_state_is_what_was_set_last),
        };

        if (access("/dev/shm", W_OK) >= 0)
                (void) setenv("TMPDIR", "/dev/shm", 0);

        return cmocka_run_group_tests(tests, NULL, NULL);
}
