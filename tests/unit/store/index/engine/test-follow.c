/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Members of a group apply what is decided, and nothing else: alike, in order, whole, and without a
 * flush. The log between them is the test's. */

#include "test.h"

#include <sys/stat.h>

#include "fault.h"
#include "store/index/garbage.h"
#include "store/index/group-fixture.h"
#include "store/index/identity.h"
#include "store/index/request-batch.h"
#include "store/index/wait.h"

static int setup_script(void **state) {
        Script *script = calloc(1, sizeof(*script));

        script_new(script);
        *state = script;
        return 0;
}

static int teardown_script(void **state) {
        script_done(*state);
        free(*state);
        return 0;
}

/* One commit, in the bytes of an entry. */
static void encode_commit(const char *key, uint64_t version, uint64_t term, Buffer *ret) {
        IndexCommit request = {
                .request = { .type = REQUEST_COMMIT, .has_room = true },
                .key = key,
                .record = make_record(version, 3),
                .garbage_due_usec = DUE,
        };

        request_batch_begin(term, ret);
        request_batch_add(&request.request, ret);
        assert_int_equal(buffer_error(ret), 0);
}

static void add_commit(Script *script, const char *key, uint64_t version) {
        _cleanup_(buffer_done) Buffer entry = {};

        encode_commit(key, version, script->term, &entry);
        script_add(script, ENTRY_REQUESTS, entry.data, entry.size);
}

static uint64_t version_of(Seat *seat, const char *key) {
        _cleanup_(buffer_done) Buffer scratch = {};
        Record record;
        int r;

        r = index_get_now(seat->index, key, &scratch, &record);
        assert_true(r == 0 || r == -ENOENT);
        return r < 0 ? 0 : record.version;
}

static uint64_t applied_index(Seat *seat) {
        ConsensusApplied applied;
        uint64_t on_disk;

        index_applied(seat->index, &applied, &on_disk);
        return applied.index;
}

static uint64_t on_disk(Seat *seat) {
        ConsensusApplied applied;
        uint64_t index;

        index_applied(seat->index, &applied, &index);
        return index;
}

TEST(entries_lead_to_the_same_tables_on_all_members) {
        Script *script = *state;
        ConsensusApplied applied;
        uint64_t index;

        script_open(script);
        add_commit(script, "a", 2);
        script_add(script, ENTRY_NOTHING, "", 0);
        add_commit(script, "b", 4);
        add_commit(script, "a", 6);
        follow_all(script);

        for (size_t i = 0; i < SEATS; i++) {
                Seat *seat = script->seats + i;

                assert_int_equal(version_of(seat, "a"), 6);
                assert_int_equal(version_of(seat, "b"), 4);
                assert_counters(seat->index, 2, 1000, 1);
                assert_int_equal(index_revision(seat->index), 3);
                index_applied(seat->index, &applied, &index);
                assert_int_equal(applied.index, 5);
                assert_int_equal(applied.term, script->term);
                assert_int_equal(applied.members_index, 1);
                assert_int_equal(applied.members.n, 1);
        }
        assert_alike(script);

        add_commit(script, "c", 8);
        seat_follow(script->seats);
        seat_follow(script->seats + 1);
        {
                Checksum one, other;
                uint64_t entry;

                assert_int_equal(index_hash(script->seats[0].index, &one, &entry), 0);
                assert_int_equal(entry, 6);
                assert_int_equal(index_hash(script->seats[2].index, &other, &entry), 0);
                assert_int_equal(entry, 5);
                assert_memory_not_equal(&one, &other, sizeof(one));
        }
}

TEST(a_set_of_members_is_kept_with_the_entry_that_it_comes_from) {
        Script *script = *state;
        Seat *seat = script->seats;
        Members members = { .n = 2,
                            .member = { { 1, MEMBER_VOTER, "http://one" },
                                        { 9, MEMBER_STANDBY, "http://nine" } } };
        _cleanup_(buffer_done) Buffer encoded = {};
        ConsensusApplied applied;
        uint64_t index;

        seat_open(seat);
        add_commit(script, "a", 2);
        members_encode(&members, &encoded);
        script_add(script, ENTRY_MEMBERS, encoded.data, encoded.size);
        add_commit(script, "a", 4);
        seat_follow(seat);
        seat_close(seat);

        seat_open(seat);
        index_applied(seat->index, &applied, &index);
        assert_int_equal(applied.index, 4);
        assert_int_equal(applied.members_index, 3);
        assert_int_equal(applied.members.n, 2);
        assert_int_equal(applied.members.member[1].id, 9);
        assert_string_equal(applied.members.member[1].url, "http://nine");

        script_add(script, ENTRY_MEMBERS, "", 0);
        seat_follow(seat);
        assert_int_equal(atomic_load(&seat->broken), -EBADMSG);
}

