/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/clock.h"
#include "scratch.h"
#include "store/environment/checkpointer.h"
#include "store/environment/database.h"
#include "store/environment/opening.h"

typedef struct Fixture {
        char *directory;
        Environment *environment;
        DB *database;
} Fixture;

/* What prepare() says of the batches that begin with an operation of apply_add(). */
static struct {
        size_t max; /* 0 for as many as there are */
        bool is_durable;
        unsigned n_batches, n_flushed;
        bool had_room;
} prepared;

static void prepare(Batch *batch, void *userdata);

static void on_flushed(void *userdata) {
        prepared.n_flushed++;
}

static const EnvironmentHooks hooks = {
        .format = "test 1",
        .prepare = prepare,
        .flushed = on_flushed,
};

static void open_environment(Fixture *fixture, uint64_t reserve_size) {
        EnvironmentOptions options = {
                .directory = fixture->directory,
                .log_size = 256 * KIB,
                .checkpoint_size = 256 * KIB,
                .reserve_size = reserve_size,
        };

        assert_int_equal(environment_open(&options, &hooks, &fixture->environment), 0);
        assert_int_equal(
                        environment_open_database(
                                        fixture->environment, "test.db", &fixture->database),
                        0);
}

static int setup(void **state) {
        Fixture *fixture = calloc(1, sizeof(*fixture));

        memset(&prepared, 0, sizeof(prepared));
        fixture->directory = scratch_new();
        open_environment(fixture, 0);
        *state = fixture;
        return 0;
}

static int teardown(void **state) {
        Fixture *fixture = *state;

        environment_free(fixture->environment);
        scratch_free(fixture->directory);
        free(fixture);
        return 0;
}

typedef struct Add {
        Operation operation;
        DB *database;
        uint64_t key;
        int error;      /* what apply() returns after the change */
        int fail_times; /* how often the database "fails" */
        int applied;
        int result;
        bool needs_room;
        atomic_uint *done; /* counted up */
} Add;

static int apply_add(Operation *operation, Transaction *transaction) {
        Add *add = CONTAINER_OF(operation, Add, operation);
        int r;

        add->applied++;
        if (add->needs_room && !transaction_has_room(transaction))
                return -ENOSPC;

        transaction->counters[0]++;
        r = transaction_put(transaction, add->database, &add->key, sizeof(add->key), "x", 1);
        if (r < 0)
                return r;
        if (add->fail_times > 0) {
                add->fail_times--;
                return transaction_fail(transaction, -EBADMSG);
        }

        return add->error;
}

static void prepare(Batch *batch, void *userdata) {
        if (batch->first->apply != apply_add)
                return;

        prepared.n_batches++;
        prepared.had_room = batch->has_room;
        batch->is_durable = prepared.is_durable;
        if (prepared.max > 0)
                batch->max = prepared.max;
}

static void on_added(Operation *operation, int result) {
        Add *add = CONTAINER_OF(operation, Add, operation);

        add->result = result;
        atomic_fetch_add(add->done, 1);
}

static bool exists(Fixture *fixture, uint64_t key) {
        _cleanup_(buffer_done) Buffer scratch = {};
        int r;

        environment_read_lock(fixture->environment);
        r = database_get(fixture->environment, fixture->database, &key, sizeof(key), &scratch);
        environment_read_unlock(fixture->environment);

        assert_true(r == 0 || r == -ENOENT);
        return r == 0;
}

/* Keeps the committer busy until it is told to go on, so that what is submitted meanwhile is one
 * batch. */
typedef struct Gate {
        Operation operation;
        sem_t reached, open;
} Gate;

static int apply_gate(Operation *operation, Transaction *transaction) {
        return 0;
}

static void on_gate(Operation *operation, int result) {
        Gate *gate = CONTAINER_OF(operation, Gate, operation);

        (void) sem_post(&gate->reached);
        (void) sem_wait(&gate->open);
}

static void close_gate(Fixture *fixture, Gate *gate) {
        *gate = (Gate){ .operation = { .apply = apply_gate, .done = on_gate } };
        (void) sem_init(&gate->reached, 0, 0);
        (void) sem_init(&gate->open, 0, 0);
        environment_submit(fixture->environment, &gate->operation);
        (void) sem_wait(&gate->reached);
}

