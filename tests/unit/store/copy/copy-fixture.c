/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "store/copy/copy-fixture.h"

#define CHANGES   4
#define KEYS      4000
#define VALUE_MAX 2600

static const uint8_t cluster[CLUSTER_ID_SIZE] = { 1, 2, 3 };

static uint64_t mix(uint64_t x) {
        x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
        return x ^ (x >> 31);
}

/* The change of this number: what it does to which key. */
typedef struct Change {
        uint32_t key;
        bool deletes;
        size_t size;
} Change;

static Change change_of(uint64_t number) {
        uint64_t x = mix(number);

        return (Change){
                .key = (uint32_t) (x % KEYS),
                .deletes = (x >> 32) % 4 == 0,
                .size = 20 + (x >> 40) % (VALUE_MAX - 20),
        };
}

static void fill_value(uint64_t number, uint8_t ret[static VALUE_MAX]) {
        memset(ret, (int) mix(number), VALUE_MAX);
        memcpy(ret, &number, sizeof(number));
}

/* Nothing is flushed for fifteen of sixteen transactions, as for those of a group. */
static void on_prepare(Batch *batch, void *userdata) {
        static unsigned n;

        batch->is_durable = ++n % 16 != 0;
}

EnvironmentOptions options_of(const char *directory) {
        return (EnvironmentOptions){
                .directory = directory,
                .log_size = 256 * KIB,
                .checkpoint_size = 256 * KIB,
        };
}

Store open_store(const char *directory) {
        const EnvironmentHooks hooks = { .format = FORMAT, .prepare = on_prepare };
        EnvironmentOptions options = options_of(directory);
        Store store;

        CHECK(environment_open(&options, &hooks, &store.environment) == 0);
        CHECK(environment_open_database(store.environment, "test.db", &store.database) == 0);
        CHECK(environment_seal(store.environment) == 0);
        return store;
}

void close_store(Store *store) {
        store->environment = environment_free(store->environment);
}

uint64_t counter_of(const Store *store) {
        _cleanup_(buffer_done) Buffer buffer = {};
        uint64_t counter = 0;
        int r;

        r = environment_get_state(store->environment, "counter", &buffer);
        CHECK(r == 0 || r == -ENOENT);
        if (r == 0)
                memcpy(&counter, buffer.data, sizeof(counter));
        return counter;
}

typedef struct Step {
        Operation operation;
        DB *database;
        uint64_t counter; /* before it */
} Step;

static int apply_step(Operation *operation, Transaction *transaction) {
        Step *step = CONTAINER_OF(operation, Step, operation);
        uint64_t counter = step->counter + 1;

        for (uint64_t i = 0; i < CHANGES; i++) {
                uint64_t number = step->counter * CHANGES + i + 1;
                Change change = change_of(number);
                uint8_t value[VALUE_MAX];

                fill_value(number, value);
                if (change.deletes)
                        (void) transaction_delete(
                                        transaction, step->database, &change.key,
                                        sizeof(change.key));
                else
                        (void) transaction_put(
                                        transaction, step->database, &change.key,
                                        sizeof(change.key), value, change.size);
        }
        return transaction_set_state(transaction, "counter", &counter, sizeof(counter));
}

void run_steps(const Store *store, unsigned n) {
        Step step = { .database = store->database, .counter = counter_of(store) };

        for (unsigned i = 0; i < n; i++, step.counter++) {
                step.operation = (Operation){ .apply = apply_step };
                CHECK(environment_run(store->environment, &step.operation) == 0);
        }
}

uint64_t check_store(const Store *store) {
        uint64_t counter = counter_of(store), *last = calloc(KEYS, sizeof(*last)), n = 0;
        _cleanup_(buffer_done) Buffer buffer = {};
        Cursor cursor;

        CHECK(environment_damaged_pages(store->environment) == 0);
        for (uint64_t number = 1; number <= counter * CHANGES; number++)
                last[change_of(number).key] = change_of(number).deletes ? 0 : number;

        environment_read_lock(store->environment);
        for (uint32_t key = 0; key < KEYS; key++) {
                uint8_t value[VALUE_MAX];
                int r;

                r = database_get(store->environment, store->database, &key, sizeof(key), &buffer);
                CHECK(r == (last[key] ? 0 : -ENOENT));
                if (!last[key])
                        continue;
                fill_value(last[key], value);
                CHECK(buffer.size == change_of(last[key]).size);
                CHECK(memcmp(buffer.data, value, buffer.size) == 0);
                n++;
        }

        CHECK(cursor_open(store->environment, store->database, &cursor) == 0);
        cursor_skip_values(&cursor);
        while (cursor_next(&cursor) == 0)
                n--;
        cursor_close(&cursor);
        environment_read_unlock(store->environment);
        CHECK(n == 0);

        free(last);
        return counter;
}

uint64_t check_directory(const char *directory) {
        Store store = open_store(directory);
        uint64_t counter = check_store(&store);

        run_steps(&store, 10);
        CHECK(check_store(&store) == counter + 10);
        close_store(&store);
        return counter;
}

static void *writer_main(void *userdata) {
        Writer *writer = userdata;

        atomic_store(&writer->counter, counter_of(&writer->store));
        while (!atomic_load(&writer->stop)) {
                run_steps(&writer->store, 1);
                (void) atomic_fetch_add(&writer->counter, 1);
        }
        return NULL;
}

void writer_start(Writer *writer, const Store *store) {
        writer->store = *store;
        atomic_store(&writer->stop, false);
        CHECK(pthread_create(&writer->thread, NULL, writer_main, writer) == 0);
}

void writer_stop(Writer *writer) {
        atomic_store(&writer->stop, true);
        CHECK(pthread_join(writer->thread, NULL) == 0);
}

void writer_wait(const Writer *writer, uint64_t n) {
        uint64_t end = atomic_load(&writer->counter) + n,
                 due = clock_monotonic() + 5 * USEC_PER_MIN;

        while (atomic_load(&writer->counter) < end) {
                CHECK(clock_monotonic() < due);
                (void) usleep(100);
        }
}

CopySource *begin_copy(const Store *store) {
        CopySourceOptions options = { .log_max = NO_LIMIT, .idle_usec = FOREVER };
        CopySource *source;

        memcpy(options.cluster, cluster, sizeof(cluster));
        CHECK(copy_source_new(store->environment, &options, &source) == 0);
        return source;
}

int new_target(const char *directory, CopyTarget **ret) {
        CopyTargetOptions options = {
                .environment = options_of(directory),
                .format = FORMAT,
        };

        memcpy(options.cluster, cluster, sizeof(cluster));
        return copy_target_new(&options, ret);
}

CopyTarget *begin_target(const char *directory) {
        CopyTarget *target;

        CHECK(new_target(directory, &target) == 0);
        return target;
}

void connect_copy(CopySource *source, CopyTarget *target) {
        _cleanup_(buffer_done) Buffer buffer = {};

        copy_target_connect(target);
        CHECK(copy_source_connect(source, copy_target_position(target), &buffer) == 0);
        CHECK(copy_target_feed(target, buffer.data, buffer.size) == 0);
}

bool pass_piece(CopySource *source, CopyTarget *target) {
        _cleanup_(buffer_done) Buffer buffer = {};
        int r;

        r = copy_source_next(source, &buffer);
        CHECK(r >= 0);
        CHECK(copy_target_feed(target, buffer.data, buffer.size) == 0);
        return r > 0;
}

void install(CopyTarget *target) {
        CHECK(copy_target_is_complete(target));
        CHECK(copy_target_recover(target) == 0);
        CHECK(copy_target_install(target) == 0);
}
