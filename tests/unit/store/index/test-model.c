/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Random requests to an index and to a model of it, which is a few arrays. After each of them the
 * answers are the same, and now and then all that can be read is compared. */

#include "store/index/garbage.h"
#include "store/index/index-fixture.h"
#include "store/index/move.h"

#define KEYS         6
#define VOLUMES      4 /* 1 to 4 */
#define VERSIONS_MAX 2000
#define ENTRIES_MAX  20000
#define AGAIN_DUE    (DUE + 1)

typedef struct Modelled {
        uint32_t volume;
        uint64_t due_usec, version;
} Modelled;

typedef struct Model {
        struct {
                uint64_t version; /* 0 for no such key */
                unsigned copies;  /* a bit for each volume */
        } keys[KEYS];
        Modelled garbage[ENTRIES_MAX];
        size_t n_garbage;
        bool is_surplus[VERSIONS_MAX][VOLUMES + 1];
        uint64_t last; /* version that was given out */
} Model;

static Model model;
static uint64_t random_state;

/* As in life: a version is given out for one key. Otherwise requests mix them up. */
static bool has_owners;

static uint64_t next(uint64_t limit) {
        random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        return (random_state >> 33) % limit;
}

static const char *key_name(unsigned i) {
        static const char *const names[KEYS] = { "a", "a/b", "a/c", "b", "\xc3\xa4", "z" };

        return names[i];
}

static uint64_t size_of(uint64_t version) {
        return 100 * version;
}

static bool is_deadly(uint32_t volume, uint64_t version) {
        return volume == INDEX_TOMBSTONES || version % 2 == 1;
}

static bool is_dead(uint64_t version) {
        for (size_t i = 0; i < model.n_garbage; i++)
                if (model.garbage[i].version == version &&
                    is_deadly(model.garbage[i].volume, version))
                        return true;
        return false;
}

static Modelled *find_garbage(uint32_t volume, uint64_t due_usec, uint64_t version) {
        for (size_t i = 0; i < model.n_garbage; i++)
                if (model.garbage[i].volume == volume && model.garbage[i].due_usec == due_usec &&
                    model.garbage[i].version == version)
                        return model.garbage + i;
        return NULL;
}

static void add_garbage(uint32_t volume, uint64_t due_usec, uint64_t version) {
        if (find_garbage(volume, due_usec, version))
                return;
        assert_true(model.n_garbage < ENTRIES_MAX);
        model.garbage[model.n_garbage++] = (Modelled){ volume, due_usec, version };
}

static void add_copies(unsigned copies, uint64_t version) {
        for (uint32_t volume = 1; volume <= VOLUMES; volume++)
                if (copies >> volume & 1)
                        add_garbage(volume, DUE, version);
}

static void add_surplus(uint32_t volume, uint64_t version) {
        if (model.is_surplus[version][volume])
                return;
        model.is_surplus[version][volume] = true;
        add_garbage(volume, DUE, version);
}

static unsigned some_copies(void) {
        return (unsigned) (1 + next((1 << VOLUMES) - 1)) << 1;
}

static void set_copies(Record *record, unsigned copies) {
        record->n_copies = 0;
        for (uint32_t volume = 1; volume <= VOLUMES; volume++)
                if (copies >> volume & 1 && record->n_copies < COPIES_MAX)
                        record->copies[record->n_copies++] = volume;
}

static unsigned copies_of(const Record *record) {
        unsigned copies = 0;

        for (size_t i = 0; i < record->n_copies; i++)
                copies |= 1U << record->copies[i];
        return copies;
}

/* A new version, one of the last few, or any. */
static uint64_t some_version(Index *index) {
        if (model.last == 0 || next(3) == 0) {
                model.last = index_next_version(index, next(2) ? VERSION_TICKET : VERSION_DIRECT);
                assert_in_range(model.last, 1, VERSIONS_MAX - 1);
                return model.last;
        }
        return next(2) ? model.last - next(MIN(model.last, UINT64_C(8))) : 1 + next(model.last);
}

static unsigned some_key(uint64_t version) {
        return (unsigned) (has_owners ? version * 7 % 13 % KEYS : next(KEYS));
}

