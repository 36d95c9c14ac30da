/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Three members with real logs and real indexes: what a leader has acknowledged is there after it
 * was stopped, at all others and on itself, and all have the same tables. */

#include "test.h"

#include <errno.h>
#include <unistd.h>

#include "master/group/seats.h"
#include "scratch.h"
#include "store/index/group.h"
#include "store/index/identity.h"

#define WRITERS 4
#define WRITES  60

typedef struct Database {
        char *directory;
        Index *index; /* NULL while the member is stopped */
        atomic_bool leads;
        atomic_bool is_over; /* it has led: where this is a process, it ends now */
        atomic_bool is_slow; /* it takes nothing */
        atomic_uint n_held;  /* so many entries, or the same ones again */
} Database;

static Database databases[SEATS_MAX];

static Database *database_of(const Seat *seat) {
        return databases + (seat - seats);
}

/* -- Between group and index -- */

static int propose(Buffer *entry, void *proposal, void *userdata) {
        Seat *seat = userdata;

        return group_propose(seat->group, entry, proposal);
}

static void on_ready(void *userdata) {
        Seat *seat = userdata;

        group_ready(seat->group);
}

static void on_broken(int error, void *userdata) {
        abort();
}

static void on_begun(IndexResult result, void *userdata) {
        Database *database = userdata;

        (void) pthread_mutex_lock(&seats_lock);
        database->leads = result.outcome == INDEX_DONE;
        (void) pthread_cond_broadcast(&seats_changed);
        (void) pthread_mutex_unlock(&seats_lock);
}

static int on_decided(Seat *seat, uint64_t index, const Entry *entry, void *proposal) {
        Database *database = database_of(seat);

        if (database->is_slow) {
                database->n_held++;
                return -EAGAIN;
        }
        return index_decided(database->index, index, entry, proposal);
}

static void on_refused(Seat *seat, void *proposal, int error) {
        index_refused(database_of(seat)->index, proposal, error);
}

static void note_over(Database *database) {
        (void) pthread_mutex_lock(&seats_lock);
        database->leads = false;
        database->is_over = true;
        (void) pthread_cond_broadcast(&seats_changed);
        (void) pthread_mutex_unlock(&seats_lock);
}

static void on_view(Seat *seat, const GroupView *view) {
        Database *database = database_of(seat);

        if (view->start > 0) {
                if (index_begin_to_lead(database->index, view->term, on_begun, database) < 0)
                        note_over(database);
        } else {
                index_end_lead(database->index);
                if (database->leads)
                        note_over(database);
        }
}

static void start(Seat *seat) {
        Database *database = database_of(seat);
        const IndexGroup group = { propose, on_ready, on_broken, seat };
        const IndexOptions options = { .directory = database->directory, .group = &group };
        uint64_t on_disk;

        assert_int_equal(index_open(&options, &database->index), 0);
        index_applied(database->index, &seat->saved, &on_disk);
        seat_start(seat);
}

static void stop(Seat *seat) {
        Database *database = database_of(seat);

        group_stop(seat->group);
        database->index = index_free(database->index);
        database->leads = database->is_over = false;
        seat_stop(seat);
}

static int setup(void **state) {
        Index *index;

        seats_prepare(3, 0);
        seats_consumer = (SeatsConsumer){ on_decided, on_refused, on_view };
        databases[0].directory = scratch_new();
        assert_int_equal(
                        index_open(&(IndexOptions){ .directory = databases[0].directory }, &index),
                        0);
        assert_int_equal(index_found_group(index, &seats[0].saved.members), 0);
        (void) index_free(index);
        for (size_t i = 1; i < n_seats; i++)
                databases[i].directory = scratch_copy(databases[0].directory);
        for (size_t i = 0; i < n_seats; i++) {
                seats[i].election_usec = USEC_PER_SEC; /* machines that are busy */
                start(seats + i);
        }
        return 0;
}

