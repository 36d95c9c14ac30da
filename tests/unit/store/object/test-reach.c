/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>

#include "scratch.h"
#include "store/object/object-reach.h"

static ObjectStore *open_store(const char *directory) {
        ObjectStoreOptions options = {
                .environment.directory = directory,
                .inline_max = 4 * KIB,
        };
        ObjectStore *store;

        assert_int_equal(object_store_open(&options, &store), 0);
        return store;
}

static void put(ObjectStore *store, uint64_t version) {
        _cleanup_(buffer_done) Buffer buffer = {};
        Object object = {
                .key = "k",
                .record = { .version = version, .size = 1, .content_type = "", .metadata = "" },
                .is_inline = true,
                .value = "x",
        };
        ObjectPut request = { .operation.done = scratch_done };

        object.record.checksum = checksum_of("x", 1);
        object_encode(&object, &buffer);
        request.data = buffer.data;
        request.size = buffer.size;
        object_store_put(store, &request);
        assert_int_equal(scratch_wait(), 0);
}

static void erase(ObjectStore *store, uint64_t version) {
        ObjectDelete request = { .operation.done = scratch_done, .version = version };

        object_store_delete(store, &request);
        assert_int_equal(scratch_wait(), 0);
}

static void assert_reach(
                ObjectStore *store, uint64_t version, uint64_t revision, uint64_t objects) {
        Reach reach = object_store_reach(store);

        assert_int_equal(reach.version, version);
        assert_int_equal(reach.revision, revision);
        assert_int_equal(reach.objects, objects);
}

TEST(the_reach_outlives_deletions_and_restarts) {
        _cleanup_(scratch_freep) char *directory = scratch_new();
        ObjectStore *store = open_store(directory);

        put(store, 7);
        put(store, 5);
        put(store, 5); /* the same again */
        erase(store, 7);
        assert_reach(store, 7, 0, 2);

        store = object_store_free(store);
        store = open_store(directory);
        assert_reach(store, 7, 0, 2);
        object_store_free(store);
}

TEST(a_revision_goes_with_what_is_stored_next) {
        _cleanup_(scratch_freep) char *directory = scratch_new();
        ObjectStore *store = open_store(directory);

        object_store_hear(store, 100);
        object_store_hear(store, 99);
        assert_reach(store, 0, 0, 0);
        put(store, 3);
        assert_reach(store, 3, 100, 1);

        object_store_hear(store, 101);
        object_store_save_reach(store);
        store = object_store_free(store); /* waits for it */
        store = open_store(directory);
        assert_reach(store, 3, 101, 1);
        object_store_free(store);
}

TEST(what_is_rolled_back_was_never_reached) {
        ReachState numbers = {};

        reach_count(&numbers, 5);
        reach_keep(&numbers);
        reach_show(&numbers);
        reach_count(&numbers, 9);
        assert_true(reach_has_changed(&numbers));
        reach_undo(&numbers);
        reach_show(&numbers);
        assert_int_equal(reach_shown(&numbers).version, 5);
        assert_int_equal(reach_shown(&numbers).objects, 1);
        assert_false(reach_has_changed(&numbers));
}

TEST(what_is_not_flushed_is_not_shown) {
        ReachState numbers = {};

        reach_count(&numbers, 5);
        reach_keep(&numbers);
        assert_int_equal(reach_shown(&numbers).version, 0);
        reach_show(&numbers);
        assert_int_equal(reach_shown(&numbers).version, 5);
}

TEST(a_damaged_reach_is_refused) {
        static const uint8_t future[1 + 3 * sizeof(uint64_t)] = { 2 }, torn[] = { 1, 2, 3 };
        Reach reach;

        assert_int_equal(reach_decode(future, sizeof(future), &reach), -EPROTONOSUPPORT);
        assert_int_equal(reach_decode(torn, sizeof(torn), &reach), -EBADMSG);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_reach_outlives_deletions_and_restarts),
                cmocka_unit_test(a_revision_goes_with_what_is_stored_next),
                cmocka_unit_test(what_is_rolled_back_was_never_reached),
                cmocka_unit_test(what_is_not_flushed_is_not_shown),
                cmocka_unit_test(a_damaged_reach_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