/* Opening, founding, dissolving */

static int found(Index *index, uint64_t id, const char *url) {
        Members members = { .n = 1, .member = { { .id = id, .role = MEMBER_VOTER } } };

        strcpy(members.member[0].url, url);
        return index_found_group(index, &members);
}

TEST(a_master_alone_founds_a_group_and_dissolves_it) {
        _cleanup_(scratch_freep) char *directory = scratch_new();
        Script script = { .term = 5 };
        Seat *seat = script.seats;
        Index *index = open_index(directory);
        uint64_t term = index_identity(index)->term;
        ConsensusApplied applied;
        uint64_t on_disk;

        seat->script = &script;
        seat->directory = directory;
        assert_int_equal(found(index, 0, "http://one"), -EINVAL);
        assert_int_equal(found(index, 7, ""), -EINVAL);
        assert_int_equal(index_dissolve_group(index), -ENOENT);
        assert_int_equal(commit(index, "k", 1, 3), 0);
        (void) index_free(index);
        assert_int_equal(seat_try_open(seat), -EXDEV);

        index = open_index(directory);
        assert_int_equal(found(index, 7, "http://one"), 0);
        assert_int_equal(found(index, 8, "http://two"), -EEXIST);
        (void) index_free(index);
        assert_int_equal(index_open(&(IndexOptions){ .directory = directory }, &index), -EXDEV);

        assert_int_equal(seat_try_open(seat), 0);
        index_applied(seat->index, &applied, &on_disk);
        assert_int_equal(applied.index, 1);
        assert_int_equal(applied.term, term + 1);
        assert_int_equal(applied.members_index, 1);
        assert_int_equal(applied.members.n, 1);
        assert_int_equal(applied.members.member[0].id, 7);
        assert_int_equal(applied.members.member[0].role, MEMBER_VOTER);
        assert_string_equal(applied.members.member[0].url, "http://one");
        assert_int_equal(on_disk, 1);
        assert_int_equal(version_of(seat, "k"), 1);
        assert_int_equal(index_dissolve_group(seat->index), 0);
        assert_int_equal(index_dissolve_group(seat->index), -ENOENT);
        seat->index = index_free(seat->index);

        assert_int_equal(seat_try_open(seat), -EXDEV);
        index = open_index(directory);
        assert_int_equal(index_identity(index)->term, term + 2);
        (void) index_free(index);
}

TEST(nobody_makes_a_member_by_opening_it) {
        _cleanup_(scratch_freep) char *directory = scratch_new();
        Script script = {};
        Seat *seat = script.seats;
        Index *index;

        seat->script = &script;
        seat->directory = directory;
        assert_int_equal(seat_try_open(seat), -ENOENT);
        assert_int_equal(rmdir(directory), 0);
        assert_int_equal(mkdir(directory, 0700), 0);

        index = open_index(directory);
        (void) index_free(index);
        assert_int_equal(seat_try_open(seat), -EXDEV);
}

/* Neither opening nor closing changes anything. */
TEST(a_member_writes_nothing_of_its_own) {
        Script *script = *state;
        Seat *seat = script->seats;

        seat_open(seat);
        seat_close(seat);
        script_open(script);
        assert_alike(script);
}

/* What must not be applied */

static void assert_breaks(Script *script, const void *data, size_t size, int error) {
        Seat *seat = script->seats;

        script_add(script, ENTRY_REQUESTS, data, size);
        add_commit(script, "later", 4);
        seat_follow(seat);
        index_sync(seat->index); /* so that what follows had its chance */
        assert_int_equal(atomic_load(&seat->broken), error);
        assert_int_equal(version_of(seat, "later"), 0);
        assert_int_equal(applied_index(seat), 2);
}

