/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Small values on their way to several volumes, some of which fail. */

#include "test.h"

#include "master/request/write.h"
#include "master/world.h"

static void break_volume(uint32_t volume, int error) {
        world.fakes[volume].store_error = error;
        world.fakes[volume].n_failing = UINT_MAX;
}

static void break_all(int error) {
        for (uint32_t i = 1; i <= N_VOLUMES; i++)
                break_volume(i, error);
}

static bool has_copy_on(const Record *record, uint32_t volume) {
        for (size_t i = 0; i < record->n_copies; i++)
                if (record->copies[i] == volume)
                        return true;
        return false;
}

TEST(the_record_says_what_every_volume_got) {
        Record record;

        assert_status(ask("PUT", "/k", "Content-Type: text/x\r\nDkv-Meta-Colour: red\r\n", "value"),
                      201);
        record = record_of("k");
        for (uint32_t i = 1; i <= N_VOLUMES; i++) {
                Object object;

                assert_non_null(fake_find(world.fakes + i, record.version, &object));
                assert_string_equal(object.key, "k");
                assert_string_equal(object.record.content_type, "text/x");
                assert_int_equal(object.record.size, 5);
                assert_int_equal(object.record.mtime_usec, record.mtime_usec);
                assert_true(checksum_equal(&object.record.checksum, &record.checksum));
                assert_true(object.is_inline);
                assert_int_equal(object_verify(&object), 0);
        }
}

TEST(every_size_up_to_the_limit_is_sent_whole) {
        static const size_t sizes[] = {
                0, 1, 100, 4095, 4096, WRITE_BUFFER_MAX - 1, WRITE_BUFFER_MAX
        };
        static char value[WRITE_BUFFER_MAX + 1];

        for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
                char target[32];
                const char *key = target + 1;
                Checksum expected;
                Record record;
                Object object;

                memset(value, 'a' + (int) i, sizes[i]);
                value[sizes[i]] = '\0';
                (void) snprintf(target, sizeof(target), "/k%zu", i);
                assert_status(put(target, value), 201);
                record = record_of(key);
                expected = checksum_of(value, sizes[i]);
                assert_true(checksum_equal(&record.checksum, &expected));
                assert_non_null(fake_find(world.fakes + 1, record.version, &object));
                assert_memory_equal(object.value, value, sizes[i]);
        }
}

/* A majority has it; the record names nobody who has not. */
TEST(a_volume_that_fails_is_not_named) {
        for (uint32_t failing = 1; failing <= N_VOLUMES; failing++) {
                Record record;

                assert_int_equal(world_teardown(NULL), 0);
                assert_int_equal(world_setup(NULL), 0);
                break_volume(failing, -EBADMSG);
                assert_status(put("/k", "value"), 201);
                record = record_of("k");
                assert_int_equal(record.n_copies, N_VOLUMES - 1);
                assert_false(has_copy_on(&record, failing));
        }
}

TEST(the_worst_that_a_client_can_act_on_is_told) {
        static const struct {
                int error, status;
        } rows[] = {
                { -ENOSPC, 507 },
                { -EREMOTEIO, 503 },
                { -EACCES, 503 },
                { -EBADMSG, 503 },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                const char *answer;

                assert_int_equal(world_teardown(NULL), 0);
                assert_int_equal(world_setup(NULL), 0);
                break_all(rows[i].error);
                answer = put("/k", "value");
                assert_int_equal(atoi(answer + strlen("HTTP/1.1 ")), rows[i].status);
                if (rows[i].status == 503)
                        assert_non_null(header_of(answer, "Retry-After"));
        }
}

/* What was stored nevertheless is in doubt on its volumes, and never becomes current by itself. */
TEST(a_failed_write_leaves_the_value_that_was_there) {
        Record before, after;

        assert_status(put("/k", "one"), 201);
        before = record_of("k");
        break_volume(1, -EREMOTEIO);
        break_volume(2, -EREMOTEIO);
        assert_status(put("/k", "two"), 503);
        after = record_of("k");
        assert_int_equal(after.version, before.version);
        assert_int_equal(after.revision, before.revision);
}

TEST(a_volume_that_stops_ends_the_write_at_once) {
        uint64_t before = clock_monotonic();
        unsigned n;

        break_all(-ESHUTDOWN);
        n = world.fakes[1].n_stores;
        assert_status(put("/k", "value"), 503);
        assert_int_equal(world.fakes[1].n_stores, n + 1); /* nobody is asked again */
        assert_true(clock_monotonic() - before < 10 * USEC_PER_SEC);
}

TEST(each_write_has_a_version_of_its_own) {
        uint64_t last = 0;

        for (unsigned i = 0; i < 20; i++) {
                const char *answer = put("/k", "value");
                Record record = record_of("k");

                assert_true(atoi(answer + strlen("HTTP/1.1 ")) / 100 == 2);
                assert_true(record.version > last);
                assert_int_equal(record.version % 2, VERSION_DIRECT); /* it had no ticket */
                last = record.version;
        }
}

TEST(what_is_replaced_becomes_garbage_on_its_volumes) {
        IndexCounters counters;

        assert_status(put("/k", "one"), 201);
        index_counters(world.index, &counters);
        assert_int_equal(counters.garbage, 0);
        assert_status(put("/k", "two"), 204);
        index_counters(world.index, &counters);
        assert_int_equal(counters.garbage, N_VOLUMES);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)
        const struct CMUnitTest tests[] = {
                RUN(the_record_says_what_every_volume_got),
                RUN(every_size_up_to_the_limit_is_sent_whole),
                RUN(a_volume_that_fails_is_not_named),
                RUN(the_worst_that_a_client_can_act_on_is_told),
                RUN(a_failed_write_leaves_the_value_that_was_there),
                RUN(a_volume_that_stops_ends_the_write_at_once),
                RUN(each_write_has_a_version_of_its_own),
                RUN(what_is_replaced_becomes_garbage_on_its_volumes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