/* Returns when everything that was submitted before is done. */
static void wait_until_done(Fixture *fixture) {
        Operation nothing = { .apply = apply_gate };

        assert_int_equal(environment_run(fixture->environment, &nothing), 0);
}

static void submit_all(Fixture *fixture, Add adds[], size_t n, atomic_uint *done) {
        for (size_t i = 0; i < n; i++) {
                adds[i].operation = (Operation){ .apply = apply_add, .done = on_added };
                adds[i].database = fixture->database;
                adds[i].key = i;
                adds[i].done = done;
                environment_submit(fixture->environment, &adds[i].operation);
        }
}

TEST(what_waits_is_one_batch) {
        Fixture *fixture = *state;
        Add adds[100] = {};
        atomic_uint done = 0;
        uint64_t batches;
        Gate gate;

        close_gate(fixture, &gate);
        submit_all(fixture, adds, ELEMENTSOF(adds), &done);
        batches = environment_batches(fixture->environment);
        (void) sem_post(&gate.open);
        wait_until_done(fixture);

        assert_int_equal(done, ELEMENTSOF(adds));
        /* And that of the waiting, if it came too late for this one. */
        assert_in_range(environment_batches(fixture->environment) - batches, 1, 2);
        for (size_t i = 0; i < ELEMENTSOF(adds); i++) {
                assert_int_equal(adds[i].applied, 1);
                assert_true(exists(fixture, i));
        }
        assert_int_equal(fixture->environment->counters[0], ELEMENTSOF(adds));
}

TEST(an_operation_that_meets_a_failing_database_fails_alone) {
        Fixture *fixture = *state;
        Add adds[10] = { [3].fail_times = 2, [6].fail_times = 1 };
        atomic_uint done = 0;
        Gate gate;

        close_gate(fixture, &gate);
        submit_all(fixture, adds, ELEMENTSOF(adds), &done);
        (void) sem_post(&gate.open);
        wait_until_done(fixture);

        for (size_t i = 0; i < ELEMENTSOF(adds); i++) {
                assert_int_equal(adds[i].result, i == 3 ? -EBADMSG : 0);
                assert_int_equal(exists(fixture, i), i != 3);
        }
        assert_int_equal(adds[0].applied, 2);
        assert_int_equal(fixture->environment->counters[0], 9);

        environment_free(fixture->environment);
        open_environment(fixture, 0);
        assert_int_equal(fixture->environment->counters[0], 9);
        assert_false(exists(fixture, 3));
        assert_true(exists(fixture, 4));
}

TEST(a_refusal_passes_through_with_its_changes) {
        Fixture *fixture = *state;
        Add add = { .error = -ECANCELED };
        atomic_uint done = 0;

        submit_all(fixture, &add, 1, &done);
        wait_until_done(fixture);

        assert_int_equal(add.result, -ECANCELED);
        assert_int_equal(add.applied, 1);
        assert_true(exists(fixture, 0));
}

TEST(without_room_only_what_needs_none_goes_on) {
        Fixture *fixture = *state;
        Add adds[2] = { [0].needs_room = true };
        atomic_uint done = 0;

        environment_free(fixture->environment);
        open_environment(fixture, UINT64_MAX);
        submit_all(fixture, adds, ELEMENTSOF(adds), &done);
        wait_until_done(fixture);

        assert_int_equal(adds[0].result, -ENOSPC);
        assert_int_equal(adds[1].result, 0);
        assert_false(prepared.had_room);
}

/* The file system, how often it was asked, and what it says is free; 0 for the truth. */
static atomic_uint n_looks;
static atomic_uint_least64_t free_bytes;

int __real_fstatvfs64(int fd, struct statvfs *ret);
int __wrap_fstatvfs64(int fd, struct statvfs *ret);

int __wrap_fstatvfs64(int fd, struct statvfs *ret) {
        uint64_t bytes = atomic_load(&free_bytes);
        int r;

        atomic_fetch_add(&n_looks, 1);
        r = __real_fstatvfs64(fd, ret);
        if (r == 0 && bytes > 0)
                ret->f_bavail = bytes / ret->f_frsize;
        return r;
}