TEST(an_entry_that_cannot_be_read_is_the_last_one) {
        Script *script = *state;
        _cleanup_(buffer_done) Buffer entry = {};

        seat_open(script->seats);
        add_commit(script, "first", 2);
        seat_follow(script->seats);
        encode_commit("torn", 2, script->term, &entry);
        assert_breaks(script, entry.data, entry.size - 1, -EBADMSG);
        assert_int_equal(version_of(script->seats, "torn"), 0);
}

TEST(an_entry_of_a_later_format_is_the_last_one) {
        Script *script = *state;
        _cleanup_(buffer_done) Buffer entry = {};

        seat_open(script->seats);
        add_commit(script, "first", 2);
        seat_follow(script->seats);
        encode_commit("new", 2, script->term, &entry);
        entry.data[0]++;
        assert_breaks(script, entry.data, entry.size, -EPROTONOSUPPORT);
}

/* The first request of it is good. */
TEST(an_entry_is_applied_whole_or_not_at_all) {
        Script *script = *state;
        _cleanup_(buffer_done) Buffer entry = {};

        seat_open(script->seats);
        add_commit(script, "first", 2);
        seat_follow(script->seats);
        encode_commit("half", 2, script->term, &entry);
        buffer_put_u32(&entry, 2);
        buffer_put_u8(&entry, 1);
        buffer_put_u8(&entry, _REQUEST_TYPE_MAX);
        assert_breaks(script, entry.data, entry.size, -EBADMSG);
        assert_int_equal(version_of(script->seats, "half"), 0);
}

TEST(an_entry_that_does_not_follow_is_refused) {
        Script *script = *state;
        Seat *seat = script->seats;

        seat_open(seat);
        add_commit(script, "a", 2);
        add_commit(script, "b", 4);
        seat->told++; /* it never hears of the first one */
        assert_int_equal(seat_decide(seat), 0);
        index_sync(seat->index);
        assert_int_equal(atomic_load(&seat->broken), -EBADMSG);
        assert_int_equal(version_of(seat, "b"), 0);
        assert_int_equal(applied_index(seat), 1);
}

TEST(an_entry_comes_once) {
        Script *script = *state;
        Seat *seat = script->seats;

        seat_open(seat);
        add_commit(script, "a", 2);
        seat_follow(seat);
        seat->told--;
        assert_int_equal(seat_decide(seat), 0);
        index_sync(seat->index);
        assert_int_equal(atomic_load(&seat->broken), -EBADMSG);
        assert_int_equal(applied_index(seat), 2);
}

/* All members know that it is void, so it leaves no trace but that it was applied. */
TEST(an_entry_for_another_term_does_nothing_anywhere) {
        Script *script = *state;
        _cleanup_(buffer_done) Buffer entry = {};

        script_open(script);
        encode_commit("void", 2, script->term - 1, &entry);
        script_add(script, ENTRY_REQUESTS, entry.data, entry.size);
        follow_all(script);
        for (size_t i = 0; i < SEATS; i++) {
                assert_int_equal(version_of(script->seats + i, "void"), 0);
                assert_int_equal(applied_index(script->seats + i), 2);
        }
        assert_alike(script);
}

/* The disk */

static atomic_uint n_flushes;

static void count_flushes(const FaultCall *call) {
        n_flushes += call->kind == FAULT_FLUSH;
}

TEST(what_is_decided_is_applied_without_a_flush) {
        Script *script = *state;
        Seat *seat = script->seats;

        seat_open(seat);
        fault_observe(count_flushes);
        n_flushes = 0;
        for (uint64_t i = 1; i <= 100; i++)
                add_commit(script, "k", 2 * i);
        seat_follow(seat);
        assert_int_equal(version_of(seat, "k"), 200);
        assert_int_equal(n_flushes, 0);
        assert_int_equal(on_disk(seat), 1);

        index_sync(seat->index);
        assert_true(n_flushes > 0);
        assert_int_equal(on_disk(seat), 101);
        fault_observe(NULL);
}

