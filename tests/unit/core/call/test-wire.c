/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <string.h>

#include "core/call/wire.h"
#include "core/key.h"

/* A commit that has some of everything */
static WireCommit make_commit(void) {
        return (WireCommit){
                .key = "users/42",
                .record = {
                        .version = UINT64_MAX,
                        .size = 1234567890123,
                        .mtime_usec = 5,
                        .expiry_usec = 6,
                        .checksum.bytes = { 1, 2, 3 },
                        .content_type = "text/plain",
                        .metadata = "a\0b",
                        .metadata_size = 4,
                        .created = true,
                        .n_copies = 2,
                        .copies = { 3, 65535 },
                },
                .condition = {
                        .match = { .present = true, .n_etags = 2, .etags[1].bytes = { 9 } },
                        .none_match = { .present = true, .any = true },
                        .create_only = true,
                },
        };
}

static void assert_equal(const WireCommit *commit, const WireCommit *expected) {
        const Condition *condition = &commit->condition, *wanted = &expected->condition;

        assert_string_equal(commit->key, expected->key);
        assert_int_equal(commit->record.version, expected->record.version);
        assert_int_equal(commit->record.size, expected->record.size);
        assert_int_equal(commit->record.mtime_usec, expected->record.mtime_usec);
        assert_int_equal(commit->record.expiry_usec, expected->record.expiry_usec);
        assert_true(checksum_equal(&commit->record.checksum, &expected->record.checksum));
        assert_string_equal(commit->record.content_type, expected->record.content_type);
        assert_int_equal(commit->record.metadata_size, expected->record.metadata_size);
        assert_memory_equal(
                        commit->record.metadata, expected->record.metadata,
                        expected->record.metadata_size);
        assert_int_equal(commit->record.created, expected->record.created);
        assert_int_equal(commit->record.n_copies, expected->record.n_copies);
        assert_memory_equal(
                        commit->record.copies, expected->record.copies,
                        sizeof(expected->record.copies));
        assert_int_equal(condition->match.present, wanted->match.present);
        assert_int_equal(condition->match.n_etags, wanted->match.n_etags);
        assert_memory_equal(
                        condition->match.etags, wanted->match.etags,
                        wanted->match.n_etags * sizeof(Checksum));
        assert_int_equal(condition->none_match.present, wanted->none_match.present);
        assert_int_equal(condition->none_match.any, wanted->none_match.any);
        assert_int_equal(condition->create_only, wanted->create_only);
}

TEST(commits_come_back_one_after_another) {
        _cleanup_(buffer_done) Buffer buffer = {};
        const WireCommit commits[] = {
                make_commit(),
                { .key = "k", .record = { .content_type = "", .metadata = "" } },
                make_commit(),
        };
        Reader reader;

        for (size_t i = 0; i < ELEMENTSOF(commits); i++)
                wire_put_commit(&buffer, commits + i);
        assert_int_equal(buffer_error(&buffer), 0);

        reader = READER(buffer.data, buffer.size);
        for (size_t i = 0; i < ELEMENTSOF(commits); i++) {
                WireCommit commit;

                assert_int_equal(wire_get_commit(&reader, &commit), 0);
                assert_equal(&commit, commits + i);
        }
        assert_int_equal(reader_end(&reader), 0);
}

/* Decodes a copy of exactly SIZE bytes, so that a sanitizer sees each byte too many. */
static int decode_commit(const void *data, size_t size) {
        _cleanup_free_ uint8_t *copy = malloc(MAX(size, (size_t) 1));
        Reader reader = READER(copy, size);
        WireCommit commit;

        memcpy(copy, data, size);
        return wire_get_commit(&reader, &commit);
}

TEST(truncated_commits_are_refused) {
        _cleanup_(buffer_done) Buffer buffer = {};
        WireCommit commit = make_commit();

        wire_put_commit(&buffer, &commit);
        for (size_t size = 0; size < buffer.size; size++)
                assert_int_equal(decode_commit(buffer.data, size), -EBADMSG);
        assert_int_equal(decode_commit(buffer.data, buffer.size), 0);
}

