/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is wrong with the disk of one member never decides what becomes of a request: without room
 * it waits, and with damage nothing more is applied. And what a crash leaves goes on where it says.
 */

#include "test.h"

#include <fcntl.h>
#include <sys/statvfs.h>

#include "fault.h"
#include "store/index/apply/garbage.h"
#include "store/index/bad-mark.h"
#include "store/index/damage.h"
#include "store/index/group-fixture.h"
#include "store/index/identity.h"
#include "store/index/move.h"
#include "store/index/request-batch.h"

/* What the file system says is free; 0 for the truth. */
static atomic_uint_least64_t free_bytes;
static atomic_uint n_looks;

int __real_fstatvfs64(int fd, struct statvfs *ret);
int __wrap_fstatvfs64(int fd, struct statvfs *ret);

int __wrap_fstatvfs64(int fd, struct statvfs *ret) {
        uint64_t bytes = atomic_load(&free_bytes);
        int r = __real_fstatvfs64(fd, ret);

        if (r == 0 && bytes > 0)
                ret->f_bavail = bytes / ret->f_frsize;
        n_looks++;
        return r;
}

static int setup_script(void **state) {
        Script *script = calloc(1, sizeof(*script));

        atomic_store(&free_bytes, 0);
        script_new(script);
        *state = script;
        return 0;
}

static int teardown_script(void **state) {
        atomic_store(&free_bytes, 0);
        script_done(*state);
        free(*state);
        return 0;
}

static void add_request(Script *script, IndexRequest *request, RequestType type, bool has_room) {
        _cleanup_(buffer_done) Buffer entry = {};

        request->type = type;
        request->has_room = has_room;
        request_batch_begin(script->term, &entry);
        request_batch_add(request, &entry);
        script_add(script, ENTRY_REQUESTS, entry.data, entry.size);
}

static void add_commit(Script *script, const char *key, uint64_t version, bool has_room) {
        IndexCommit commit = { .key = key,
                               .record = make_record(version, 3),
                               .garbage_due_usec = DUE };

        add_request(script, &commit.request, REQUEST_COMMIT, has_room);
}

static uint64_t applied_index(Seat *seat) {
        ConsensusApplied applied;
        uint64_t on_disk;

        index_applied(seat->index, &applied, &on_disk);
        return applied.index;
}

/* So much of the reserve is left, in percent, and no look of before is good any more. */
static void set_free(Seat *seat, uint64_t percent) {
        Environment *environment = seat->index->tables.environment;

        index_sync(seat->index); /* the committer is idle */
        atomic_store(&free_bytes, environment->options.reserve_size * percent / 100);
        environment->committer.room.looked_usec = 0;
}

static void wait_for_looks(unsigned n) {
        n_looks = 0;
        while (n_looks < n)
                (void) usleep(USEC_PER_MSEC);
}

TEST(without_room_it_waits_until_there_is_some) {
        Script *script = *state;
        Seat *seat = script->seats;
        IndexCommit commit = { .request.done = scratch_answered,
                               .key = "k",
                               .record = make_record(2, 3) };

        assert_int_equal((seat_open(seat), seat_lead(seat, 6)), 0);
        index_commit(seat->index, &commit);
        set_free(seat, 10);
        assert_int_equal(seat_decide(seat), 0);
        wait_for_looks(4); /* it was tried again */
        assert_int_equal(applied_index(seat), 2);
        assert_int_equal(atomic_load(&seat->broken), 0);
        assert_false(index_is_stuck(seat->index, 2 * FOLLOW_FULL_USEC + 10 * USEC_PER_SEC));

        atomic_store(&free_bytes, 0);
        assert_int_equal(scratch_wait(), 0);
        assert_true(commit.created);
        assert_int_equal(applied_index(seat), 3);
}

/* Who is freed while it waits does not wait any longer, and has applied nothing. */
TEST(who_waits_for_room_can_be_freed) {
        Script *script = *state;
        Seat *seat = script->seats;

        seat_open(seat);
        set_free(seat, 10);
        add_commit(script, "k", 2, true);
        add_commit(script, "l", 4, false);
        while (seat->told < 3)
                assert_int_equal(seat_decide(seat), 0);
        wait_for_looks(3);
        seat_close(seat);
        atomic_store(&free_bytes, 0);
        assert_int_equal(atomic_load(&seat->broken), 0);

        seat_open(seat);
        assert_int_equal(seat->told, 1);
        seat_follow(seat);
        assert_int_equal(applied_index(seat), 3);
}

TEST(what_needs_no_room_does_not_wait) {
        Script *script = *state;
        Seat *seat = script->seats;
        IndexDelete deletion = { .key = "k" };

        seat_open(seat);
        add_commit(script, "k", 2, true);
        seat_follow(seat);
        set_free(seat, 10);
        add_request(script, &deletion.request, REQUEST_DELETE, false);
        seat_follow(seat);
        assert_counters(seat->index, 0, 0, 1);

        /* A member that has hardly less room than the leader goes on. */
        set_free(seat, 75);
        add_commit(script, "k", 4, true);
        seat_follow(seat);
        assert_counters(seat->index, 1, 400, 1);
}

