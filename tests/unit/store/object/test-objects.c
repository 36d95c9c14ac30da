/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "scratch.h"
#include "store/index/index.h"
#include "store/object/objects.h"
#include "store/object/reader.h"
#include "store/object/writer.h"

#define INLINE_SIZE_MAX (4 * KIB)

typedef struct Fixture {
        char *directory;
        ObjectStore *store;
        Buffer scratch;
} Fixture;

static ObjectStore *open_store(const char *directory) {
        ObjectStoreOptions options = {
                .environment.directory = directory,
                .inline_max = INLINE_SIZE_MAX,
        };
        ObjectStore *store;

        assert_int_equal(object_store_open(&options, &store), 0);
        return store;
}

static int setup(void **state) {
        Fixture *fixture = calloc(1, sizeof(*fixture));

        fixture->directory = scratch_new();
        fixture->store = open_store(fixture->directory);
        *state = fixture;
        return 0;
}

static int teardown(void **state) {
        Fixture *fixture = *state;

        object_store_free(fixture->store);
        scratch_free(fixture->directory);
        buffer_done(&fixture->scratch);
        free(fixture);
        return 0;
}

static void reopen(Fixture *fixture) {
        fixture->store = object_store_free(fixture->store);
        fixture->store = open_store(fixture->directory);
}

#define DISCARDED_SIZE 123456

static pthread_t test_thread;
static atomic_uint n_discarded_here, n_discarded;

int __real_close(int fd);
int __wrap_close(int fd);

/* Counts the files of that test that end with their descriptor. */
int __wrap_close(int fd) {
        struct stat status;

        if (fstat(fd, &status) == 0 && status.st_nlink == 0 && status.st_size == DISCARDED_SIZE) {
                n_discarded_here += pthread_equal(pthread_self(), test_thread) != 0;
                n_discarded++;
        }
        return __real_close(fd);
}

/* Each version has a value of its own. */
static uint8_t *make_value(uint64_t version, size_t size) {
        uint8_t *value = malloc(MAX(size, (size_t) 1));

        for (uint64_t i = 0, x = version; i < size; i++) {
                x = x * UINT64_C(6364136223846793005) + 1442695040888963407;
                value[i] = (uint8_t) (x >> 56);
        }
        return value;
}

static void on_finished(ObjectWriter *writer, int result, void *userdata) {
        scratch_done(NULL, result);
}

static int finish(ObjectWriter *writer) {
        object_writer_finish(writer, on_finished, NULL);
        return scratch_wait();
}

static const Record *make_record(uint64_t version) {
        static Record record;

        record = (Record){
                .version = version,
                .mtime_usec = 1,
                .content_type = "text/plain",
                .metadata = "a\0b",
                .metadata_size = 4,
        };
        return &record;
}

/* Writes a value in pieces. */
static int put(Fixture *fixture, uint64_t version, size_t size, uint64_t size_hint) {
        _cleanup_(object_writer_freep) ObjectWriter *writer = NULL;
        _cleanup_free_ uint8_t *value = make_value(version, size);
        int r;

        r = object_writer_new(fixture->store, "users/42", make_record(version), size_hint, &writer);
        for (size_t offset = 0; offset < size && r >= 0; offset += 1000)
                r = object_writer_append(writer, value + offset, MIN(size - offset, (size_t) 1000));

        return r < 0 ? r : finish(writer);
}

static int erase(Fixture *fixture, uint64_t version) {
        ObjectDelete request = { .operation.done = scratch_done, .version = version };

        object_store_delete(fixture->store, &request);
        return scratch_wait();
}

static void assert_object(Fixture *fixture, uint64_t version, size_t size) {
        _cleanup_free_ uint8_t *value = make_value(version, size), *content = malloc(size + 1);
        _cleanup_close_ int fd = -1;
        Object object;

        assert_int_equal(
                        object_store_get(fixture->store, version, &fixture->scratch, &object, &fd),
                        0);
        assert_string_equal(object.key, "users/42");
        assert_int_equal(object.record.version, version);
        assert_int_equal(object.record.size, size);
        assert_string_equal(object.record.content_type, "text/plain");
        assert_int_equal(object.record.metadata_size, 4);
        assert_int_equal(object.is_inline, size <= INLINE_SIZE_MAX);
        assert_int_equal(fd >= 0, !object.is_inline);

        if (object.is_inline)
                assert_memory_equal(object.value, value, size);
        else {
                _cleanup_(object_reader_freep) ObjectReader *reader = NULL;
                size_t done = 0;
                ssize_t n;

                assert_int_equal(object_reader_new(&object, TAKE_FD(fd), 0, size, &reader), 0);
                while ((n = object_reader_read(reader, content + done, size + 1 - done)) > 0)
                        done += (size_t) n;
                assert_int_equal(n, 0);
                assert_int_equal(done, size);
                assert_memory_equal(content, value, size);
        }
        assert_int_equal(object_store_verify(fixture->store, version), 0);
}