TEST(altered_records_are_refused) {
        _cleanup_(buffer_done) Buffer buffer = {};
        WireCommit commit = make_commit();
        size_t record_size;

        record_encode(&commit.record, commit.key, &buffer);
        record_size = buffer.size;
        buffer_clear(&buffer);
        wire_put_commit(&buffer, &commit);

        for (size_t i = buffer.size - record_size; i < buffer.size; i++) {
                buffer.data[i] ^= 4;
                assert_true(decode_commit(buffer.data, buffer.size) < 0);
                buffer.data[i] ^= 4;
        }

        /* The key belongs to the record. */
        buffer.data[1] ^= 4;
        assert_int_equal(decode_commit(buffer.data, buffer.size), -EBADMSG);
}

TEST(keys_of_all_sizes_come_back_in_place) {
        _cleanup_(buffer_done) Buffer buffer = {};
        char key[KEY_MAX + 1] = "";

        for (size_t i = 0; i < KEY_MAX; i++) {
                Reader reader;
                const char *got;

                key[i] = (char) (1 + i % 255);
                buffer_clear(&buffer);
                wire_put_key(&buffer, key);
                reader = READER(buffer.data, buffer.size);
                got = wire_get_key(&reader);
                assert_non_null(got);
                assert_string_equal(got, key);
                assert_in_range(got, buffer.data, buffer.data + buffer.size - 1);
                assert_int_equal(reader_end(&reader), 0);
        }
}

TEST(malformed_keys_are_refused) {
        static const char zeroes[KEY_MAX + 2];
        char long_key[KEY_MAX + 2];
        const struct {
                const char *data;
                size_t size;
        } malformed[] = {
                { "", 0 },     /* nothing */
                { "", 1 },     /* empty */
                { "k", 1 },    /* no 0 */
                { "key", 3 },  /* the same */
                { "k\0y", 4 }, /* one too many */
                { "k\0", 3 },  /* the same, at the end */
                { "\0k", 3 },  /* the same, at the start */
                { zeroes, 2 }, /* the same, all over */
                { long_key, sizeof(long_key) },
                { zeroes, sizeof(zeroes) },
        };

        memset(long_key, 'k', sizeof(long_key) - 1);
        long_key[sizeof(long_key) - 1] = '\0';
        for (size_t i = 0; i < ELEMENTSOF(malformed); i++) {
                _cleanup_(buffer_done) Buffer buffer = {};
                Reader reader;

                buffer_put_bytes(&buffer, malformed[i].data, malformed[i].size);
                buffer_put(&buffer, zeroes, sizeof(zeroes)); /* it may not look further */
                reader = READER(buffer.data, buffer.size);
                assert_null(wire_get_key(&reader));
                assert_int_equal(reader_error(&reader), -EBADMSG);
                assert_int_equal(decode_commit(buffer.data, buffer.size), -EBADMSG);
        }
}

TEST(results_come_back_one_after_another) {
        _cleanup_(buffer_done) Buffer buffer = {};
        const WireCommitResult results[] = {
                {},
                { .created = true },
                { .error = -EEXIST },
                { .revision = 7 },
                { .error = -4095, .created = true, .revision = UINT64_MAX },
        };
        Reader reader;

        for (size_t i = 0; i < ELEMENTSOF(results); i++)
                wire_put_commit_result(&buffer, results + i);

        reader = READER(buffer.data, buffer.size);
        for (size_t i = 0; i < ELEMENTSOF(results); i++) {
                WireCommitResult result = wire_get_commit_result(&reader);

                assert_int_equal(result.error, results[i].error);
                assert_int_equal(result.created, results[i].created);
                assert_true(result.revision == results[i].revision);
        }
        assert_int_equal(reader_end(&reader), 0);
}

