/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <string.h>

#include "base/buffer.h"
#include "store/format/log-pages.h"

/* Records as Berkeley DB writes them, in the byte order of this machine. */

static void put(Buffer *record, uint32_t value) {
        buffer_put(record, &value, sizeof(value));
}

static void put_sized(Buffer *record, const void *data, uint32_t size) {
        put(record, size);
        buffer_put(record, data, size);
}

static void put_prefix(Buffer *record, uint32_t type) {
        const uint32_t rest[] = { 0x80000001, 1, 28 };

        buffer_clear(record);
        put(record, type);
        buffer_put(record, rest, sizeof(rest));
}

/* The file of this name has this number from now on. */
static void make_register(const char *name, uint32_t number, Buffer *ret) {
        static const uint8_t uid[20] = { 1, 2, 3 };

        put_prefix(ret, 2);
        put(ret, 2); /* the opcode */
        put_sized(ret, name, (uint32_t) strlen(name) + 1);
        put_sized(ret, uid, sizeof(uid));
        put(ret, number);
}

static void make_allocate(uint32_t file, uint32_t page, Buffer *ret) {
        const uint32_t lsn[] = { 1, 28 };

        put_prefix(ret, 49);
        put(ret, file);
        buffer_put(ret, lsn, sizeof(lsn)); /* of the meta page, and its number */
        put(ret, 0);
        buffer_put(ret, lsn, sizeof(lsn));
        put(ret, page);
        put(ret, 5);
}

typedef struct World {
        LogPages *pages;
        Buffer record;
        uint32_t offset; /* of the next record */
} World;

static int setup(void **state) {
        World *world = calloc(1, sizeof(*world));

        assert_int_equal(log_pages_new(&world->pages), 0);
        *state = world;
        return 0;
}

static int teardown(void **state) {
        World *world = *state;

        (void) log_pages_free(world->pages);
        buffer_done(&world->record);
        free(world);
        return 0;
}

static void note(World *world) {
        world->offset += 100;
        log_pages_note((LogPosition){ 1, world->offset }, world->record.data, world->record.size,
                       world->pages);
}

static void name_file(World *world, const char *name, uint32_t number) {
        make_register(name, number, &world->record);
        note(world);
}

static void allocate(World *world, uint32_t file, uint32_t page) {
        make_allocate(file, page, &world->record);
        note(world);
}

static void complete(World *world, uint32_t offset) {
        assert_int_equal(log_pages_complete(world->pages, (LogPosition){ 1, offset }), 0);
}

TEST(an_allocated_page_is_known_by_the_name_of_its_file) {
        World *world = *state;

        name_file(world, "index.db", 0);
        name_file(world, "garbage.db", 1);
        allocate(world, 0, 7);
        allocate(world, 1, 8);
        complete(world, 0);

        assert_true(log_pages_has("index.db", 7, world->pages));
        assert_true(log_pages_has("garbage.db", 8, world->pages));
        assert_false(log_pages_has("index.db", 8, world->pages));
        assert_false(log_pages_has("garbage.db", 7, world->pages));
        assert_false(log_pages_has("index", 7, world->pages));
        assert_false(log_pages_has("", 7, world->pages));
}

TEST(a_log_without_allocations_knows_no_page) {
        World *world = *state;

        name_file(world, "index.db", 0);
        complete(world, 0);
        assert_false(log_pages_has("index.db", 0, world->pages));
}

/* A checkpoint names the open files at its end, and the recovery begins where it began. */
TEST(what_is_allocated_before_its_file_is_named_gets_the_first_name) {
        World *world = *state;

        allocate(world, 3, 7);
        name_file(world, "index.db", 3);
        name_file(world, "strays.db", 3);
        allocate(world, 3, 9);
        complete(world, 0);

        assert_true(log_pages_has("index.db", 7, world->pages));
        assert_false(log_pages_has("strays.db", 7, world->pages));
        assert_true(log_pages_has("strays.db", 9, world->pages));
}

TEST(what_was_allocated_before_the_recovery_begins_is_forgotten) {
        World *world = *state;

        name_file(world, "index.db", 0);
        allocate(world, 0, 7); /* at offset 200 */
        allocate(world, 0, 8); /* at offset 300 */
        complete(world, 300);

        assert_false(log_pages_has("index.db", 7, world->pages));
        assert_true(log_pages_has("index.db", 8, world->pages));
}