static int teardown(void **state) {
        for (size_t i = 0; i < n_seats; i++) {
                if (seats[i].group)
                        stop(seats + i);
                databases[i].directory = scratch_free(databases[i].directory);
        }
        seats_end();
        return 0;
}

/* -- Writers -- */

typedef struct Write {
        IndexCommit commit;
        char key[16];
        IndexResult result;
        bool is_answered;      /* with the lock of the seats */
        uint64_t acknowledged; /* the version */
} Write;

static Database *find_leader(void) {
        for (size_t i = 0; i < n_seats; i++)
                if (databases[i].leads)
                        return databases + i;
        return NULL;
}

static Database *find_over(void) {
        for (size_t i = 0; i < n_seats; i++)
                if (databases[i].is_over)
                        return databases + i;
        return NULL;
}

/* Who has lost the lead is started again, as a master would be. */
static Database *wait_for_leader(void) {
        for (;;) {
                Database *leader, *over;
                Seat *seat;

                SEATS_WAIT_FOR((over = find_over()) || find_leader());
                leader = find_leader();
                if (!over && leader)
                        return leader;
                if (!over)
                        continue;
                seat = seats + (over - databases);
                stop(seat);
                start(seat);
        }
}

static void on_answered(IndexRequest *request, IndexResult result) {
        Write *write = CONTAINER_OF(request, Write, commit.request);

        (void) pthread_mutex_lock(&seats_lock);
        write->result = result;
        write->is_answered = true;
        (void) pthread_cond_broadcast(&seats_changed);
        (void) pthread_mutex_unlock(&seats_lock);
}

static void submit(Write *write, unsigned number) {
        Database *leader = wait_for_leader();

        (void) snprintf(write->key, sizeof(write->key), "key/%u", number);
        write->is_answered = false;
        write->acknowledged = 0;
        write->commit = (IndexCommit){
                .request.done = on_answered,
                .key = write->key,
                .record = { .version = index_next_version(leader->index, VERSION_DIRECT),
                            .size = number,
                            .content_type = "",
                            .metadata = "",
                            .n_copies = 1,
                            .copies = { 3 } },
        };
        index_commit(leader->index, &write->commit);
}

static void wait_for_answer(Write *write) {
        SEATS_WAIT_FOR(write->is_answered);
        if (write->result.outcome == INDEX_DONE)
                write->acknowledged = write->commit.record.version;
}

/* So many keys, from FIRST on, each of which is acknowledged in the end. */
static void write_keys(Write *writes, unsigned first, unsigned n) {
        for (unsigned i = first; i < first + n; i++)
                submit(writes + i, i);
        for (unsigned i = first; i < first + n; i++) {
                wait_for_answer(writes + i);
                while (writes[i].acknowledged == 0) {
                        submit(writes + i, i);
                        wait_for_answer(writes + i);
                }
        }
}

static void assert_has(Database *database, const Write *writes, unsigned n) {
        _cleanup_(buffer_done) Buffer scratch = {};

        for (unsigned i = 0; i < n; i++) {
                Record record;

                assert_int_equal(index_get(database->index, writes[i].key, &scratch, &record), 0);
                assert_int_equal(record.version, writes[i].acknowledged);
        }
}

static uint64_t applied_index(Database *database) {
        ConsensusApplied applied;
        uint64_t on_disk;

        index_applied(database->index, &applied, &on_disk);
        return applied.index;
}

/* Nothing is written any more: all come to the same entry. */
static void assert_alike(void) {
        Checksum first, other;
        uint64_t end, entry;

        (void) pthread_mutex_lock(&seats_lock);
        end = 0;
        for (size_t i = 0; i < n_seats; i++)
                end = MAX(end, seats[i].applied.index);
        (void) pthread_mutex_unlock(&seats_lock);
        for (size_t i = 0; i < n_seats; i++) {
                seat_wait_for(seats + i, end);
                while (applied_index(databases + i) < end)
                        (void) sched_yield();
                assert_int_equal(index_hash(databases[i].index, &other, &entry), 0);
                if (i == 0)
                        first = other;
                else
                        assert_memory_equal(&first, &other, sizeof(first));
        }
}