/* Damage */

#define KEYS UINT64_C(3000)

/* Enough for many pages, of which no one is the root. */
static void fill_seat(Script *script, Seat *seat) {
        for (unsigned round = 0; round < 2; round++)
                for (unsigned i = 0; i < KEYS; i++) {
                        char key[16];

                        (void) snprintf(key, sizeof(key), "key/%04u", i);
                        add_commit(script, key, 2 * (round * KEYS + i + 1), true);
                }
        seat_open(seat);
        seat_follow(seat);
        seat_close(seat);
}

static void flip_all(const char *path, const char *key) {
        int fd = open(path, O_RDWR | O_CLOEXEC);
        off_t size = lseek(fd, 0, SEEK_END);
        char *data = malloc((size_t) size), *end = data + size, *found = data;

        assert_int_equal(pread(fd, data, (size_t) size, 0), size);
        while ((found = memmem(found, (size_t) (end - found), key, strlen(key)))) {
                scratch_flip_bit(path, (uint64_t) (found - data));
                found++;
        }
        free(data);
        closep(&fd);
}

/* Wherever the key stands: pages keep bytes of what has moved to another one, and what was written
 * last has a second copy. */
static void damage_key_pages(const Seat *seat, const char *key) {
        flip_all(scratch_path(seat->directory, "index.db"), key);
        flip_all(scratch_path(seat->directory, "pages"), key);
}

typedef union AnyRequest {
        IndexRequest request;
        IndexCommit commit;
        IndexDelete deletion;
        IndexSettle settle;
        IndexMove move;
        IndexDamage damage;
} AnyRequest;

TEST(a_damaged_page_fails_the_member_and_not_the_request) {
        static const char key[] = "key/1500";
        IndexSettleItem item = { .version = 9999, .key = key };
        IndexDamageItem mark = { .version = 2, .volume = 3, .key = key, .kind = DAMAGE_CORRUPT };
        struct {
                RequestType type;
                AnyRequest any;
        } cases[] = {
                { REQUEST_COMMIT, { .commit = { .key = key, .record = make_record(9998, 3) } } },
                { REQUEST_DELETE, { .deletion = { .key = key } } },
                { REQUEST_SETTLE, { .settle = { .volume = 3, .items = &item, .n_items = 1 } } },
                { REQUEST_MOVE, { .move = { .key = key, .version = 2, .add = 4 } } },
                { REQUEST_DAMAGE, { .damage = { .items = &mark, .n_items = 1 } } },
        };
        Script *script = *state;
        Seat *seat = script->seats;
        size_t n;

        fill_seat(script, seat);
        damage_key_pages(seat, key);
        n = script->n;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                add_request(script, &cases[i].any.request, cases[i].type, true);
                add_commit(script, "other", 20000, true);
                seat_open(seat);
                seat_follow(seat);
                index_sync(seat->index);
                assert_int_equal(atomic_load(&seat->broken), -EBADMSG);
                assert_int_equal(applied_index(seat), FIRST_DECIDED + n - 1);
                assert_counters(seat->index, KEYS, 100 * (3 * KEYS + 1) * KEYS, KEYS);
                seat_close(seat);
                while (script->n > n)
                        buffer_done(&script->log[--script->n].data);
        }
}

/* Its requests were decided: others carry them out. */
TEST(who_leads_and_finds_damage_does_not_know_what_became_of_a_request) {
        Script *script = *state;
        Seat *seat = script->seats;
        IndexCommit commit = { .request.done = scratch_answered,
                               .key = "key/1500",
                               .record = make_record(20000, 3) };

        fill_seat(script, seat);
        damage_key_pages(seat, "key/1500");
        seat_open(seat);
        assert_int_equal(seat_lead(seat, 6), 0);
        index_commit(seat->index, &commit);
        seat_follow(seat);
        assert_int_equal(scratch_wait(), INDEX_ERROR_UNKNOWN);
        assert_int_equal(atomic_load(&seat->broken), -EBADMSG);
}

/* What is dead is known from there, and must be known to all in the same way. */
TEST(a_member_whose_garbage_is_damaged_is_not_opened) {
        Script *script = *state;
        Seat *seat = script->seats;
        const GarbageKey key = garbage_key(3, DUE, 3000);
        const char *path;

        fill_seat(script, seat);
        path = scratch_path(seat->directory, "garbage.db");
        scratch_flip_bit(path, scratch_find(path, &key, sizeof(key)));
        assert_int_equal(seat_try_open(seat), -EBADMSG);
}

/* Which requests are refused follows from the marks. */
TEST(a_member_with_a_mark_that_cannot_be_read_is_not_opened) {
        Script *script = *state;
        Seat *seat = script->seats;

        seat_open(seat);
        put_bad_mark(seat->index);
        seat_close(seat);
        assert_int_equal(seat_try_open(seat), -EBADMSG);
}

/* Crashes */

#define SWEPT 12

