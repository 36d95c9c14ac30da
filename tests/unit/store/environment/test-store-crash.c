/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Each write, flush, link, rename and so on of index and object store fails once, finds the disk
 * full once and is once the last thing that the process does. What was acknowledged has to be there
 * afterwards, nothing may be torn. */

#include "test.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fault.h"
#include "scratch.h"
#include "store/index/garbage.h"
#include "store/index/move.h"
#include "store/object/objects.h"
#include "store/object/writer.h"

/* In what is acknowledged: this step was reported as failed, and the scene ended. */
#define FAILED 0xff

/* In a child there is no cmocka that would catch a failed assertion. */
#define CHECK(condition) \
        do \
                if (!(condition)) { \
                        (void) fprintf(stderr, "line %i: %s\n", __LINE__, #condition); \
                        abort(); \
                } \
        while (false)

/* Acknowledges a step, or its failure. Returns whether the scene goes on. */
static bool acknowledge(size_t step, int result) {
        fault_acknowledge(result < 0 ? FAILED : (uint8_t) step);
        return result >= 0;
}

/* Small, so that there are checkpoints and several logs. */
static EnvironmentOptions make_options(const char *directory) {
        return (EnvironmentOptions){
                .directory = directory,
                .log_size = 64 * KIB,
                .checkpoint_size = 64 * KIB,
        };
}

/* What a scene goes on with. A disk that fails or is full is never taken for damage: who reads of
 * that looks for a backup. */
static bool has_opened(int result) {
        if (result == -EBADMSG) {
                (void) fprintf(stderr, "It is said to be damaged.\n");
                _exit(EXIT_FAILURE);
        }
        return result >= 0;
}

/* The index */

static Record make_record(uint64_t version, uint32_t volume) {
        return (Record){
                .version = version,
                .size = 10 * version,
                .checksum.bytes = { (uint8_t) version },
                .content_type = "text/plain",
                .metadata = "",
                .n_copies = 1,
                .copies = { volume },
        };
}

static int commit(Index *index, const char *key, uint64_t version, uint32_t volume) {
        IndexCommit request = {
                .request.done = scratch_answered,
                .key = key,
                .record = make_record(version, volume),
                .garbage_due_usec = version,
        };

        index_commit(index, &request);
        return scratch_wait();
}

static int erase(Index *index, const char *key) {
        IndexDelete request = { .request.done = scratch_answered, .key = key };

        index_delete(index, &request);
        return scratch_wait();
}

static int settle(Index *index, const char *key, uint64_t version, uint32_t volume) {
        IndexSettleItem item = { .version = version, .key = key };
        IndexSettle request = {
                .request.done = scratch_answered,
                .volume = volume,
                .items = &item,
                .n_items = 1,
        };

        index_settle(index, &request);
        return scratch_wait();
}

static int collect(Index *index, uint64_t due_usec, uint64_t version, uint32_t volume) {
        const Garbage item = { .due_usec = due_usec, .version = version };
        IndexCollected request = {
                .request.done = scratch_answered,
                .volume = volume,
                .items = &item,
                .n_gone = 1,
                .n_items = 1,
        };

        index_collected(index, &request);
        return scratch_wait();
}

static int move(Index *index, const char *key, uint64_t version, uint32_t add, uint32_t drop) {
        IndexMove request = {
                .request.done = scratch_answered,
                .key = key,
                .version = version,
                .add = add,
                .drop = &drop,
                .n_drop = 1,
                .garbage_due_usec = version,
        };

        index_move(index, &request);
        return scratch_wait();
}

#define TICKETED ((uint64_t) 7)

typedef struct IndexStep {
        int (*run)(Index *index);

        /* What the index holds when this step is done: versions of the keys, and how much garbage.
         */
        uint64_t a, b;
        uint64_t garbage;
        uint32_t a_copy, a_surplus; /* volumes with a copy of a's version; 0 for none */
} IndexStep;

static int create_a(Index *index) {
        return commit(index, "a", 1, 1);
}

static int create_b(Index *index) {
        return commit(index, "b", TICKETED, 1);
}

static int overwrite_a(Index *index) {
        return commit(index, "a", 3, 2);
}

static int delete_b(Index *index) {
        return erase(index, "b");
}

static int give_up_c(Index *index) {
        return settle(index, "c", 4, 3);
}

static int collect_a(Index *index) {
        return collect(index, 3, 1, 1);
}

static int move_a(Index *index) {
        return move(index, "a", 3, 3, 2);
}

/* Refused: its old copy is still about to be deleted. The one of an old version is garbage, too. */
static int move_a_wrongly(Index *index) {
        int r;

        r = move(index, "a", 3, 2, 3);
        if (r != -EBUSY)
                return r < 0 ? r : -EIO;
        r = move(index, "a", 2, 1, 2);
        if (r != -ESTALE)
                return r < 0 ? r : -EIO;
        return 0;
}

static int collect_surplus(Index *index) {
        return collect(index, 3, 3, 2);
}

static int move_a_back(Index *index) {
        return move(index, "a", 3, 2, 3);
}

/* Fills more than one log. */
static int set_state(Index *index) {
        static const uint8_t data[30000] = { 1 };
        IndexSet set = {
                .request.done = scratch_answered,
                .name = "map",
                .data = data,
                .size = sizeof(data),
        };
        int r = 0;

        for (unsigned i = 0; i < 5 && r >= 0; i++) {
                index_set(index, &set);
                r = scratch_wait();
        }

        return r;
}

static int create_b_again(Index *index) {
        return commit(index, "b", 10, 1);
}

/* clang-format off */
static const IndexStep index_steps[] = {
        { NULL                                     },
        { create_a,       1, 0, 0,        1, 0     },
        { create_b,       1, TICKETED, 0, 1, 0     },
        { overwrite_a,    3, TICKETED, 1, 2, 0     },
        { delete_b,       3, 0, 2,        2, 0     },
        { give_up_c,      3, 0, 3,        2, 0     },
        { collect_a,      3, 0, 2,        2, 0     },
        { move_a,         3, 0, 3,        3, 2     },
        { set_state,      3, 0, 3,        3, 2     },
        { move_a_wrongly, 3, 0, 4,        3, 2     },
        { collect_surplus,  3, 0, 3,        3, 0     },
        { move_a_back,    3, 0, 4,        2, 3     },
        { create_b_again, 3, 10, 4,       2, 3     },
};
/* clang-format on */

#define DELETE_STEP  4
#define GIVE_UP_STEP 5

/* After this step the index is closed and opened. */
#define REOPEN_STEP 4

static int open_index(const char *directory, Index **ret) {
        EnvironmentOptions options = make_options(directory);

        return scratch_open_index(&options, ret);
}

static void index_scene(const char *directory) {
        _cleanup_(index_freep) Index *index = NULL;

        if (!has_opened(open_index(directory, &index)))
                return;

        for (size_t step = 1; step < ELEMENTSOF(index_steps); step++) {
                if (!acknowledge(step, index_steps[step].run(index)))
                        return;

                if (step == REOPEN_STEP) {
                        index = index_free(index);
                        if (!has_opened(open_index(directory, &index)))
                                return;
                }
        }
}

static uint64_t version_of(Index *index, const char *key) {
        _cleanup_(buffer_done) Buffer scratch = {};
        Record record;
        int r;

        r = index_get(index, key, &scratch, &record);
        CHECK(r == 0 || r == -ENOENT);
        CHECK(r < 0 || record.checksum.bytes[0] == record.version);
        CHECK(r < 0 || strcmp(record.content_type, "text/plain") == 0);
        return r < 0 ? 0 : record.version;
}

static int count_key(const char *key, const Record *record, void *userdata) {
        IndexCounters *counters = userdata;

        counters->keys++;
        counters->bytes += record->size;
        return 0;
}

/* Counts everything, and compares with the counters. */
static uint64_t recount(Index *index) {
        IndexCounters counted = {}, counters;
        Garbage garbage[16];

        CHECK(index_scan(index, "", "", SIZE_MAX, count_key, &counted) == 0);
        for (uint32_t volume = 1; volume <= 3; volume++) {
                int n = index_garbage(index, volume, UINT64_MAX, garbage, ELEMENTSOF(garbage));

                CHECK(n >= 0);
                counted.garbage += (uint64_t) n;
        }

        index_counters(index, &counters);
        CHECK(memcmp(&counted, &counters, sizeof(counters)) == 0);
        return counted.garbage;
}

/* Whether the record of a names this copy and no other, and this one is to be deleted. */
static bool has_copies(Index *index, const IndexStep *step) {
        _cleanup_(buffer_done) Buffer scratch = {};
        Record record;

        if (step->a == 0)
                return true;

        CHECK(index_get(index, "a", &scratch, &record) == 0);
        CHECK(record.n_copies == 1);
        CHECK(!index_is_surplus(index, record.version, record.copies[0]));
        for (uint32_t volume = 1; volume <= 3; volume++)
                if (index_is_surplus(index, step->a, volume) != (volume == step->a_surplus))
                        return false;
        return record.copies[0] == step->a_copy;
}

static bool index_is_at(Index *index, size_t step) {
        return step < ELEMENTSOF(index_steps) && version_of(index, "a") == index_steps[step].a &&
               version_of(index, "b") == index_steps[step].b &&
               recount(index) == index_steps[step].garbage && has_copies(index, &index_steps[step]);
}

static void index_check(const char *directory, const uint8_t *acknowledged, size_t n_acknowledged) {
        _cleanup_(index_freep) Index *index = NULL;
        bool has_failed = n_acknowledged > 0 && acknowledged[n_acknowledged - 1] == FAILED;
        size_t step = n_acknowledged - has_failed;

        CHECK(open_index(directory, &index) == 0);

        /* What was neither acknowledged nor reported as failed may have happened. */
        CHECK(index_is_at(index, step) || (!has_failed && index_is_at(index, step + 1)));
        if (step >= DELETE_STEP && version_of(index, "b") == 0)
                CHECK(commit(index, "b", TICKETED, 1) == -ESTALE);
        if (step >= GIVE_UP_STEP)
                CHECK(commit(index, "c", 4, 3) == -ESTALE);
        CHECK(commit(index, "d", 1000, 1) == 0);
        CHECK(index_next_version(index, VERSION_DIRECT) > 0);
}

/* The object store */

#define INLINE_SIZE 1000
#define FILE_SIZE   ((size_t) 70000) /* more than a block */

static int open_store(const char *directory, ObjectStore **ret) {
        ObjectStoreOptions options = { .environment = make_options(directory), .inline_max = 4096 };

        return object_store_open(&options, ret);
}

static void on_finished(ObjectWriter *writer, int result, void *userdata) {
        scratch_done(NULL, result);
}

typedef enum PutMode { PUT_NEW, PUT_REPLACE } PutMode;

static int put(ObjectStore *store, uint64_t version, size_t size, PutMode mode) {
        _cleanup_(object_writer_freep) ObjectWriter *writer = NULL;
        const Record record = { .version = version, .content_type = "", .metadata = "" };
        uint8_t piece[10000];
        int r;

        r = object_writer_new(store, "k", &record, version % 2 == 0 ? size : UINT64_MAX, &writer);
        if (r >= 0 && mode == PUT_REPLACE)
                object_writer_replace(writer);
        for (size_t left = size, n; left > 0 && r >= 0; left -= n) {
                n = MIN(left, sizeof(piece));
                memset(piece, (int) (version + left / sizeof(piece)), n);
                r = object_writer_append(writer, piece, n);
        }
        if (r < 0)
                return r;

        object_writer_finish(writer, on_finished, NULL);
        return scratch_wait();
}

static int delete (ObjectStore *store, uint64_t version) {
        ObjectDelete request = {
                .operation.done = scratch_done,
                .version = version,
        };

        object_store_delete(store, &request);
        return scratch_wait();
}

typedef struct StoreStep {
        uint64_t version;
        size_t size; /* 0 deletes */
        PutMode mode;
} StoreStep;

static const StoreStep store_steps[] = {
        {},
        { 1, INLINE_SIZE },
        { 2, FILE_SIZE },
        { 3, FILE_SIZE },
        { 2, 0 },
        { 1, 0 },
        { 4, INLINE_SIZE },
        { 2, 2 * FILE_SIZE },
        { 3, FILE_SIZE, PUT_REPLACE },
        { 4, INLINE_SIZE, PUT_REPLACE },
};

static void store_scene(const char *directory) {
        _cleanup_(object_store_freep) ObjectStore *store = NULL;

        if (!has_opened(open_store(directory, &store)))
                return;

        for (size_t step = 1; step < ELEMENTSOF(store_steps); step++) {
                const StoreStep *s = &store_steps[step];

                if (!acknowledge(step, s->size > 0 ? put(store, s->version, s->size, s->mode)
                                                   : delete (store, s->version)))
                        return;

                if (step == REOPEN_STEP) {
                        store = object_store_free(store);
                        if (!has_opened(open_store(directory, &store)))
                                return;
                }
        }
}

/* The size of the object, 0 if there is none. */
static size_t size_of(ObjectStore *store, uint64_t version) {
        _cleanup_(buffer_done) Buffer scratch = {};
        _cleanup_close_ int fd = -1;
        Object object;
        int r;

        r = object_store_get(store, version, &scratch, &object, &fd);
        CHECK(r == 0 || r == -ENOENT);
        if (r < 0)
                return 0;

        CHECK(object_store_verify(store, version) == 0);
        return object.record.size;
}

static bool store_is_at(ObjectStore *store, size_t step) {
        size_t sizes[5] = {};

        if (step >= ELEMENTSOF(store_steps))
                return false;

        for (size_t i = 1; i <= step; i++)
                sizes[store_steps[i].version] = store_steps[i].size;
        for (uint64_t version = 1; version < ELEMENTSOF(sizes); version++)
                if (size_of(store, version) != sizes[version])
                        return false;
        return true;
}

typedef struct Counted {
        uint64_t objects, bytes, files;
} Counted;

static int count_object(const Object *object, void *userdata) {
        Counted *counted = userdata;

        counted->objects++;
        counted->bytes += object->record.size;
        counted->files += !object->is_inline;
        return 0;
}

static uint64_t count_files(const char *directory) {
        uint64_t n = 0;

        for (unsigned i = 0; i < 256; i++) {
                char name[32];
                struct dirent *entry;
                DIR *dir;

                (void) snprintf(name, sizeof(name), "objects/%02x", i);
                dir = opendir(scratch_path(directory, name));
                CHECK(dir);
                while ((entry = readdir(dir)))
                        n += entry->d_name[0] != '.';
                (void) closedir(dir);
        }

        return n;
}

static void store_check(const char *directory, const uint8_t *acknowledged, size_t n_acknowledged) {
        _cleanup_(object_store_freep) ObjectStore *store = NULL;
        bool has_failed = n_acknowledged > 0 && acknowledged[n_acknowledged - 1] == FAILED;
        size_t step = n_acknowledged - has_failed;
        ObjectStoreCounters counters;
        Counted counted = {};

        CHECK(open_store(directory, &store) == 0);
        CHECK(store_is_at(store, step) || (!has_failed && store_is_at(store, step + 1)));

        CHECK(object_store_scan(store, 0, SIZE_MAX, count_object, &counted) == 0);
        CHECK(object_store_counters(store, &counters) == 0);
        CHECK(counters.objects == counted.objects);
        CHECK(counters.bytes == counted.bytes);
        CHECK(count_files(directory) == counted.files);
        CHECK(put(store, 1000, FILE_SIZE, PUT_NEW) == 0);
}

static void sweep(const FaultSweep *fault, FaultMode mode) {
        unsigned n;

        n = fault_sweep(fault, mode);
        print_message("%u calls\n", n);
        assert_in_range(n, 100, 2000);
}

static const FaultSweep index_sweep = { index_scene, index_check };
static const FaultSweep store_sweep = { store_scene, store_check };

TEST(the_index_survives_errors) {
        sweep(&index_sweep, FAULT_ERROR);
}

TEST(the_index_survives_a_full_disk) {
        sweep(&index_sweep, FAULT_FULL);
}

TEST(the_index_survives_the_death_of_its_process) {
        sweep(&index_sweep, FAULT_DIE);
}

TEST(the_object_store_survives_errors) {
        sweep(&store_sweep, FAULT_ERROR);
}

TEST(the_object_store_survives_a_full_disk) {
        sweep(&store_sweep, FAULT_FULL);
}

TEST(the_object_store_survives_the_death_of_its_process) {
        sweep(&store_sweep, FAULT_DIE);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_index_survives_errors),
                cmocka_unit_test(the_index_survives_a_full_disk),
                cmocka_unit_test(the_index_survives_the_death_of_its_process),
                cmocka_unit_test(the_object_store_survives_errors),
                cmocka_unit_test(the_object_store_survives_a_full_disk),
                cmocka_unit_test(the_object_store_survives_the_death_of_its_process),
        };

        /* Flushes cost nothing there, and what they flush is kept all the same when a process dies.
         */
        if (access("/dev/shm", W_OK) >= 0)
                (void) setenv("TMPDIR", "/dev/shm", 0);

        return cmocka_run_group_tests(tests, NULL, NULL);
}
