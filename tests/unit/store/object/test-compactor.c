/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* That space comes back, and nothing is lost on the way, not by crashes either. */

#include "test.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>

#include "fault.h"
#include "power.h"
#include "store/object/values-fixture.h"

TEST(the_space_of_deleted_objects_comes_back) {
        Fixture *fixture = *state;
        uint64_t before, live = 300 * (VALUE_SIZE + 100);

        put_all(fixture, 1, 300);
        for (uint64_t version = 1; version <= 300; version += 2)
                assert_int_equal(drop(fixture->store, version), 0);
        before = kept(fixture->store);
        assert_int_equal(compact(fixture->store, clock_monotonic()), 0);
        assert_true(kept(fixture->store) < before * 2 / 3);
        assert_true(kept(fixture->store) <= live / 2 * 5 / 4 + 64 * KIB);

        for (unsigned round = 0; round < 2; round++) {
                for (uint64_t version = 1; version <= 300; version++)
                        assert_int_equal(
                                        get(fixture->store, version),
                                        version % 2 == 1 ? -ENOENT : 0);
                reopen(fixture);
        }
}

TEST(an_empty_store_gives_all_back) {
        Fixture *fixture = *state;

        put_all(fixture, 1, 220);
        for (uint64_t version = 1; version <= 220; version++)
                assert_int_equal(drop(fixture->store, version), 0);
        assert_int_equal(compact(fixture->store, clock_monotonic()), 0);
        assert_true(kept(fixture->store) < 1 * KIB);
        assert_int_equal(lives_total(&fixture->store->values.lives), 0);

        put_all(fixture, 1000, 10);
        reopen(fixture);
        assert_int_equal(get(fixture->store, 1005), 0);
        assert_int_equal(get(fixture->store, 5), -ENOENT);
}

TEST(little_garbage_is_worth_it_when_it_is_old) {
        Fixture *fixture = *state;
        uint64_t before, now = clock_monotonic();

        put_all(fixture, 1, 300);
        for (uint64_t version = 1; version <= 300; version += 6)
                assert_int_equal(drop(fixture->store, version), 0);
        before = kept(fixture->store);
        assert_int_equal(compact(fixture->store, now), 0);
        assert_true(kept(fixture->store) + 1 * KIB >= before);
        assert_int_equal(compact(fixture->store, now + 31 * USEC_PER_MIN), 0);
        assert_true(kept(fixture->store) < before * 9 / 10);
        for (uint64_t version = 1; version <= 300; version++)
                assert_int_equal(get(fixture->store, version), version % 6 == 1 ? -ENOENT : 0);
}

/* The thread looks now and then; the clock goes on for an hour. */
TEST(an_hour_after_deletions_nine_tenths_of_what_is_kept_are_live) {
        Fixture *fixture = *state;
        static const uint64_t every[] = { 1, 2, 3, 5, 9 };
        uint64_t version = 1;

        for (size_t i = 0; i < ELEMENTSOF(every); i++) {
                uint64_t first = version, now = clock_monotonic(), live;

                put_all(fixture, first, 240);
                version += 240;
                for (uint64_t v = first; v < version; v += every[i])
                        assert_int_equal(drop(fixture->store, v), 0);
                for (unsigned minute = 0; minute <= 60; minute += 5)
                        assert_int_equal(compact(fixture->store, now + minute * USEC_PER_MIN), 0);
                live = lives_total(&fixture->store->values.lives);
                /* The segment that is written is not full yet. */
                assert_true(kept(fixture->store) <= live * 10 / 9 + 64 * KIB);
        }
        for (uint64_t v = 1; v <= 240; v++)
                assert_int_equal(get(fixture->store, v), -ENOENT);
}

static unsigned count_segments(ObjectStore *store) {
        unsigned n = 0;
        uint32_t size;

        for (uint32_t last = 0; (last = segment_log_next(store->values.log, last, &size)) > 0;)
                n++;
        return n;
}

static void start_and_put(Fixture *fixture, uint64_t starts) {
        for (uint64_t start = 0; start < starts; start++) {
                reopen(fixture);
                put_all(fixture, 1 + start * 3, 3);
        }
}

TEST(what_starts_leave_behind_is_merged) {
        Fixture *fixture = *state;
        uint64_t before;

        start_and_put(fixture, 30);
        assert_int_equal(count_segments(fixture->store), 30);
        assert_int_equal(compact(fixture->store, clock_monotonic()), 0);
        assert_true(count_segments(fixture->store) <= 3);

        /* Once. */
        before = environment_batches(fixture->store->environment);
        assert_int_equal(compact(fixture->store, clock_monotonic()), 0);
        assert_int_equal(environment_batches(fixture->store->environment), before + 1);

        for (unsigned round = 0; round < 2; round++) {
                for (uint64_t version = 1; version <= 90; version++)
                        assert_int_equal(get(fixture->store, version), 0);
                reopen(fixture);
        }
}