TEST(a_page_may_be_allocated_more_than_once) {
        World *world = *state;

        name_file(world, "index.db", 0);
        for (unsigned i = 0; i < 3; i++)
                allocate(world, 0, 7);
        complete(world, world->offset);
        assert_true(log_pages_has("index.db", 7, world->pages));
}

TEST(other_records_say_nothing) {
        World *world = *state;

        name_file(world, "index.db", 0);
        for (uint32_t type = 0; type < 100; type++)
                if (type != 49 && type != 2) {
                        make_allocate(0, 7, &world->record);
                        memcpy(world->record.data, &type, sizeof(type));
                        note(world);
                }
        complete(world, 0);
        assert_false(log_pages_has("index.db", 7, world->pages));
}

/* Numbers of files are small; one that is not is of no file that we have. */
TEST(a_file_number_that_is_too_high_is_ignored) {
        World *world = *state;

        name_file(world, "index.db", 64);
        name_file(world, "index.db", UINT32_MAX);
        allocate(world, 64, 7);
        allocate(world, UINT32_MAX, 7);
        complete(world, 0);
        assert_false(log_pages_has("index.db", 7, world->pages));
        assert_false(log_pages_has("", 7, world->pages));
}

TEST(a_long_name_is_cut_on_both_sides) {
        static const char name[] = "a-name-that-is-longer-than-any-of-ours.db";
        World *world = *state;

        name_file(world, name, 0);
        allocate(world, 0, 7);
        complete(world, 0);
        assert_true(log_pages_has(name, 7, world->pages));
}

/* The record has a right checksum, but that does not make it one of this version. Each is copied to
 * memory of its exact size, so that sanitizers see what is read behind its end. */
TEST(a_record_that_is_cut_anywhere_is_ignored) {
        World *world = *state;
        Buffer whole = {};

        make_register("index.db", 0, &whole);
        for (size_t size = 0; size < whole.size; size++) {
                uint8_t *cut = malloc(size + 1);

                memcpy(cut, whole.data, size);
                log_pages_note((LogPosition){ 1, 1 }, cut, size, world->pages);
                free(cut);
        }
        make_allocate(0, 7, &whole);
        for (size_t size = 0; size < whole.size - 4; size++) {
                uint8_t *cut = malloc(size + 1);

                memcpy(cut, whole.data, size);
                log_pages_note((LogPosition){ 1, 2 }, cut, size, world->pages);
                free(cut);
        }
        buffer_done(&whole);

        complete(world, 0);
        assert_false(log_pages_has("index.db", 7, world->pages));
        assert_false(log_pages_has("", 7, world->pages));
}

TEST(a_size_in_a_record_that_leads_outside_is_ignored) {
        static const uint32_t sizes[] = { 10000, UINT32_MAX, UINT32_MAX - 3, 0x7fffffff };
        World *world = *state;

        for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
                make_register("index.db", 0, &world->record);
                memcpy(world->record.data + 20, &sizes[i], sizeof(sizes[i]));
                note(world);
        }
        allocate(world, 0, 7);
        complete(world, 0);
        assert_false(log_pages_has("index.db", 7, world->pages));
}

TEST(many_pages_are_all_found) {
        World *world = *state;

        name_file(world, "index.db", 0);
        name_file(world, "damage.db", 5);
        for (uint32_t i = 0; i < 5000; i++)
                allocate(world, i % 2 ? 0 : 5, (i * 7919) % 5003);
        complete(world, 0);

        for (uint32_t i = 0; i < 5000; i++) {
                uint32_t page = (i * 7919) % 5003;

                assert_int_equal(log_pages_has("index.db", page, world->pages), i % 2 == 1);
                assert_int_equal(log_pages_has("damage.db", page, world->pages), i % 2 == 0);
        }
}

#define RUN(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                RUN(an_allocated_page_is_known_by_the_name_of_its_file),
                RUN(a_log_without_allocations_knows_no_page),
                RUN(what_is_allocated_before_its_file_is_named_gets_the_first_name),
                RUN(what_was_allocated_before_the_recovery_begins_is_forgotten),
                RUN(a_page_may_be_allocated_more_than_once),
                RUN(other_records_say_nothing),
                RUN(a_file_number_that_is_too_high_is_ignored),
                RUN(a_long_name_is_cut_on_both_sides),
                RUN(a_record_that_is_cut_anywhere_is_ignored),
                RUN(a_size_in_a_record_that_leads_outside_is_ignored),
                RUN(many_pages_are_all_found),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
