/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <dirent.h>

#include "core/checksum.h"
#include "store/index/engine/dump-internal.h"
#include "store/index/group.h"
#include "store/index/index-fixture.h"

static int append(const void *data, size_t size, void *userdata) {
        buffer_put(userdata, data, size);
        return 0;
}

static void dump_to(Index *index, Buffer *ret) {
        buffer_clear(ret);
        assert_int_equal(index_dump(index, append, ret), 0);
        assert_int_equal(buffer_error(ret), 0);
}

/* As the directory is. */
static void dump_directory(const char *directory, Buffer *ret) {
        Index *index;

        assert_int_equal(index_open_to_dump(&(IndexOptions){ .directory = directory }, &index), 0);
        dump_to(index, ret);
        (void) index_free(index);
}

static ssize_t read_some(void *data, size_t size, void *userdata) {
        Reader *reader = userdata;
        size_t n = MIN(MIN(size, reader->size), (size_t) 777);

        memcpy(data, reader_get(reader, n), n);
        return (ssize_t) n;
}

static int load_from(const char *directory, const void *data, size_t size) {
        Reader reader = READER(data, size);

        return index_load(&(IndexOptions){ .directory = directory }, read_some, &reader);
}

static bool is_empty(const char *path) {
        DIR *directory = opendir(path);
        size_t n = 0;

        assert_non_null(directory);
        while (readdir(directory))
                n++;
        (void) closedir(directory);
        return n == 2;
}

/* Something in each table. */
static void fill_all(Fixture *fixture) {
        Index *index = fixture->index;
        const uint32_t fenced = 9;
        IndexDamageItem item = {
                .version = 500, .volume = 3, .key = "key/0499", .kind = DAMAGE_CORRUPT
        };
        IndexDamage damage = { .request.done = scratch_answered, .items = &item, .n_items = 1 };
        IndexMove move = {
                .request.done = scratch_answered,
                .key = "key/0007",
                .version = 8,
                .add = 4,
                .drop = (const uint32_t[]){ 3 },
                .n_drop = 1,
                .garbage_due_usec = DUE,
        };
        IndexSet set = { .request.done = scratch_answered, .name = "map", .data = "m", .size = 1 };

        fill(index, 3000);
        assert_int_equal(erase(index, "key/0001", &(Condition){}), 0);
        index_damage(index, &damage);
        assert_int_equal(scratch_wait(), 0);
        index_move(index, &move);
        assert_int_equal(scratch_wait(), 0);
        index_set(index, &set);
        assert_int_equal(scratch_wait(), 0);
        assert_int_equal(index_set_fences(index, &fenced, 1), 0);
}

static void assert_all(Fixture *fixture) {
        Buffer *scratch = &fixture->scratch;

        assert_current(fixture, "key/0499", 500);
        assert_absent(fixture, "key/0001");
        assert_int_equal(index_damage_kind(fixture->index, 500, 3), DAMAGE_CORRUPT);
        assert_true(index_is_surplus(fixture->index, 8, 3));
        assert_garbage(fixture->index, 3, 2);
        assert_int_equal(index_get_state(fixture->index, "map", scratch), 0);
        assert_int_equal(scratch->data[0], 'm');
        assert_int_equal(commit(fixture->index, "new", 9001, 9), -ESTALE);
}

TEST(an_index_that_is_dumped_and_loaded_is_the_same) {
        Fixture *fixture = *state;
        _cleanup_(scratch_freep) char *directory = scratch_new();
        _cleanup_(buffer_done) Buffer first = {}, second = {};

        fill_all(fixture);
        fixture->index = index_free(fixture->index);
        dump_directory(fixture->directory, &first);
        assert_int_equal(load_from(directory, first.data, first.size), 0);
        dump_directory(directory, &second);
        assert_int_equal(first.size, second.size);
        assert_memory_equal(first.data, second.data, first.size);

        /* And it is one that works. */
        assert_int_equal(load_from(directory, first.data, first.size), -ENOTEMPTY);
        fixture->directory = scratch_free(fixture->directory);
        fixture->directory = TAKE_PTR(directory);
        fixture->index = open_index(fixture->directory);
        assert_all(fixture);
        assert_counters(fixture->index, 2999, 100 * (UINT64_C(3000) * 3001 / 2 - 2), 3);
}

TEST(a_dump_of_an_index_that_works_is_the_same) {
        Fixture *fixture = *state;
        _cleanup_(buffer_done) Buffer first = {}, second = {};

        fill_all(fixture);
        dump_to(fixture->index, &first);
        dump_to(fixture->index, &second);
        assert_memory_equal(first.data, second.data, first.size);
        assert_int_equal(commit(fixture->index, "one/more", 9001, 3), 0);
        dump_to(fixture->index, &second);
        assert_int_not_equal(first.size, second.size);
}