static void encode_swept(uint64_t i, Buffer *ret) {
        IndexCommit commit = {
                .request = { .type = REQUEST_COMMIT, .has_room = true },
                .key = i % 2 == 0 ? "even" : "odd",
                .record = make_record(2 * i, 3),
                .garbage_due_usec = DUE,
        };

        request_batch_begin(5, ret);
        request_batch_add(&commit.request, ret);
}

static int decide_swept(Index *index, uint64_t i) {
        _cleanup_(buffer_done) Buffer data = {};
        Entry entry = { .term = 5, .type = ENTRY_REQUESTS };

        encode_swept(i, &data);
        entry.data = data.data;
        entry.size = (uint32_t) data.size;
        return index_decided(index, 1 + i, &entry, NULL);
}

static int refuse_to_propose(Buffer *entry, void *proposal, void *userdata) {
        return -EOWNERDEAD;
}

static void ignore_room(void *userdata) {
}

static void ignore_breaking(int error, void *userdata) {
}

static int open_swept(const char *directory, bool is_member, Index **ret) {
        static const IndexGroup group = { refuse_to_propose, ignore_room, ignore_breaking, NULL };
        const IndexOptions options = {
                .directory = directory,
                .log_size = 64 * KIB,
                .checkpoint_size = 64 * KIB,
                .group = is_member ? &group : NULL,
        };

        return index_open(&options, ret);
}

static void scene(const char *directory) {
        const Members one = { 1, { { 1, MEMBER_VOTER, "http://one" } } };
        Index *index;

        if (open_swept(directory, false, &index) < 0)
                return;
        if (index_found_group(index, &one) >= 0)
                fault_acknowledge(1);
        (void) index_free(index);
        if (open_swept(directory, true, &index) < 0)
                return;

        for (uint64_t i = 1; i <= SWEPT; i++) {
                ConsensusApplied applied;
                uint64_t on_disk;

                if (decide_swept(index, i) < 0)
                        break;
                if (i % 4 != 0)
                        continue;
                index_sync(index);
                index_applied(index, &applied, &on_disk);
                fault_acknowledge((uint8_t) on_disk);
        }
        (void) index_free(index);
}

#define CHECK(condition) \
        do \
                if (!(condition)) { \
                        (void) fprintf(stderr, "line %i: %s\n", __LINE__, #condition); \
                        abort(); \
                } \
        while (false)

static void check(const char *directory, const uint8_t *acknowledged, size_t n) {
        uint64_t entry = 0, on_disk;
        ConsensusApplied applied;
        IndexCounters counters;
        Index *index;
        int r;

        for (size_t i = 0; i < n; i++)
                entry = MAX(entry, (uint64_t) acknowledged[i]);

        r = open_swept(directory, true, &index);
        CHECK(r >= 0 || (entry == 0 && (r == -EXDEV || r == -ENOENT)));
        if (r < 0)
                return;

        /* What it says that it has is all that it has. */
        index_applied(index, &applied, &on_disk);
        CHECK(applied.index >= entry && applied.index <= SWEPT + 1 && on_disk == applied.index);
        CHECK(index_revision(index) == applied.index - 1);
        for (uint64_t i = applied.index; i <= SWEPT; i++)
                CHECK(decide_swept(index, i) == 0);
        index_sync(index);
        index_applied(index, &applied, &on_disk);
        CHECK(applied.index == SWEPT + 1 && on_disk == applied.index);
        CHECK(index_revision(index) == SWEPT);
        index_counters(index, &counters);
        CHECK(counters.keys == 2 && counters.garbage == SWEPT - 2);
        (void) index_free(index);
}

static const FaultSweep swept = { scene, check };

static void sweep(FaultMode mode) {
        unsigned n = fault_sweep(&swept, mode);

        print_message("%u calls\n", n);
        assert_in_range(n, 50, 2000);
}

TEST(a_member_survives_the_death_of_its_process) {
        sweep(FAULT_DIE);
}

TEST(a_member_survives_errors) {
        sweep(FAULT_ERROR);
}

TEST(a_member_survives_a_full_disk) {
        sweep(FAULT_FULL);
}

int main(void) {
#define RUN_GROUP(test) cmocka_unit_test_setup_teardown(test, setup_script, teardown_script)
        static const struct CMUnitTest tests[] = {
                RUN_GROUP(without_room_it_waits_until_there_is_some),
                RUN_GROUP(who_waits_for_room_can_be_freed),
                RUN_GROUP(what_needs_no_room_does_not_wait),
                RUN_GROUP(a_damaged_page_fails_the_member_and_not_the_request),
                RUN_GROUP(who_leads_and_finds_damage_does_not_know_what_became_of_a_request),
                RUN_GROUP(a_member_whose_garbage_is_damaged_is_not_opened),
                RUN_GROUP(a_member_with_a_mark_that_cannot_be_read_is_not_opened),
                cmocka_unit_test(a_member_survives_the_death_of_its_process),
                cmocka_unit_test(a_member_survives_errors),
                cmocka_unit_test(a_member_survives_a_full_disk),
        };

        if (access("/dev/shm", W_OK) >= 0)
                (void) setenv("TMPDIR", "/dev/shm", 0);

        return cmocka_run_group_tests(tests, NULL, NULL);
}