static int add_with_need(Fixture *fixture, uint64_t key) {
        atomic_uint done = 0;
        Add add = { .operation = { .apply = apply_add, .done = on_added },
                    .database = fixture->database,
                    .key = key,
                    .done = &done,
                    .needs_room = true };

        environment_submit(fixture->environment, &add.operation);
        while (atomic_load(&done) == 0)
                (void) sched_yield();
        return add.result;
}

TEST(plenty_of_room_is_looked_at_once_a_second_and_little_with_each_batch) {
        Fixture *fixture = *state;
        Room *room = &fixture->environment->committer.room;

        atomic_store(&free_bytes, 100 * GIB);
        wait_until_done(fixture);
        room->looked_usec = 0;
        atomic_store(&n_looks, 0);
        for (uint64_t i = 0; i < 20; i++) {
                room->looked_usec = MAX(room->looked_usec, clock_monotonic()); /* no time passes */
                assert_int_equal(add_with_need(fixture, i), 0);
        }
        assert_in_range(atomic_load(&n_looks), 0, 1);
        assert_in_range(room->written, 20 * sizeof(uint64_t), 20 * KIB);

        /* Somebody else fills the disk, and a second is over. */
        atomic_store(&free_bytes, 64 * KIB);
        room->looked_usec = 0;
        assert_int_equal(add_with_need(fixture, 100), -ENOSPC);

        /* There is room again, though little. */
        atomic_store(&free_bytes, fixture->environment->options.reserve_size + 16 * MIB);
        atomic_store(&n_looks, 0);
        for (uint64_t i = 0; i < 20; i++)
                assert_int_equal(add_with_need(fixture, 200 + i), 0);
        assert_int_equal(atomic_load(&n_looks), 20);
        atomic_store(&free_bytes, 0);
}

static DB_LOG_STAT log_stat(Fixture *fixture) {
        DB_ENV *db_env = fixture->environment->db_env;
        DB_LOG_STAT *stat, copy;

        assert_int_equal(db_env->log_stat(db_env, &stat, 0), 0);
        copy = *stat;
        free(stat);
        return copy;
}

/* A batch of so many, and nothing else. */
static void add_and_wait(Fixture *fixture, Add adds[], size_t n) {
        atomic_uint done = 0;

        submit_all(fixture, adds, n, &done);
        while (atomic_load(&done) < n)
                (void) sched_yield();
}

TEST(a_batch_that_is_durable_elsewhere_is_neither_written_nor_flushed) {
        Fixture *fixture = *state;
        Add add = {}, other = {};
        DB_LOG_STAT before, after;
        unsigned n_flushed;

        wait_until_done(fixture);
        before = log_stat(fixture);
        n_flushed = prepared.n_flushed;
        prepared.is_durable = true;
        add_and_wait(fixture, &add, 1);
        after = log_stat(fixture);
        assert_true(exists(fixture, 0));
        assert_true(prepared.had_room);
        assert_int_equal(prepared.n_flushed, n_flushed + 1);
        assert_int_equal(after.st_scount, before.st_scount);
        assert_int_equal(after.st_wcount, before.st_wcount);
        assert_int_equal(after.st_disk_offset, before.st_disk_offset);

        /* The next one takes it along. */
        prepared.is_durable = false;
        before = after;
        add_and_wait(fixture, &other, 1);
        after = log_stat(fixture);
        assert_true(after.st_scount > before.st_scount);
        assert_true(after.st_disk_offset >= before.st_cur_offset);
        assert_int_equal(fixture->environment->counters[0], 2);
}

TEST(a_batch_is_as_long_as_prepare_says) {
        Fixture *fixture = *state;
        Add adds[10] = {};
        atomic_uint done = 0;
        Gate gate;

        close_gate(fixture, &gate);
        prepared.max = 3;
        prepared.is_durable = true;
        submit_all(fixture, adds, ELEMENTSOF(adds), &done);
        (void) sem_post(&gate.open);
        wait_until_done(fixture);

        assert_int_equal(done, ELEMENTSOF(adds));
        assert_int_equal(prepared.n_batches, 4);
        for (size_t i = 0; i < ELEMENTSOF(adds); i++)
                assert_int_equal(adds[i].applied, 1);
}