TEST(truncated_results_are_refused) {
        _cleanup_(buffer_done) Buffer buffer = {};

        wire_put_commit_result(&buffer, &(WireCommitResult){ .error = -ESTALE });
        for (size_t size = 0; size <= buffer.size; size++) {
                _cleanup_free_ uint8_t *copy = malloc(size + 1);
                Reader reader = READER(copy, size);

                memcpy(copy, buffer.data, size);
                (void) wire_get_commit_result(&reader);
                assert_int_equal(reader_error(&reader), size < buffer.size ? -EBADMSG : 0);
        }
}

TEST(errors_have_the_range_of_errno) {
        const uint64_t wrong[] = { 4096, UINT32_MAX, UINT64_C(1) << 32, UINT64_MAX };

        for (int error = 0; error >= -4095; error--) {
                _cleanup_(buffer_done) Buffer buffer = {};
                Reader reader;

                wire_put_error(&buffer, error);
                reader = READER(buffer.data, buffer.size);
                assert_int_equal(wire_get_error(&reader), error);
                assert_int_equal(reader_end(&reader), 0);
        }

        for (size_t i = 0; i < ELEMENTSOF(wrong); i++) {
                _cleanup_(buffer_done) Buffer buffer = {};
                Reader reader;

                buffer_put_varint(&buffer, wrong[i]);
                reader = READER(buffer.data, buffer.size);
                assert_int_equal(wire_get_error(&reader), -EBADMSG);
                assert_int_equal(reader_error(&reader), -EBADMSG);
        }
}

static void put_pull(Buffer *buffer, const WirePull *pull, const WirePullItem *items) {
        wire_put_pull(buffer, pull);
        for (size_t i = 0; i < pull->n_items; i++)
                wire_put_pull_item(buffer, items + i);
        assert_int_equal(buffer_error(buffer), 0);
}

static int get_pull(const void *data, size_t size, WirePull *pull, WirePullItem *items) {
        Reader reader = READER(data, size);
        int r;

        r = wire_get_pull(&reader, pull);
        for (size_t i = 0; r >= 0 && i < pull->n_items; i++)
                r = wire_get_pull_item(&reader, pull->n_sources, items + i);
        return r < 0 ? r : reader_end(&reader);
}

static const WirePullItem pull_items[] = {
        { .version = 1, .size = 0, .source = 1, .key = "a" },
        { .version = UINT64_MAX, .size = UINT64_MAX, .source = 0, .key = "users/42" },
};

TEST(pulls_come_back) {
        _cleanup_(buffer_done) Buffer buffer = {};
        WirePull pull = {
                .deadline_usec = UINT64_MAX,
                .rate = 1000000,
                .n_sources = 2,
                .sources = { { "http://a:1", { .number = 3, .uuid = "a" } },
                             { "http://b:2", { .number = VOLUME_MAX, .uuid = "b" } } },
                .n_items = ELEMENTSOF(pull_items),
        }, result;
        WirePullItem items[ELEMENTSOF(pull_items)];

        put_pull(&buffer, &pull, pull_items);
        assert_int_equal(get_pull(buffer.data, buffer.size, &result, items), 0);
        assert_int_equal(result.deadline_usec, pull.deadline_usec);
        assert_int_equal(result.rate, pull.rate);
        assert_int_equal(result.n_sources, 2);
        for (size_t i = 0; i < 2; i++) {
                assert_string_equal(result.sources[i].url, pull.sources[i].url);
                assert_true(store_identity_equal(&result.sources[i].store, &pull.sources[i].store));
        }
        assert_int_equal(result.n_items, 2);
        for (size_t i = 0; i < ELEMENTSOF(items); i++) {
                assert_int_equal(items[i].version, pull_items[i].version);
                assert_int_equal(items[i].size, pull_items[i].size);
                assert_int_equal(items[i].source, pull_items[i].source);
                assert_string_equal(items[i].key, pull_items[i].key);
        }

        for (size_t size = 0; size < buffer.size; size++) {
                _cleanup_free_ uint8_t *copy = malloc(size + 1);

                memcpy(copy, buffer.data, size);
                assert_int_equal(get_pull(copy, size, &result, items), -EBADMSG);
        }
}

