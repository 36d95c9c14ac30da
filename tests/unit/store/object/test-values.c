/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The log of the values: what is damaged there, a store from before there was one, a full disk. */

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "small-disk.h"
#include "store/environment/opening.h"
#include "store/object/object-reach.h"
#include "store/object/values-fixture.h"

static const char *segment_path(const Fixture *fixture, uint32_t number) {
        char name[sizeof("values/0123456789")];

        (void) snprintf(name, sizeof(name), "values/%010u", number);
        return scratch_path(fixture->directory, name);
}

static LogPosition place_of(ObjectStore *store, uint64_t version) {
        _cleanup_(buffer_done) Buffer scratch = {};
        Item item;

        assert_int_equal(object_find(store, version, &scratch), 0);
        assert_int_equal(item_decode(scratch.data, scratch.size, &item), 0);
        return item.place;
}

TEST(damage_is_that_of_one_object) {
        Fixture *fixture = *state;
        _cleanup_(buffer_done) Buffer key = {};
        LogPosition data, header;

        put_all(fixture, 1, 300);
        data = place_of(fixture->store, 10);
        header = place_of(fixture->store, 12);
        scratch_flip_bit(segment_path(fixture, data.file), data.offset + 500);
        scratch_flip_bit(segment_path(fixture, header.file), header.offset);
        for (uint64_t version = 1; version <= 300; version += 2)
                assert_int_equal(drop(fixture->store, version), 0);
        reopen(fixture);

        /* It can be named, and stays when what is around it is moved. */
        for (unsigned round = 0; round < 2; round++) {
                for (uint64_t version = 2; version <= 300; version += 2)
                        assert_int_equal(
                                        get(fixture->store, version),
                                        version == 10 || version == 12 ? -EBADMSG : 0);
                assert_int_equal(object_store_key(fixture->store, 10, &key), 0);
                assert_string_equal(key.data, "key");
                assert_int_equal(compact(fixture->store, clock_monotonic()), 0);
        }
        assert_int_equal(place_of(fixture->store, 10).file, data.file);

        /* It is replaced, or deleted, and then the segment goes, too. */
        assert_int_equal(put_mode(fixture->store, 10, true), 0);
        assert_int_equal(get(fixture->store, 10), 0);
        assert_int_equal(drop(fixture->store, 12), 0);
        assert_int_equal(compact(fixture->store, clock_monotonic()), 0);
        assert_true(access(segment_path(fixture, data.file), F_OK) < 0);
}

TEST(a_missing_segment_is_the_damage_of_what_was_in_it) {
        Fixture *fixture = *state;
        uint32_t missing;

        put_all(fixture, 1, 300);
        missing = place_of(fixture->store, 100).file;
        fixture->store = object_store_free(fixture->store);
        assert_int_equal(unlink(segment_path(fixture, missing)), 0);
        assert_int_equal(open_store(fixture->directory, &fixture->store), 0);
        for (uint64_t version = 1; version <= 300; version++)
                assert_int_equal(
                                get(fixture->store, version),
                                place_of(fixture->store, version).file == missing ? -ENODATA : 0);
}

TEST(the_same_object_may_be_stored_again_wherever_it_is) {
        Fixture *fixture = *state;

        put_all(fixture, 1, 100);
        for (uint64_t version = 1; version <= 100; version += 2)
                assert_int_equal(drop(fixture->store, version), 0);
        assert_int_equal(compact(fixture->store, clock_monotonic()), 0);
        assert_int_equal(put(fixture->store, 2), 0);
        reopen(fixture);
        assert_int_equal(put(fixture->store, 4), 0);
        assert_int_equal(get(fixture->store, 4), 0);
}

/* A store of the format before: the objects themselves lie in the B-tree. */

typedef struct OldPut {
        Operation operation;
        DB *objects;
        uint64_t version;
} OldPut;

static int apply_old_put(Operation *operation, Transaction *transaction) {
        OldPut *old = CONTAINER_OF(operation, OldPut, operation);
        _cleanup_(buffer_done) Buffer buffer = {};
        uint64_t key = object_key(old->version);

        encode(old->version, &buffer);
        transaction->counters[COUNTER_OBJECTS]++;
        transaction->counters[COUNTER_BYTES] += VALUE_SIZE;
        return transaction_put(
                        transaction, old->objects, &key, sizeof(key), buffer.data, buffer.size);
}