static int get_error(Fixture *fixture, uint64_t version) {
        Object object;
        int fd = -1, r;

        r = object_store_get(fixture->store, version, &fixture->scratch, &object, &fd);
        closep(&fd);
        return r;
}

static void assert_counters(Fixture *fixture, uint64_t objects, uint64_t bytes) {
        ObjectStoreCounters counters;

        assert_int_equal(object_store_counters(fixture->store, &counters), 0);
        assert_int_equal(counters.objects, objects);
        assert_int_equal(counters.bytes, bytes);
        assert_in_range(counters.disk_free, 1, counters.disk_size);
}

/* The path of the file of a version. */
static const char *file_path(const Fixture *fixture, uint64_t version) {
        char name[64];

        (void) snprintf(name, sizeof(name), "objects/%02x/%016llx", (unsigned) (version % 256),
                        (unsigned long long) version);
        return scratch_path(fixture->directory, name);
}

TEST(values_of_all_sizes_come_back_also_after_a_restart) {
        Fixture *fixture = *state;
        const size_t sizes[] = {
                0, 1, INLINE_SIZE_MAX - 1, INLINE_SIZE_MAX, INLINE_SIZE_MAX + 1, 3000000
        };
        uint64_t bytes = 0;

        for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
                assert_int_equal(put(fixture, i + 1, sizes[i], sizes[i]), 0);
                assert_int_equal(put(fixture, i + 101, sizes[i], UINT64_MAX), 0);
                bytes += 2 * sizes[i];
        }

        for (unsigned round = 0; round < 2; round++) {
                for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
                        assert_object(fixture, i + 1, sizes[i]);
                        assert_object(fixture, i + 101, sizes[i]);
                }
                assert_counters(fixture, 2 * ELEMENTSOF(sizes), bytes);
                assert_int_equal(get_error(fixture, 99), -ENOENT);
                reopen(fixture);
        }
}

TEST(a_writer_knows_size_and_checksum) {
        Fixture *fixture = *state;
        _cleanup_(object_writer_freep) ObjectWriter *writer = NULL;
        _cleanup_free_ uint8_t *value = make_value(5, 10000);
        Checksum checksum = checksum_of(value, 10000);

        assert_int_equal(
                        object_writer_new(fixture->store, "k", make_record(5), UINT64_MAX, &writer),
                        0);
        assert_int_equal(object_writer_append(writer, value, 10000), 0);
        assert_int_equal(finish(writer), 0);
        assert_int_equal(object_writer_record(writer)->size, 10000);
        assert_true(checksum_equal(&object_writer_record(writer)->checksum, &checksum));
}

TEST(a_value_that_is_not_the_expected_one_is_not_stored) {
        static const size_t sizes[] = { 0, 1000, 200000 };
        Fixture *fixture = *state;

        for (size_t i = 0; i < 2 * ELEMENTSOF(sizes); i++) {
                _cleanup_(object_writer_freep) ObjectWriter *writer = NULL;
                size_t size = sizes[i / 2];
                _cleanup_free_ uint8_t *value = make_value(5, size);
                Checksum checksum = checksum_of(value, size);
                bool is_wrong = i % 2 == 0;

                checksum.bytes[15] ^= is_wrong;
                assert_ok(object_writer_new(fixture->store, "k", make_record(5), size, &writer));
                object_writer_expect(writer, &checksum);
                assert_ok(object_writer_append(writer, value, size));
                assert_int_equal(finish(writer), is_wrong ? -EBADMSG : 0);
                assert_int_equal(get_error(fixture, 5), is_wrong ? -ENOENT : 0);
                assert_int_equal(erase(fixture, 5), 0);
        }
}

TEST(an_abandoned_writer_leaves_nothing) {
        Fixture *fixture = *state;
        _cleanup_(object_writer_freep) ObjectWriter *writer = NULL;
        _cleanup_free_ uint8_t *value = make_value(5, 100000);

        assert_int_equal(
                        object_writer_new(fixture->store, "k", make_record(5), 200000, &writer), 0);
        assert_int_equal(object_writer_append(writer, value, 100000), 0);
        writer = object_writer_free(writer);

        assert_int_equal(get_error(fixture, 5), -ENOENT);
        assert_counters(fixture, 0, 0);
        assert_int_equal(access(file_path(fixture, 5), F_OK), -1);
}