TEST(pulls_that_make_no_sense_are_refused) {
        static const WirePull pulls[] = {
                { .n_sources = 0, .n_items = 1 }, /* from nowhere */
                { .n_sources = 1,
                  .sources = { { "a" } },
                  .n_items = 1 }, /* from the one behind it */
                { .n_sources = 1, .sources = { { "" } }, .n_items = 0 }, /* no URL */
        };
        WirePullItem items[2];
        WirePull result;

        for (size_t i = 0; i < ELEMENTSOF(pulls); i++) {
                _cleanup_(buffer_done) Buffer buffer = {};

                put_pull(&buffer, pulls + i, pull_items);
                assert_int_equal(get_pull(buffer.data, buffer.size, &result, items), -EBADMSG);
        }
}

TEST(pulls_have_limits) {
        static const size_t lengths[] = { 1, WIRE_URL_MAX, WIRE_URL_MAX + 1 };

        for (size_t i = 0; i < ELEMENTSOF(lengths); i++) {
                _cleanup_(buffer_done) Buffer buffer = {};
                WirePull pull = { .n_sources = 1 };
                char url[WIRE_URL_MAX + 2] = "";

                memset(url, 'a', lengths[i]);
                pull.sources[0].url = url;
                put_pull(&buffer, &pull, NULL);
                assert_int_equal(
                                get_pull(buffer.data, buffer.size, &pull, NULL),
                                lengths[i] > WIRE_URL_MAX ? -EBADMSG : 0);
        }

        for (size_t n = WIRE_PULL_MAX; n <= WIRE_PULL_MAX + 1; n++) {
                _cleanup_(buffer_done) Buffer buffer = {};
                WirePull pull;
                Reader reader;

                buffer_put_u64(&buffer, 1);
                buffer_put_varint(&buffer, 0); /* rate */
                buffer_put_varint(&buffer, n);
                for (size_t i = 0; i < n; i++) {
                        buffer_put_bytes(&buffer, "a", 2);
                        buffer_put_u32(&buffer, 1);
                        buffer_put(&buffer, "a store's number", 16);
                }
                buffer_put_varint(&buffer, n);
                reader = READER(buffer.data, buffer.size);
                assert_int_equal(wire_get_pull(&reader, &pull), n > WIRE_PULL_MAX ? -EBADMSG : 0);
        }
}

TEST(versions_are_a_number_and_so_many) {
        static const uint64_t versions[] = { 1, UINT64_MAX };
        _cleanup_(buffer_done) Buffer buffer = {};
        Reader reader;

        wire_put_versions(&buffer, versions, 2);
        reader = READER(buffer.data, buffer.size);
        assert_int_equal(reader_get_varint(&reader), 2);
        assert_int_equal(reader_get_u64(&reader), 1);
        assert_int_equal(reader_get_u64(&reader), UINT64_MAX);
        assert_int_equal(reader_end(&reader), 0);
}

TEST(damaged_copies_come_back_one_after_another) {
        static const WireDamage copies[] = {
                { 1, "a", DAMAGE_CORRUPT },
                { UINT64_MAX, "users/42", DAMAGE_MISSING },
                { 7, " ", DAMAGE_UNREADABLE },
        };
        _cleanup_(buffer_done) Buffer buffer = {};
        Reader reader;

        for (size_t i = 0; i < ELEMENTSOF(copies); i++)
                wire_put_damage(&buffer, copies + i);
        reader = READER(buffer.data, buffer.size);
        for (size_t i = 0; i < ELEMENTSOF(copies); i++) {
                WireDamage damage;

                assert_ok(wire_get_damage(&reader, &damage));
                assert_true(damage.version == copies[i].version);
                assert_string_equal(damage.key, copies[i].key);
                assert_int_equal(damage.kind, copies[i].kind);
        }
        assert_ok(reader_end(&reader));
}