static int model_commit(unsigned k, uint64_t version, unsigned copies) {
        if (model.keys[k].version == version) {
                for (uint32_t volume = 1; volume <= VOLUMES; volume++)
                        if ((copies & ~model.keys[k].copies) >> volume & 1)
                                add_surplus(volume, version);
                return 0;
        }
        if (is_dead(version)) {
                add_copies(copies, version);
                return -ESTALE;
        }
        if (model.keys[k].version != 0)
                add_copies(model.keys[k].copies, model.keys[k].version);
        model.keys[k].version = version;
        model.keys[k].copies = copies;
        return 0;
}

static void try_commit(Index *index) {
        uint64_t version = some_version(index);
        unsigned k = some_key(version);
        IndexCommit request = {
                .key = key_name(k),
                .record = make_record(version, 1),
                .garbage_due_usec = DUE,
        };

        set_copies(&request.record, some_copies());
        assert_int_equal(
                        run_commit(index, &request),
                        model_commit(k, version, copies_of(&request.record)));
}

static void try_delete(Index *index) {
        unsigned k = (unsigned) next(KEYS);
        bool exists = model.keys[k].version != 0;

        assert_int_equal(erase(index, key_name(k), &(Condition){}), exists ? 0 : -ENOENT);
        if (exists)
                add_copies(model.keys[k].copies, model.keys[k].version);
        model.keys[k].version = 0;
}

static bool model_settle(unsigned k, uint64_t version, uint32_t volume) {
        if (model.keys[k].version != version) {
                add_garbage(volume, DUE, version);
                add_garbage(INDEX_TOMBSTONES, TOMBSTONE_DUE, version);
                return false;
        }
        if (model.keys[k].copies >> volume & 1)
                return true;
        add_surplus(volume, version);
        return false;
}

static void try_settle(Index *index) {
        uint64_t version = some_version(index);
        unsigned k = some_key(version);
        IndexSettleItem item = { .version = version, .key = key_name(k) };
        IndexSettle settle = {
                .request.done = scratch_answered,
                .volume = (uint32_t) (1 + next(VOLUMES)),
                .items = &item,
                .n_items = 1,
                .garbage_due_usec = DUE,
                .tombstone_due_usec = TOMBSTONE_DUE,
        };

        index_settle(index, &settle);
        assert_int_equal(scratch_wait(), 0);
        assert_int_equal(item.current, model_settle(k, item.version, settle.volume));
}

static void model_collected(const Modelled *entry, bool is_gone) {
        Modelled *found = find_garbage(entry->volume, entry->due_usec, entry->version);

        *found = model.garbage[--model.n_garbage];
        if (!is_gone) {
                add_garbage(entry->volume, AGAIN_DUE, entry->version);
                return;
        }
        if (entry->volume == INDEX_TOMBSTONES)
                return;
        model.is_surplus[entry->version][entry->volume] = false;
        if (is_deadly(entry->volume, entry->version) && !is_dead(entry->version))
                add_garbage(INDEX_TOMBSTONES, TOMBSTONE_DUE, entry->version);
}

static void try_collected(Index *index) {
        Modelled entry;
        Garbage item;
        IndexCollected collected = {
                .request.done = scratch_answered,
                .items = &item,
                .n_items = 1,
                .n_gone = next(4) > 0,
                .again_due_usec = AGAIN_DUE,
                .tombstone_due_usec = TOMBSTONE_DUE,
        };

        if (model.n_garbage == 0)
                return;
        entry = model.garbage[next(model.n_garbage)];
        item = (Garbage){ entry.due_usec, entry.version };
        collected.volume = entry.volume;

        index_collected(index, &collected);
        assert_int_equal(scratch_wait(), 0);
        model_collected(&entry, collected.n_gone > 0);
}

static int model_move(unsigned k, uint64_t version, uint32_t add, uint32_t drop) {
        unsigned copies = model.keys[k].copies;

        if (model.keys[k].version != version) {
                if (add != 0)
                        add_garbage(add, DUE, version);
                return -ESTALE;
        }
        if (add != 0 && model.is_surplus[version][add])
                return -EBUSY;
        if (drop != 0 && (drop == add || !(copies >> drop & 1)))
                return -EINVAL;
        if (drop != 0)
                copies &= ~(1U << drop);
        if (add != 0)
                copies |= 1U << add;
        if (copies == 0)
                return -EINVAL;

        if (drop != 0)
                add_surplus(drop, version);
        model.keys[k].copies = copies;
        return 0;
}