/* It may take long, and whoever gives a value up has other things to do. */
TEST(an_abandoned_file_is_discarded_by_a_worker) {
        Fixture *fixture = *state;
        _cleanup_(object_writer_freep) ObjectWriter *writer = NULL;
        _cleanup_free_ uint8_t *value = make_value(5, DISCARDED_SIZE);

        assert_int_equal(
                        object_writer_new(fixture->store, "k", make_record(5), 200000, &writer), 0);
        assert_int_equal(object_writer_append(writer, value, DISCARDED_SIZE), 0);

        test_thread = pthread_self();
        n_discarded = n_discarded_here = 0;
        writer = object_writer_free(writer);
        reopen(fixture);
        assert_int_equal(n_discarded, 1);
        assert_int_equal(n_discarded_here, 0);
}

TEST(a_version_is_stored_once) {
        Fixture *fixture = *state;

        assert_int_equal(put(fixture, 1, 100, 100), 0);
        assert_int_equal(put(fixture, 1, 100, 100), 0);
        assert_int_equal(put(fixture, 1, 101, 101), -EEXIST);
        assert_int_equal(put(fixture, 2, 10000, 10000), 0);
        assert_int_equal(put(fixture, 2, 10000, 10000), 0);
        assert_int_equal(put(fixture, 2, 10001, 10001), -EEXIST);
        assert_int_equal(put(fixture, 2, 101, 101), -EEXIST);

        assert_object(fixture, 1, 100);
        assert_object(fixture, 2, 10000);
        assert_counters(fixture, 2, 10100);
}

typedef struct Twin {
        ObjectWriter *writer;
        sem_t done;
        int result;
} Twin;

static void on_twin_finished(ObjectWriter *writer, int result, void *userdata) {
        Twin *twin = userdata;

        twin->result = result;
        assert_int_equal(sem_post(&twin->done), 0);
}

static void twin_start(Fixture *fixture, Twin *twin, uint64_t version, size_t size) {
        _cleanup_free_ uint8_t *value = make_value(version, size);

        assert_int_equal(sem_init(&twin->done, 0, 0), 0);
        assert_int_equal(
                        object_writer_new(
                                        fixture->store, "users/42", make_record(version), size,
                                        &twin->writer),
                        0);
        assert_int_equal(object_writer_append(twin->writer, value, size), 0);
        object_writer_finish(twin->writer, on_twin_finished, twin);
}

static int twin_wait(Twin *twin) {
        while (sem_wait(&twin->done) < 0)
                ;
        twin->writer = object_writer_free(twin->writer);
        return twin->result;
}

/* A request may be repeated while the first is under way. */
TEST(the_same_file_may_be_stored_twice_at_a_time) {
        Fixture *fixture = *state;

        for (uint64_t version = 1; version <= 50; version++) {
                Twin twins[3];
                int n_taken = 0;

                twin_start(fixture, twins + 0, version, 10000);
                twin_start(fixture, twins + 1, version, 10000);
                assert_int_equal(twin_wait(twins + 0), 0);
                assert_int_equal(twin_wait(twins + 1), 0);
                assert_object(fixture, version, 10000);

                /* Of two that differ one wins. */
                for (size_t i = 0; i < ELEMENTSOF(twins); i++)
                        twin_start(fixture, twins + i, 100 + version, 10000 + i);
                for (size_t i = 0; i < ELEMENTSOF(twins); i++)
                        n_taken += twin_wait(twins + i) == -EEXIST;
                assert_int_equal(n_taken, 2);
                assert_int_equal(object_store_verify(fixture->store, 100 + version), 0);
        }
        reopen(fixture);
        assert_object(fixture, 50, 10000);
}

static int put_encoded(Fixture *fixture, const Buffer *encoded) {
        ObjectPut request = {
                .operation.done = scratch_done,
                .data = encoded->data,
                .size = encoded->size,
        };

        object_store_put(fixture->store, &request);
        return scratch_wait();
}