TEST(damage_of_no_known_kind_is_refused) {
        for (unsigned kind = 0; kind < 256; kind++) {
                _cleanup_(buffer_done) Buffer buffer = {};
                WireDamage damage;
                Reader reader;

                wire_put_damage(&buffer, &(WireDamage){ 5, "key", DAMAGE_CORRUPT });
                buffer.data[sizeof(uint64_t)] = (uint8_t) kind;
                reader = READER(buffer.data, buffer.size);
                assert_int_equal(
                                wire_get_damage(&reader, &damage),
                                kind > DAMAGE_NONE && kind < _DAMAGE_KIND_MAX ? 0 : -EBADMSG);
        }
}

TEST(truncated_damage_is_refused) {
        _cleanup_(buffer_done) Buffer buffer = {};
        WireDamage damage = { .version = 9 };

        wire_put_damage(&buffer, &(WireDamage){ 5, "key", DAMAGE_MISSING });
        for (size_t size = 0; size < buffer.size; size++) {
                Reader reader = READER(buffer.data, size);

                assert_int_equal(wire_get_damage(&reader, &damage), -EBADMSG);
                assert_int_equal(damage.version, 9);
        }
}

static int read_head(WireFetchHead head) {
        _cleanup_(buffer_done) Buffer buffer = {};
        WireFetchHead read;
        Reader reader;
        int r;

        wire_put_fetch_head(&buffer, &head);
        assert_int_equal(buffer.size, WIRE_FETCH_HEAD_SIZE);
        reader = READER(buffer.data, buffer.size);
        r = wire_get_fetch_head(&reader, &read);
        if (r >= 0) {
                assert_true(read.version == head.version && read.value_size == head.value_size);
                assert_int_equal(read.error, head.error);
                assert_int_equal(read.object_size, head.object_size);
                assert_ok(reader_end(&reader));
        }
        return r;
}

/* What follows a head is as long as it says, so that has to make sense. */
TEST(a_head_has_an_object_or_an_error) {
        assert_ok(read_head((WireFetchHead){ 1, 0, 1, 0 }));
        assert_ok(read_head((WireFetchHead){ UINT64_MAX, 0, WIRE_OBJECT_MAX, UINT64_MAX }));
        assert_ok(read_head((WireFetchHead){ 1, -ENOENT, 0, 0 }));
        assert_ok(read_head((WireFetchHead){ 1, -4095, 0, 0 }));

        assert_int_equal(read_head((WireFetchHead){ 1, 0, 0, 0 }), -EBADMSG);
        assert_int_equal(read_head((WireFetchHead){ 1, 0, 0, 5 }), -EBADMSG);
        assert_int_equal(read_head((WireFetchHead){ 1, 0, WIRE_OBJECT_MAX + 1, 0 }), -EBADMSG);
        assert_int_equal(read_head((WireFetchHead){ 1, -ENOENT, 1, 0 }), -EBADMSG);
        assert_int_equal(read_head((WireFetchHead){ 1, -ENOENT, 0, 1 }), -EBADMSG);
        assert_int_equal(read_head((WireFetchHead){ 1, -4096, 0, 0 }), -EBADMSG);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(commits_come_back_one_after_another),
                cmocka_unit_test(truncated_commits_are_refused),
                cmocka_unit_test(altered_records_are_refused),
                cmocka_unit_test(keys_of_all_sizes_come_back_in_place),
                cmocka_unit_test(malformed_keys_are_refused),
                cmocka_unit_test(results_come_back_one_after_another),
                cmocka_unit_test(truncated_results_are_refused),
                cmocka_unit_test(errors_have_the_range_of_errno),
                cmocka_unit_test(pulls_come_back),
                cmocka_unit_test(pulls_that_make_no_sense_are_refused),
                cmocka_unit_test(pulls_have_limits),
                cmocka_unit_test(versions_are_a_number_and_so_many),
                cmocka_unit_test(damaged_copies_come_back_one_after_another),
                cmocka_unit_test(damage_of_no_known_kind_is_refused),
                cmocka_unit_test(truncated_damage_is_refused),
                cmocka_unit_test(a_head_has_an_object_or_an_error),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