TEST(few_small_segments_are_left_alone) {
        Fixture *fixture = *state;

        start_and_put(fixture, 8);
        assert_int_equal(compact(fixture->store, clock_monotonic()), 0);
        assert_int_equal(count_segments(fixture->store), 8); /* the last one is written */
        assert_int_equal(fixture->store->compactor.n_notes, 0);
}

typedef struct Reading {
        ObjectStore *store;
        atomic_bool is_over;
} Reading;

static void *read_on(void *userdata) {
        Reading *reading = userdata;

        while (!atomic_load(&reading->is_over))
                for (uint64_t version = 2; version <= 200; version += 2)
                        CHECK(get(reading->store, version) == 0);
        return NULL;
}

TEST(readers_do_not_notice) {
        Fixture *fixture = *state;
        Reading reading = { .store = fixture->store };
        pthread_t thread;

        put_all(fixture, 1, 200);
        assert_int_equal(pthread_create(&thread, NULL, read_on, &reading), 0);
        for (unsigned round = 0; round < 5; round++) {
                for (uint64_t version = 1; version <= 200; version += 2)
                        assert_int_equal(drop(fixture->store, version), 0);
                assert_int_equal(compact(fixture->store, clock_monotonic()), 0);
                for (uint64_t version = 1; version <= 200; version += 2)
                        assert_int_equal(put(fixture->store, version), 0);
        }
        atomic_store(&reading.is_over, true);
        assert_int_equal(pthread_join(thread, NULL), 0);
}

/* Crashes: rounds of puts, deletions and a compaction. Each step is acknowledged. */

#define ROUNDS    4
#define PER_ROUND 80

/* The versions of round R are R * 100 + 1 and so on; the one before it loses three of four, and the
 * one before that all but every eighth. */
typedef struct Many {
        union {
                ObjectPut put;
                ObjectDelete deletion;
        };
        Buffer buffer;
} Many;

static sem_t many_done;
static atomic_bool has_failed;

static void on_done(Operation *operation, int result) {
        if (result < 0)
                atomic_store(&has_failed, true);
        (void) sem_post(&many_done);
}

/* At once, so that there are few batches. */
static bool run_many(ObjectStore *store, const uint64_t *versions, size_t n, bool deletes) {
        Many *many = calloc(n, sizeof(*many));

        (void) sem_init(&many_done, 0, 0);
        atomic_store(&has_failed, false);
        for (size_t i = 0; i < n; i++) {
                if (deletes) {
                        many[i].deletion = (ObjectDelete){ .operation.done = on_done,
                                                           .version = versions[i] };
                        object_store_delete(store, &many[i].deletion);
                        continue;
                }
                encode(versions[i], &many[i].buffer);
                many[i].put = (ObjectPut){ .operation.done = on_done,
                                           .data = many[i].buffer.data,
                                           .size = many[i].buffer.size };
                object_store_put(store, &many[i].put);
        }
        for (size_t i = 0; i < n; i++)
                (void) sem_wait(&many_done);
        for (size_t i = 0; i < n; i++)
                buffer_done(&many[i].buffer);
        free(many);
        return !atomic_load(&has_failed);
}

static bool run_round(ObjectStore *store, uint64_t round) {
        uint64_t versions[2 * PER_ROUND];
        size_t n = 0;

        for (uint64_t i = 1; i <= PER_ROUND; i++)
                versions[n++] = round * 100 + i;
        if (!run_many(store, versions, n, false))
                return false;
        fault_acknowledge((uint8_t) (2 * round));

        n = 0;
        for (uint64_t i = 1; i <= PER_ROUND && round > 0; i++)
                if (i % 4 != 0)
                        versions[n++] = (round - 1) * 100 + i;
        for (uint64_t i = 4; i <= PER_ROUND && round > 1; i += 8)
                versions[n++] = (round - 2) * 100 + i;
        if (!run_many(store, versions, n, true))
                return false;
        fault_acknowledge((uint8_t) (2 * round + 1));
        (void) compact(store, clock_monotonic());
        return true;
}

static void scene(const char *directory) {
        ObjectStore *store;

        if (open_store(directory, &store) < 0)
                return;
        for (uint64_t round = 0; round < ROUNDS && run_round(store, round); round++)
                ;
        (void) object_store_free(store);
}

/* Steps done: 0 for none. MAYBE: it may be there or not. */
typedef enum Expected { ABSENT, PRESENT, MAYBE } Expected;

static Expected expected(uint64_t round, uint64_t i, size_t steps) {
        size_t stored = 2 * round + 1;
        size_t deleted = i % 4 != 0 ? 2 * round + 4 : i % 8 == 4 ? 2 * round + 6 : SIZE_MAX;

        if (steps >= deleted)
                return ABSENT;
        if (steps + 1 >= deleted)
                return MAYBE;
        return steps >= stored ? PRESENT : steps + 1 >= stored ? MAYBE : ABSENT;
}