TEST(an_encoded_object_is_stored_if_it_is_whole) {
        Fixture *fixture = *state;
        _cleanup_free_ uint8_t *value = make_value(3, 3000);
        _cleanup_(buffer_done) Buffer encoded = {};
        Object object = {
                .record = *make_record(3),
                .key = "users/42",
                .is_inline = true,
                .value = value,
        };

        object.record.size = 3000;
        object.record.checksum = checksum_of(value, 3000);
        object_encode(&object, &encoded);

        encoded.data[encoded.size - 1] ^= 1;
        assert_int_equal(put_encoded(fixture, &encoded), -EBADMSG);
        encoded.data[encoded.size - 1] ^= 1;
        encoded.data[10] ^= 1;
        assert_int_equal(put_encoded(fixture, &encoded), -EBADMSG);
        encoded.data[10] ^= 1;
        assert_int_equal(get_error(fixture, 3), -ENOENT);

        assert_int_equal(put_encoded(fixture, &encoded), 0);
        assert_int_equal(put_encoded(fixture, &encoded), 0);
        assert_object(fixture, 3, 3000);
        assert_counters(fixture, 1, 3000);
}

TEST(deleted_objects_and_their_files_are_gone) {
        Fixture *fixture = *state;

        assert_int_equal(put(fixture, 1, 100, 100), 0);
        assert_int_equal(put(fixture, 2, 10000, 10000), 0);
        assert_int_equal(put(fixture, 4, 10000, 10000), 0);
        assert_int_equal(access(file_path(fixture, 2), F_OK), 0);

        for (uint64_t version = 1; version <= 3; version++)
                assert_int_equal(erase(fixture, version), 0);
        assert_int_equal(get_error(fixture, 1), -ENOENT);
        assert_int_equal(get_error(fixture, 2), -ENOENT);
        assert_object(fixture, 4, 10000);
        assert_counters(fixture, 1, 10000);

        /* Files go in the background, or at the next start. */
        reopen(fixture);
        assert_int_equal(access(file_path(fixture, 2), F_OK), -1);
        assert_int_equal(access(file_path(fixture, 4), F_OK), 0);
}

TEST(a_version_may_come_back_while_its_file_is_removed) {
        Fixture *fixture = *state;
        const uint64_t version = 2;

        for (unsigned round = 0; round < 50; round++) {
                assert_int_equal(put(fixture, version, 10000 + round, 10000), 0);
                assert_object(fixture, version, 10000 + round);
                assert_int_equal(erase(fixture, version), 0);
        }
        assert_int_equal(put(fixture, version, 10000, 10000), 0);
        reopen(fixture);
        assert_object(fixture, version, 10000);
}

TEST(a_file_without_a_record_is_removed_at_the_start) {
        Fixture *fixture = *state;

        assert_int_equal(put(fixture, 1, 10000, 10000), 0);
        assert_int_equal(put(fixture, 2, 100, 100), 0);
        fixture->store = object_store_free(fixture->store);
        assert_int_equal(write_file(AT_FDCWD, file_path(fixture, 7), "x", 1, 0600), 0);
        assert_int_equal(write_file(AT_FDCWD, file_path(fixture, 2), "x", 1, 0600), 0);
        fixture->store = open_store(fixture->directory);

        assert_int_equal(access(file_path(fixture, 7), F_OK), -1);
        assert_int_equal(access(file_path(fixture, 2), F_OK), -1);
        assert_object(fixture, 1, 10000);
        assert_object(fixture, 2, 100);
}

static int collect_version(const Object *object, void *userdata) {
        Buffer *versions = userdata;

        buffer_put_u64(versions, object->record.version);
        return 0;
}

TEST(a_scan_sees_objects_in_order) {
        Fixture *fixture = *state;
        _cleanup_(buffer_done) Buffer versions = {};
        Reader reader;

        for (uint64_t version = 300; version > 0; version--)
                assert_int_equal(
                                put(fixture, version, version % 10 == 0 ? 5000 : 10, UINT64_MAX),
                                0);

        assert_int_equal(
                        object_store_scan(fixture->store, 100, 150, collect_version, &versions), 0);
        assert_int_equal(versions.size, 150 * sizeof(uint64_t));
        reader = READER(versions.data, versions.size);
        for (uint64_t version = 101; version <= 250; version++)
                assert_int_equal(reader_get_u64(&reader), version);

        buffer_clear(&versions);
        assert_int_equal(
                        object_store_scan(fixture->store, 290, 1000, collect_version, &versions),
                        0);
        assert_int_equal(versions.size, 10 * sizeof(uint64_t));
}

TEST(a_store_keeps_its_uuid_and_its_state) {
        Fixture *fixture = *state;
        ObjectStoreSet set = {
                .operation.done = scratch_done, .name = "s", .data = "xy", .size = 2
        };
        uint8_t uuid[16];

        memcpy(uuid, object_store_uuid(fixture->store), sizeof(uuid));
        object_store_set(fixture->store, &set);
        assert_int_equal(scratch_wait(), 0);

        reopen(fixture);
        assert_memory_equal(uuid, object_store_uuid(fixture->store), sizeof(uuid));
        assert_int_equal(object_store_get_state(fixture->store, "s", &fixture->scratch), 0);
        assert_memory_equal(fixture->scratch.data, "xy", 2);
}