TEST(a_stream_that_is_cut_or_changed_leaves_nothing_behind) {
        Fixture *fixture = *state;
        _cleanup_(scratch_freep) char *directory = scratch_new();
        _cleanup_(buffer_done) Buffer dump = {};

        fill(fixture->index, 20);
        dump_to(fixture->index, &dump);
        for (size_t i = 0; i < dump.size; i += i < 40 || i + 40 > dump.size ? 1 : 53) {
                int r;

                assert_int_equal(load_from(directory, dump.data, i), -EBADMSG);
                assert_true(is_empty(directory));

                dump.data[i] ^= 1 << i % 8;
                r = load_from(directory, dump.data, dump.size);
                assert_true(r == -EBADMSG || r == -EPROTONOSUPPORT);
                assert_true(is_empty(directory));
                dump.data[i] ^= 1 << i % 8;
        }
        buffer_put_u8(&dump, 0);
        assert_int_equal(load_from(directory, dump.data, dump.size), -EBADMSG);
        assert_true(is_empty(directory));
}

/* The format says that an index is complete, so a stream must not. */
TEST(a_stream_says_nothing_about_the_format) {
        _cleanup_(scratch_freep) char *directory = scratch_new();
        _cleanup_(buffer_done) Buffer stream = {};
        Checksum sum;

        buffer_put(&stream, DUMP_MAGIC, sizeof(DUMP_MAGIC));
        buffer_put_u8(&stream, DUMP_STATE);
        buffer_put_string(&stream, DUMP_FORMAT_STATE);
        buffer_put_string(&stream, INDEX_FORMAT);
        buffer_put_u8(&stream, DUMP_END);
        buffer_put_u64(&stream, 1);
        sum = checksum_of(stream.data, stream.size);
        buffer_put(&stream, sum.bytes, sizeof(sum.bytes));

        assert_int_equal(load_from(directory, stream.data, stream.size), -EBADMSG);
        assert_true(is_empty(directory));
}

static ssize_t fail_to_read(void *data, size_t size, void *userdata) {
        return -EIO;
}

/* The first time only. */
static int fail_to_write(const void *data, size_t size, void *userdata) {
        int *next = userdata, error = *next;

        *next = 0;
        return error;
}

TEST(who_reads_or_writes_may_end_it) {
        Fixture *fixture = *state;
        _cleanup_(scratch_freep) char *directory = scratch_new();
        IndexOptions options = { .directory = directory };
        int error = -EPIPE;

        assert_int_equal(index_dump(fixture->index, fail_to_write, &error), -EPIPE);
        fill(fixture->index, 5000); /* more than one piece */
        error = -ENOENT;
        assert_int_equal(index_dump(fixture->index, fail_to_write, &error), -ENOENT);
        assert_int_equal(index_load(&options, fail_to_read, NULL), -EIO);
        assert_true(is_empty(directory));
}

/* As after a crash. */
TEST(what_is_half_loaded_is_no_index) {
        _cleanup_(scratch_freep) char *directory = scratch_new();
        IndexOptions options = { .directory = directory };
        Index *index;

        assert_int_equal(index_open_tables(&options, INDEX_FORMAT_LOADING, NULL, &index), 0);
        (void) index_free(index);
        assert_int_equal(index_open(&options, &index), -EPROTONOSUPPORT);
}

TEST(an_index_of_no_group_has_a_hash_too) {
        Fixture *fixture = *state;
        Checksum one, again, other;
        uint64_t entry = 1;

        fill(fixture->index, 100);
        assert_int_equal(index_hash(fixture->index, &one, &entry), 0);
        assert_int_equal(entry, 0);
        assert_int_equal(index_hash(fixture->index, &again, &entry), 0);
        assert_memory_equal(&again, &one, sizeof(one));
        assert_int_equal(erase(fixture->index, "key/0001", &(Condition){}), 0);
        assert_int_equal(index_hash(fixture->index, &other, &entry), 0);
        assert_memory_not_equal(&other, &one, sizeof(one));
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                RUN(an_index_that_is_dumped_and_loaded_is_the_same),
                RUN(a_dump_of_an_index_that_works_is_the_same),
                RUN(a_stream_that_is_cut_or_changed_leaves_nothing_behind),
                RUN(who_reads_or_writes_may_end_it),
                RUN(an_index_of_no_group_has_a_hash_too),
                cmocka_unit_test(a_stream_says_nothing_about_the_format),
                cmocka_unit_test(what_is_half_loaded_is_no_index),
        };

        if (access("/dev/shm", W_OK) >= 0)
                (void) setenv("TMPDIR", "/dev/shm", 0);

        return cmocka_run_group_tests(tests, NULL, NULL);
}