static void make_old_store(const char *directory) {
        static const char *const others[] = { OBJECTS_DIRECTORY, NULL };
        const EnvironmentOptions options = { .directory = directory };
        const EnvironmentHooks hooks = { .format = "objects 2", .others = others };
        _cleanup_(environment_freep) Environment *environment = NULL;
        char name[sizeof("objects/ff")];
        OldPut old = { .operation.apply = apply_old_put };

        assert_int_equal(environment_open(&options, &hooks, &environment), 0);
        assert_int_equal(environment_open_database(environment, "objects.db", &old.objects), 0);
        assert_ok(mkdir(scratch_path(directory, "objects"), 0700));
        for (unsigned i = 0; i < DIRECTORIES; i++) {
                (void) snprintf(name, sizeof(name), "objects/%02x", i);
                assert_ok(mkdir(scratch_path(directory, name), 0700));
        }
        for (old.version = 1; old.version <= 50; old.version++)
                assert_int_equal(environment_run(environment, &old.operation), 0);
        assert_int_equal(environment_seal(environment), 0);
}

TEST(a_store_of_the_format_before_is_opened_as_it_is) {
        _cleanup_(scratch_freep) char *directory = scratch_new();
        ObjectStoreCounters counters;
        char elsewhere[4096];
        ObjectStore *store;

        make_old_store(directory);
        for (unsigned round = 0; round < 3; round++) {
                assert_int_equal(open_store(directory, &store), 0);
                for (uint64_t version = 1; version <= 50; version++)
                        assert_int_equal(
                                        get(store, version),
                                        round > 0 && version == 7 ? -ENOENT : 0);
                assert_int_equal(put(store, 100 + round), 0);
                assert_int_equal(put(store, 8), 0); /* the same */
                assert_int_equal(put_mode(store, 9, true), 0);
                assert_int_equal(drop(store, 7), 0);
                assert_int_equal(compact(store, clock_monotonic()), 0);
                assert_int_equal(object_store_counters(store, &counters), 0);
                assert_int_equal(counters.objects, 50 + round);
                store = object_store_free(store);
        }

        /* The log is a part of it from now on. */
        (void) snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", directory);
        assert_ok(rename(scratch_path(directory, "values"), elsewhere));
        assert_int_equal(open_store(directory, &store), -ENOMEDIUM);
}

/* What was told of the reach survives without a flush of the database. */
TEST(what_was_heard_is_stored_with_the_values) {
        Fixture *fixture = *state;
        char *copy;
        ObjectStore *store;

        object_store_hear(fixture->store, 777);
        assert_int_equal(put(fixture->store, 5), 0);
        assert_int_equal(object_store_reach(fixture->store).revision, 777);

        copy = scratch_copy(fixture->directory); /* as after a crash */
        assert_int_equal(open_store(copy, &store), 0);
        assert_int_equal(get(store, 5), 0);
        assert_int_equal(object_store_reach(store).revision, 777);
        assert_int_equal(object_store_reach(store).version, 5);
        assert_int_equal(object_store_reach(store).objects, 1);
        (void) object_store_free(store);
        (void) scratch_free(copy);
}

/* A full disk, in a namespace of its own */

static void fill_the_disk(const char *directory) {
        uint64_t version = 1;
        ObjectStore *store;
        int r;

        CHECK(open_store(directory, &store) == 0);
        while ((r = put(store, version)) == 0)
                version++;
        CHECK(r == -ENOSPC);
        CHECK(version > 100);
        CHECK(put(store, version) == -ENOSPC);
        for (uint64_t v = 1; v < version; v++)
                CHECK(get(store, v) == 0);

        /* Deleting works, and gives space back. */
        for (uint64_t v = 1; v < version; v += 2)
                CHECK(drop(store, v) == 0);
        CHECK(compact(store, clock_monotonic()) == 0);
        CHECK(put(store, version) == 0);
        store = object_store_free(store);

        CHECK(open_store(directory, &store) == 0);
        for (uint64_t v = 1; v < version; v++)
                CHECK(get(store, v) == (v % 2 == 1 ? -ENOENT : 0));
        CHECK(get(store, version) == 0);
        (void) object_store_free(store);
}

TEST(a_full_disk_refuses_until_something_is_deleted) {
        Fixture *fixture = *state;
        int status;

        fixture->store = object_store_free(fixture->store);
        status = small_disk(fixture->directory, 6 * 1024, fill_the_disk);
        if (status == -EPERM)
                skip();
        assert_int_equal(status, 0);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        static const struct CMUnitTest tests[] = {
                RUN(damage_is_that_of_one_object),
                RUN(a_missing_segment_is_the_damage_of_what_was_in_it),
                RUN(the_same_object_may_be_stored_again_wherever_it_is),
                cmocka_unit_test(a_store_of_the_format_before_is_opened_as_it_is),
                RUN(what_was_heard_is_stored_with_the_values),
                RUN(a_full_disk_refuses_until_something_is_deleted),
        };

        if (access("/dev/shm", W_OK) >= 0)
                (void) setenv("TMPDIR", "/dev/shm", 0);

        return cmocka_run_group_tests(tests, NULL, NULL);
}