TEST(a_store_has_one_process_and_is_no_index) {
        Fixture *fixture = *state;
        IndexOptions index_options = { .directory = fixture->directory };
        ObjectStoreOptions options = { .environment.directory = fixture->directory };
        ObjectStore *store;
        Index *index;

        assert_int_equal(object_store_open(&options, &store), -EBUSY);
        fixture->store = object_store_free(fixture->store);
        assert_int_equal(index_open(&index_options, &index), -EPROTONOSUPPORT);
}

TEST(a_flipped_bit_is_found_wherever_it_is) {
        Fixture *fixture = *state;
        _cleanup_free_ uint8_t *value = make_value(11, 4000);
        const char *path;

        for (uint64_t version = 1; version <= 40; version++)
                assert_int_equal(put(fixture, version, 4000, 4000), 0);
        assert_int_equal(put(fixture, 50, 100000, 100000), 0);
        assert_int_equal(put(fixture, 51, 100000, 100000), 0);
        assert_int_equal(put(fixture, 52, 100000, 100000), 0);
        fixture->store = object_store_free(fixture->store);

        path = scratch_path(fixture->directory, "values/0000000001");
        scratch_flip_bit(path, scratch_find(path, value + 1000, 100) + 50);
        scratch_flip_bit(file_path(fixture, 50), 99999);
        assert_int_equal(truncate(file_path(fixture, 51), 99999), 0);
        fixture->store = open_store(fixture->directory);

        assert_int_equal(get_error(fixture, 11), -EBADMSG);
        assert_int_equal(object_store_verify(fixture->store, 11), -EBADMSG);
        assert_int_equal(object_store_verify(fixture->store, 50), -EBADMSG);
        assert_int_equal(get_error(fixture, 51), -EBADMSG);
        assert_object(fixture, 1, 4000);
        assert_object(fixture, 40, 4000);
        assert_object(fixture, 52, 100000);

        assert_int_equal(unlink(file_path(fixture, 52)), 0);
        assert_int_equal(get_error(fixture, 52), -ENODATA);
}

static int replace(Fixture *fixture, uint64_t version, size_t size) {
        _cleanup_(object_writer_freep) ObjectWriter *writer = NULL;
        _cleanup_free_ uint8_t *value = make_value(version, size);

        assert_int_equal(
                        object_writer_new(
                                        fixture->store, "users/42", make_record(version), size,
                                        &writer),
                        0);
        object_writer_replace(writer);
        assert_int_equal(object_writer_append(writer, value, size), 0);
        return finish(writer);
}

TEST(a_damaged_object_is_replaced) {
        Fixture *fixture = *state;

        for (uint64_t version = 1; version <= 4; version++)
                assert_int_equal(put(fixture, version, 100000, 100000), 0);
        scratch_flip_bit(file_path(fixture, 1), 99999);
        assert_int_equal(truncate(file_path(fixture, 2), 99999), 0);
        assert_int_equal(unlink(file_path(fixture, 3)), 0);
        assert_int_equal(object_store_verify(fixture->store, 1), -EBADMSG);

        for (uint64_t version = 1; version <= 4; version++)
                assert_int_equal(replace(fixture, version, 100000), 0);
        reopen(fixture);
        for (uint64_t version = 1; version <= 4; version++)
                assert_object(fixture, version, 100000);
        assert_counters(fixture, 4, 400000);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                RUN(values_of_all_sizes_come_back_also_after_a_restart),
                RUN(a_writer_knows_size_and_checksum),
                RUN(a_value_that_is_not_the_expected_one_is_not_stored),
                RUN(an_abandoned_writer_leaves_nothing),
                RUN(an_abandoned_file_is_discarded_by_a_worker),
                RUN(a_version_is_stored_once),
                RUN(a_damaged_object_is_replaced),
                RUN(the_same_file_may_be_stored_twice_at_a_time),
                RUN(an_encoded_object_is_stored_if_it_is_whole),
                RUN(deleted_objects_and_their_files_are_gone),
                RUN(a_version_may_come_back_while_its_file_is_removed),
                RUN(a_file_without_a_record_is_removed_at_the_start),
                RUN(a_scan_sees_objects_in_order),
                RUN(a_store_keeps_its_uuid_and_its_state),
                RUN(a_store_has_one_process_and_is_no_index),
                RUN(a_flipped_bit_is_found_wherever_it_is),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