static void check(const char *directory, const uint8_t *acknowledged, size_t n_acknowledged) {
        uint64_t objects = 0, live = 0;
        ObjectStoreCounters counters;
        ObjectStore *store;

        CHECK(open_store(directory, &store) == 0);
        for (unsigned turn = 0; turn < 2; turn++) {
                objects = 0;
                for (uint64_t round = 0; round < ROUNDS; round++)
                        for (uint64_t i = 1; i <= PER_ROUND; i++) {
                                Expected e = expected(round, i, n_acknowledged);
                                int r = get(store, round * 100 + i);

                                CHECK(r == 0 || r == -ENOENT);
                                CHECK(e == MAYBE || (r == 0) == (e == PRESENT));
                                objects += r == 0;
                        }
                CHECK(compact(store, clock_monotonic()) == 0);
        }
        CHECK(object_store_counters(store, &counters) == 0);
        CHECK(counters.objects == objects);

        /* All of it is live, and nothing else. */
        live = lives_total(&store->values.lives);
        if (objects > 0)
                CHECK(live % objects == 0 && live / objects > VALUE_SIZE);
        CHECK(live > 0 || objects == 0);
        CHECK(put(store, 10000) == 0);
        (void) object_store_free(store);
}

static const FaultSweep crash = { scene, check };

/* Small segments, as starts leave them behind, and a compaction that merges them. */

#define PIECES    10
#define PER_PIECE 3

static void merging_scene(const char *directory) {
        ObjectStore *store;

        if (open_store(directory, &store) < 0)
                return;
        for (uint64_t piece = 0; piece < PIECES; piece++) {
                uint64_t versions[PER_PIECE];

                for (uint64_t i = 0; i < PER_PIECE; i++)
                        versions[i] = 1 + piece * PER_PIECE + i;
                atomic_store(&store->values.is_rolling, true);
                if (!run_many(store, versions, PER_PIECE, false))
                        break;
                fault_acknowledge((uint8_t) piece);
        }
        (void) compact(store, clock_monotonic());
        (void) object_store_free(store);
}

static void check_merging(
                const char *directory, const uint8_t *acknowledged, size_t n_acknowledged) {
        ObjectStore *store;

        CHECK(open_store(directory, &store) == 0);
        for (unsigned turn = 0; turn < 2; turn++) {
                for (uint64_t version = 1; version <= PIECES * PER_PIECE; version++) {
                        int r = get(store, version);

                        CHECK(r == 0 || (r == -ENOENT && version > n_acknowledged * PER_PIECE));
                }
                CHECK(compact(store, clock_monotonic()) == 0);
        }
        CHECK(count_segments(store) < 10);
        (void) object_store_free(store);
}

static const FaultSweep merging = { merging_scene, check_merging };

TEST(merging_survives_losses_of_power) {
        const char *states = getenv("DKV_POWER_STATES");

        assert_int_equal(power_loss(&merging, states ? (unsigned) atoi(states) : 60, 5), 0);
}

TEST(merging_survives_the_death_of_its_process) {
        assert_true(fault_sweep(&merging, FAULT_DIE) > 50);
}

TEST(compaction_survives_losses_of_power) {
        const char *states = getenv("DKV_POWER_STATES");

        assert_int_equal(power_loss(&crash, states ? (unsigned) atoi(states) : 120, 3), 0);
}

TEST(compaction_survives_the_death_of_its_process) {
        assert_true(fault_sweep(&crash, FAULT_DIE) > 100);
}

TEST(compaction_survives_errors) {
        assert_true(fault_sweep(&crash, FAULT_ERROR) > 100);
}

TEST(compaction_survives_a_full_disk) {
        assert_true(fault_sweep(&crash, FAULT_FULL) > 100);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        static const struct CMUnitTest tests[] = {
                RUN(the_space_of_deleted_objects_comes_back),
                RUN(an_empty_store_gives_all_back),
                RUN(little_garbage_is_worth_it_when_it_is_old),
                RUN(an_hour_after_deletions_nine_tenths_of_what_is_kept_are_live),
                RUN(what_starts_leave_behind_is_merged),
                RUN(few_small_segments_are_left_alone),
                RUN(readers_do_not_notice),
                cmocka_unit_test(merging_survives_losses_of_power),
                cmocka_unit_test(merging_survives_the_death_of_its_process),
                cmocka_unit_test(compaction_survives_losses_of_power),
                cmocka_unit_test(compaction_survives_the_death_of_its_process),
                cmocka_unit_test(compaction_survives_errors),
                cmocka_unit_test(compaction_survives_a_full_disk),
        };

        if (access("/dev/shm", W_OK) >= 0)
                (void) setenv("TMPDIR", "/dev/shm", 0);

        return cmocka_run_group_tests(tests, NULL, NULL);
}