TEST(a_crash_is_noticed_at_the_next_start) {
        Fixture *fixture = *state;

        assert_false(environment_was_recovered(fixture->environment));
        environment_free(fixture->environment);
        open_environment(fixture, 0);
        assert_false(environment_was_recovered(fixture->environment));

        environment_free(fixture->environment);
        assert_int_equal(truncate(scratch_path(fixture->directory, "lock"), 1), 0);
        open_environment(fixture, 0);
        assert_true(environment_was_recovered(fixture->environment));
}

TEST(a_committer_that_does_not_get_on_is_stuck) {
        Fixture *fixture = *state;
        Gate gate;

        wait_until_done(fixture);
        close_gate(fixture, &gate);
        while (!environment_is_stuck(fixture->environment, 1000))
                (void) sched_yield();
        assert_false(environment_is_stuck(fixture->environment, USEC_PER_HOUR));
        (void) sem_post(&gate.open);

        wait_until_done(fixture);
        while (environment_is_stuck(fixture->environment, 0))
                (void) sched_yield();
}

static int apply_blob(Operation *operation, Transaction *transaction) {
        static const uint8_t blob[60000];

        return transaction_set_state(transaction, "blob", blob, sizeof(blob));
}

TEST(the_log_has_a_limit) {
        Fixture *fixture = *state;
        Operation write = { .apply = apply_blob };
        uint64_t log_size = 0;
        struct dirent *entry;
        DIR *dir;

        for (unsigned i = 0; i < 200; i++)
                assert_int_equal(environment_run(fixture->environment, &write), 0);

        dir = opendir(fixture->directory);
        assert_non_null(dir);
        while ((entry = readdir(dir))) {
                struct stat st;

                if (strncmp(entry->d_name, "log.", 4) != 0)
                        continue;
                assert_int_equal(fstatat(dirfd(dir), entry->d_name, &st, 0), 0);
                log_size += (uint64_t) st.st_size;
        }
        (void) closedir(dir);

        /* Of the 12 MB that were written. What came while the last checkpoint was made is still
         * needed, and the committer waits for the next one only after as much again. */
        assert_in_range(log_size, 1, 256 * KIB * (2 * CHECKPOINT_LATE + 2));
}

/* Many threads submit and read at the same time, through checkpoints and several logs. */

#define N_THREADS 4
#define N_ROUNDS  500

typedef struct Load {
        Fixture *fixture;
        uint64_t first;
} Load;

static void *load_main(void *userdata) {
        Load *load = userdata;
        Fixture *fixture = load->fixture;

        for (uint64_t i = 0; i < N_ROUNDS; i++) {
                atomic_uint done = 0;
                Add add = {
                        .operation = { .apply = apply_add, .done = on_added },
                        .database = fixture->database,
                        .key = load->first + i,
                        .done = &done,
                };

                environment_submit(fixture->environment, &add.operation);
                (void) exists(fixture, load->first + i / 2);
                while (atomic_load(&done) == 0)
                        (void) sched_yield();
                if (add.result < 0 || !exists(fixture, add.key))
                        return load;
        }

        return NULL;
}

TEST(threads_do_not_disturb_each_other) {
        Fixture *fixture = *state;
        pthread_t threads[N_THREADS];
        Load loads[N_THREADS];

        for (size_t i = 0; i < N_THREADS; i++) {
                loads[i] = (Load){ fixture, i * N_ROUNDS };
                assert_int_equal(pthread_create(&threads[i], NULL, load_main, &loads[i]), 0);
        }
        for (size_t i = 0; i < N_THREADS; i++) {
                void *failed;

                assert_int_equal(pthread_join(threads[i], &failed), 0);
                assert_null(failed);
        }

        assert_int_equal(fixture->environment->counters[0], N_THREADS * N_ROUNDS);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                RUN(what_waits_is_one_batch),
                RUN(an_operation_that_meets_a_failing_database_fails_alone),
                RUN(a_refusal_passes_through_with_its_changes),
                RUN(without_room_only_what_needs_none_goes_on),
                RUN(plenty_of_room_is_looked_at_once_a_second_and_little_with_each_batch),
                RUN(a_batch_that_is_durable_elsewhere_is_neither_written_nor_flushed),
                RUN(a_batch_is_as_long_as_prepare_says),
                RUN(a_crash_is_noticed_at_the_next_start),
                RUN(a_committer_that_does_not_get_on_is_stuck),
                RUN(the_log_has_a_limit),
                RUN(threads_do_not_disturb_each_other),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