static void try_move(Index *index) {
        uint64_t version = next(4) ? model.keys[next(KEYS)].version : 0;
        unsigned k = some_key(version = version ?: some_version(index));
        uint32_t drop = (uint32_t) next(VOLUMES + 1);
        IndexMove move = {
                .request.done = scratch_answered,
                .key = key_name(k),
                .version = version,
                .add = (uint32_t) next(VOLUMES + 1),
                .drop = &drop,
                .n_drop = drop != 0,
                .garbage_due_usec = DUE,
        };

        index_move(index, &move);
        assert_int_equal(scratch_wait(), model_move(k, move.version, move.add, drop));
}

static void compare_keys(Fixture *fixture) {
        uint64_t n = 0, bytes = 0, garbage = 0;

        for (unsigned k = 0; k < KEYS; k++) {
                Record record;
                int r;

                r = index_get(fixture->index, key_name(k), &fixture->scratch, &record);
                assert_int_equal(r, model.keys[k].version ? 0 : -ENOENT);
                if (r < 0)
                        continue;
                assert_int_equal(record.version, model.keys[k].version);
                assert_int_equal(copies_of(&record), model.keys[k].copies);
                n++;
                bytes += size_of(record.version);
        }
        for (size_t i = 0; i < model.n_garbage; i++)
                garbage += model.garbage[i].volume != INDEX_TOMBSTONES;
        assert_counters(fixture->index, n, bytes, garbage);
}

static void compare_garbage(Index *index) {
        static Garbage items[ENTRIES_MAX];
        size_t total = 0;

        for (uint32_t volume = 0; volume <= VOLUMES; volume++) {
                int n = index_garbage(index, volume, UINT64_MAX, items, ENTRIES_MAX);

                assert_ok(n);
                total += (size_t) n;
                for (int i = 0; i < n; i++)
                        assert_non_null(find_garbage(volume, items[i].due_usec, items[i].version));
        }
        assert_int_equal(total, model.n_garbage);

        for (uint64_t version = 1; version <= model.last; version++)
                for (uint32_t volume = 1; volume <= VOLUMES; volume++)
                        assert_int_equal(
                                        index_is_surplus(index, version, volume),
                                        model.is_surplus[version][volume]);
}

/* The rule that all of this is for: no copy that a record names may be deleted by the collector. */
static void assert_no_current_copy_is_garbage(void) {
        for (size_t i = 0; i < model.n_garbage; i++)
                for (unsigned k = 0; k < KEYS; k++)
                        if (model.keys[k].version == model.garbage[i].version &&
                            model.garbage[i].version % 2 == 1)
                                assert_false(model.keys[k].copies >> model.garbage[i].volume & 1);
}

static void run(Fixture *fixture, uint64_t seed, unsigned steps) {
        static void (*const tries[])(Index *) = {
                try_commit,    try_commit,    try_delete, try_settle,
                try_collected, try_collected, try_move,   try_move,
        };

        random_state = seed;
        has_owners = false;
        memset(&model, 0, sizeof(model));
        for (unsigned i = 1; i <= steps; i++) {
                tries[next(ELEMENTSOF(tries))](fixture->index);
                if (i % 20 == 0)
                        compare_keys(fixture);
                if (i % 100 == 0)
                        compare_garbage(fixture->index);
                if (i % 250 == 0)
                        reopen(fixture);
        }
}

TEST(the_index_does_what_its_model_does) {
        run(*state, 1, 1500);
}

TEST(the_index_does_what_its_model_does_with_another_seed) {
        run(*state, 20261130, 1500);
}

/* With tickets only, so that every version is remembered while it has garbage, the collector can
 * never be sent for a copy that is current. */
TEST(what_is_garbage_is_never_current) {
        Fixture *fixture = *state;

        random_state = 99;
        has_owners = true;
        memset(&model, 0, sizeof(model));
        for (unsigned i = 1; i <= 1000; i++) {
                static void (*const tries[])(Index *) = {
                        try_commit, try_delete, try_settle, try_collected, try_move,
                };

                tries[next(ELEMENTSOF(tries))](fixture->index);
                assert_no_current_copy_is_garbage();
        }
        compare_keys(fixture);
        compare_garbage(fixture->index);
}

#define RUN(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                RUN(the_index_does_what_its_model_does),
                RUN(the_index_does_what_its_model_does_with_another_seed),
                RUN(what_is_garbage_is_never_current),
        };

        if (access("/dev/shm", W_OK) >= 0)
                (void) setenv("TMPDIR", "/dev/shm", 0);

        return cmocka_run_group_tests(tests, NULL, NULL);
}