TEST(nothing_that_was_acknowledged_is_lost_with_a_leader) {
        Write *writes = calloc(WRITERS * WRITES, sizeof(*writes));
        uint64_t term = 0;
        unsigned n = 0;

        for (unsigned round = 0; round < WRITERS; round++, n += WRITES) {
                Database *leader;
                Seat *seat;

                write_keys(writes, n, WRITES);
                leader = wait_for_leader();
                assert_true(index_identity(leader->index)->term > term);
                term = index_identity(leader->index)->term;
                assert_has(leader, writes, n + WRITES);

                seat = seats + (leader - databases);
                stop(seat);
                leader = wait_for_leader();
                assert_has(leader, writes, n + WRITES);
                start(seat);
        }

        write_keys(writes, 0, 1); /* of the last leader's term */
        for (size_t i = 0; i < n_seats; i++)
                seat_wait_for(seats + i, applied_index(wait_for_leader()));
        assert_alike();
        for (size_t i = 0; i < n_seats; i++)
                assert_has(databases + i, writes, n);
        free(writes);
}

/* What is under way when the leader is stopped is done or unknown, and never refused. */
TEST(what_is_under_way_with_a_leader_is_unknown_at_worst) {
        Write *writes = calloc(WRITES, sizeof(*writes));
        Database *leader;

        write_keys(writes, 0, 1);
        leader = wait_for_leader();
        for (unsigned i = 0; i < WRITES; i++)
                submit(writes + i, i);
        stop(seats + (leader - databases));
        for (unsigned i = 0; i < WRITES; i++) {
                wait_for_answer(writes + i);
                assert_true(writes[i].result.outcome != INDEX_REFUSED);
        }

        leader = wait_for_leader();
        for (unsigned i = 0; i < WRITES; i++) {
                _cleanup_(buffer_done) Buffer scratch = {};
                Record record;

                if (writes[i].result.outcome != INDEX_DONE)
                        continue;
                assert_int_equal(index_get(leader->index, writes[i].key, &scratch, &record), 0);
                assert_int_equal(record.version, writes[i].acknowledged);
        }
        free(writes);
}

static void make_slow(Database *database) {
        Seat *seat = seats + (database - databases);

        stop(seat);
        seat->election_usec = USEC_PER_HOUR; /* it never leads */
        start(seat);
        database->is_slow = true;
}

/* It does not hold up the others, and is told all of it later. */
TEST(a_member_whose_database_is_slow_lags_and_catches_up) {
        Write *writes = calloc(WRITES, sizeof(*writes));
        Database *slow, *leader;
        GroupStatus status;

        write_keys(writes, 0, 1);
        leader = wait_for_leader();
        slow = databases + (leader - databases + 1) % (ptrdiff_t) n_seats;
        make_slow(slow);
        write_keys(writes, 0, WRITES);
        while (slow->n_held == 0)
                (void) usleep(USEC_PER_MSEC);
        do
                group_status(seats[slow - databases].group, &status);
        while (status.told == status.commit);

        slow->is_slow = false;
        group_ready(seats[slow - databases].group);
        assert_alike();
        assert_has(slow, writes, WRITES);
        free(writes);
}

int main(void) {
#define RUN_SEATS(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        static const struct CMUnitTest tests[] = {
                RUN_SEATS(nothing_that_was_acknowledged_is_lost_with_a_leader),
                RUN_SEATS(what_is_under_way_with_a_leader_is_unknown_at_worst),
                RUN_SEATS(a_member_whose_database_is_slow_lags_and_catches_up),
        };

        if (access("/dev/shm", W_OK) >= 0)
                (void) setenv("TMPDIR", "/dev/shm", 0);

        return cmocka_run_group_tests(tests, NULL, NULL);
}
