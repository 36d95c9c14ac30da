/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include "store/index/copy.h"
#include "store/index/dump.h"
#include "store/index/group-fixture.h"
#include "store/index/identity.h"
#include "store/index/request-batch.h"

static const IndexCopyLimits no_limits = { .log_max = 1 * GIB, .idle_usec = 100 * USEC_PER_SEC };

static CopyTarget *receive(const char *directory, Index *from) {
        IndexOptions options = { .directory = directory, .log_size = 256 * KIB };
        CopyTarget *target;

        assert_int_equal(index_receive_copy(&options, index_identity(from)->cluster, &target), 0);
        return target;
}

/* Brings all of a copy, and calls between() behind each piece. */
static void pass(CopySource *source, CopyTarget *target, void (*between)(void *), void *userdata) {
        Buffer buffer = {};

        copy_target_connect(target);
        assert_int_equal(copy_source_connect(source, copy_target_position(target), &buffer), 0);
        do {
                assert_int_equal(buffer_error(&buffer), 0);
                assert_int_equal(copy_target_feed(target, buffer.data, buffer.size), 0);
                buffer_clear(&buffer);
                between(userdata);
        } while (copy_source_next(source, &buffer) > 0);
        buffer_done(&buffer);

        assert_true(copy_target_is_complete(target));
        assert_int_equal(copy_target_recover(target), 0);
        assert_int_equal(copy_target_install(target), 0);
}

static void commit_some(void *userdata) {
        static uint64_t version = 10000;
        Fixture *fixture = userdata;

        for (unsigned i = 0; i < 20; i++) {
                char key[32];

                (void) snprintf(key, sizeof(key), "key/%u", (unsigned) version % 700);
                assert_int_equal(commit(fixture->index, key, ++version, 3), 0);
        }
}

static int append(const void *data, size_t size, void *userdata) {
        Buffer *dump = userdata;

        buffer_put(dump, data, size);
        return 0;
}

TEST(an_index_is_copied_while_it_is_in_use) {
        Fixture *fixture = *state;
        _cleanup_(scratch_freep) char *directory = scratch_new();
        IndexCounters counters, later;
        CopySource *source;
        CopyTarget *target;
        Index *copy;

        fill(fixture->index, 2000);
        assert_int_equal(index_copy(fixture->index, &no_limits, &source), 0);
        target = receive(directory, fixture->index);
        pass(source, target, commit_some, fixture);
        target = copy_target_free(target);
        source = copy_source_free(source);
        index_counters(fixture->index, &counters);

        copy = open_index(directory);
        index_counters(copy, &later);
        assert_in_range(later.keys, 2000, counters.keys);
        assert_memory_equal(
                        index_identity(copy)->cluster, index_identity(fixture->index)->cluster,
                        CLUSTER_ID_SIZE);
        assert_int_equal(index_identity(copy)->term, index_identity(fixture->index)->term + 1);
        copy = index_free(copy);
}

static void do_nothing(void *userdata) {
}

/* Of two that do nothing the tables are the same. */
TEST(the_copy_of_an_index_at_rest_is_the_same) {
        Fixture *fixture = *state;
        _cleanup_(scratch_freep) char *directory = scratch_new();
        _cleanup_(buffer_done) Buffer dump = {}, copied = {};
        CopySource *source;
        CopyTarget *target;
        Index *copy;

        fill(fixture->index, 2000);
        assert_int_equal(index_copy(fixture->index, &no_limits, &source), 0);
        target = receive(directory, fixture->index);
        pass(source, target, do_nothing, NULL);
        target = copy_target_free(target);
        source = copy_source_free(source);

        assert_int_equal(index_dump(fixture->index, append, &dump), 0);
        assert_int_equal(index_open_to_dump(&(IndexOptions){ .directory = directory }, &copy), 0);
        assert_int_equal(index_dump(copy, append, &copied), 0);
        copy = index_free(copy);
        assert_int_equal(copied.size, dump.size);
        assert_memory_equal(copied.data, dump.data, dump.size);
}

/* Members of a group */

static void decide_some(void *userdata) {
        static uint64_t version = 1;
        Script *script = userdata;

        for (unsigned i = 0; i < 50; i++) {
                IndexCommit request = {
                        .request = { .type = REQUEST_COMMIT, .has_room = true },
                        .garbage_due_usec = DUE,
                };
                Buffer entry = {};
                char key[32];

                (void) snprintf(key, sizeof(key), "key/%u", (unsigned) (version * 7919 % 1500));
                request.key = key;
                request.record = make_record(++version, 3);
                request_batch_begin(script->term, &entry);
                request_batch_add(&request.request, &entry);
                assert_int_equal(buffer_error(&entry), 0);
                script_add(script, ENTRY_REQUESTS, entry.data, entry.size);
                buffer_done(&entry);
        }
        seat_follow(script->seats);
}

/* One that has fallen behind, and one that has nothing yet. */
TEST(a_member_goes_on_from_a_copy_of_another_one) {
        _cleanup_free_ Script *script = calloc(1, sizeof(*script));
        ConsensusApplied applied;
        CopySource *source;
        uint64_t on_disk;

        script_new(script);
        script->seats[2].directory = scratch_free(script->seats[2].directory);
        script->seats[2].directory = scratch_new();
        seat_open(script->seats);
        for (unsigned i = 0; i < 40; i++)
                decide_some(script);

        for (unsigned i = 1; i < SEATS; i++) {
                Seat *seat = script->seats + i;
                CopyTarget *target = receive(seat->directory, script->seats[0].index);

                assert_int_equal(index_copy(script->seats[0].index, &no_limits, &source), 0);
                pass(source, target, decide_some, script);
                target = copy_target_free(target);
                source = copy_source_free(source);

                seat_open(seat);
                index_applied(seat->index, &applied, &on_disk);
                assert_in_range(applied.index, 2000, script->seats[0].told);
                assert_int_equal(applied.members.member[0].id, 1);
        }

        decide_some(script);
        follow_all(script);
        assert_alike(script);
        script_done(script);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(
                                an_index_is_copied_while_it_is_in_use, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                the_copy_of_an_index_at_rest_is_the_same, setup, teardown),
                cmocka_unit_test(a_member_goes_on_from_a_copy_of_another_one),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