/* As large as the test can make them, to be quick. */
TEST(after_many_bytes_there_is_a_flush) {
        Script *script = *state;
        Seat *seat = script->seats;
        static char data[1 * MIB];
        _cleanup_(buffer_done) Buffer entry = {};
        IndexSet set = { .request.type = REQUEST_SET, .name = "s", .data = data, .size = 1 * MIB };

        seat_open(seat);
        request_batch_begin(script->term, &entry);
        request_batch_add(&set.request, &entry);
        for (unsigned i = 0; i < 14; i++)
                script_add(script, ENTRY_REQUESTS, entry.data, entry.size);
        seat_follow(seat);
        assert_int_equal(on_disk(seat), 1);
        for (unsigned i = 0; i < 3; i++)
                script_add(script, ENTRY_REQUESTS, entry.data, entry.size);
        seat_follow(seat);
        assert_in_range(on_disk(seat), 15, 18);
}

/* A copy of the files, which is what a crash leaves: what was not flushed is lost, and comes again.
 */
TEST(what_a_crash_takes_back_comes_again) {
        Script *script = *state;
        Seat *seat = script->seats, *other = script->seats + 1;

        seat_open(seat);
        for (uint64_t i = 1; i <= 10; i++)
                add_commit(script, "k", 2 * i);
        seat_follow(seat);
        index_sync(seat->index);
        for (uint64_t i = 11; i <= 20; i++)
                add_commit(script, "k", 2 * i);
        seat_follow(seat);

        (void) scratch_free(other->directory);
        other->directory = scratch_copy(seat->directory);
        seat_open(other);
        assert_in_range(other->told, 11, 20);
        assert_int_equal(version_of(other, "k"), 2 * (other->told - 1));

        seat_open(script->seats + 2);
        follow_all(script);
        assert_int_equal(version_of(other, "k"), 40);
        assert_alike(script);
}

/* The queue */

static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;

static void hold_up(void) {
        (void) pthread_mutex_lock(&held);
        (void) pthread_mutex_unlock(&held);
}

TEST(the_log_waits_while_too_much_is_not_applied) {
        Script *script = *state;
        Seat *seat = script->seats;
        static char data[4 * MIB - 4 * KIB];
        _cleanup_(buffer_done) Buffer entry = {};
        IndexSet set = { .request.type = REQUEST_SET, .name = "s", .data = data };
        unsigned n = 0;
        int r;

        set.size = sizeof(data);
        seat->before_done = hold_up;
        seat_open(seat);
        request_batch_begin(script->term, &entry);
        request_batch_add(&set.request, &entry);
        for (unsigned i = 0; i < 25; i++)
                script_add(script, ENTRY_REQUESTS, entry.data, entry.size);

        (void) pthread_mutex_lock(&held);
        while ((r = seat_decide(seat)) == 0)
                n++;
        assert_int_equal(r, -EAGAIN);
        assert_in_range(n, 16, 20);
        assert_int_equal(atomic_load(&seat->n_ready), 0);
        (void) pthread_mutex_unlock(&held);

        while (atomic_load(&seat->n_ready) == 0)
                (void) sched_yield();
        assert_int_equal(seat_decide(seat), 0);
        seat_follow(seat);
        assert_int_equal(applied_index(seat), 26);
        assert_int_equal(atomic_load(&seat->broken), 0);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup_script, teardown_script)
        static const struct CMUnitTest tests[] = {
                RUN(entries_lead_to_the_same_tables_on_all_members),
                RUN(a_set_of_members_is_kept_with_the_entry_that_it_comes_from),
                cmocka_unit_test(a_master_alone_founds_a_group_and_dissolves_it),
                cmocka_unit_test(nobody_makes_a_member_by_opening_it),
                RUN(a_member_writes_nothing_of_its_own),
                RUN(an_entry_that_cannot_be_read_is_the_last_one),
                RUN(an_entry_of_a_later_format_is_the_last_one),
                RUN(an_entry_is_applied_whole_or_not_at_all),
                RUN(an_entry_that_does_not_follow_is_refused),
                RUN(an_entry_comes_once),
                RUN(an_entry_for_another_term_does_nothing_anywhere),
                RUN(what_is_decided_is_applied_without_a_flush),
                RUN(after_many_bytes_there_is_a_flush),
                RUN(what_a_crash_takes_back_comes_again),
                RUN(the_log_waits_while_too_much_is_not_applied),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
