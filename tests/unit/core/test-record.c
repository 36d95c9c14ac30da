/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <string.h>

#include "core/key.h"
#include "core/record.h"

static const char metadata[] = "color\0red\0empty\0"; /* and the 0 of the string itself */

static const Record small = {
        .version = 123456789,
        .revision = 123456789,
        .size = 1024,
        .mtime_usec = UINT64_C(1763690000000000),
        .checksum = { { 1, 2, 3 } },
        .content_type = "",
        .n_copies = 1,
        .copies = { 1 },
};

static const Record full = {
        .version = UINT64_MAX,
        .revision = UINT64_MAX - 4,
        .size = UINT64_MAX - 1,
        .mtime_usec = UINT64_MAX - 2,
        .expiry_usec = UINT64_MAX - 3,
        .checksum = { { 0xff, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 } },
        .content_type = "text/plain; charset=utf-8",
        .metadata = metadata,
        .metadata_size = sizeof(metadata),
        .created = true,
        .n_copies = COPIES_MAX,
        .copies = { 1, 2, 3, 500, 127, 128, VOLUME_MAX - 1, VOLUME_MAX },
};

static void assert_same(const Record *x, const Record *y) {
        assert_true(x->version == y->version);
        assert_true(x->revision == y->revision);
        assert_true(x->size == y->size);
        assert_true(x->mtime_usec == y->mtime_usec);
        assert_true(x->expiry_usec == y->expiry_usec);
        assert_true(checksum_equal(&x->checksum, &y->checksum));
        assert_string_equal(x->content_type, y->content_type);
        assert_int_equal(x->metadata_size, y->metadata_size);
        if (y->metadata_size > 0)
                assert_memory_equal(x->metadata, y->metadata, y->metadata_size);
        assert_int_equal(x->created, y->created);
        assert_int_equal(x->n_copies, y->n_copies);
        assert_memory_equal(x->copies, y->copies, sizeof(x->copies));
}

TEST(record_comes_back) {
        static const Record *const records[] = { &small, &full };

        for (size_t i = 0; i < ELEMENTSOF(records); i++) {
                _cleanup_(buffer_done) Buffer buffer = {};
                Record decoded;

                record_encode(records[i], "key", &buffer);
                assert_ok(buffer_error(&buffer));
                assert_ok(record_decode(buffer.data, buffer.size, "key", &decoded));
                assert_same(&decoded, records[i]);
        }
}

/* Ten million of them have to fit the cache. */
TEST(small_record_is_small) {
        _cleanup_(buffer_done) Buffer buffer = {};

        record_encode(&small, "key", &buffer);
        assert_in_range(buffer.size, 1, 48);
}

/* What is on disks out there: this layout stays, a new one gets a new format byte. */
TEST(layout_is_known) {
        static const uint8_t expected[] = {
                0x12, 0x81, 0x01, 0x05, 0x07, 0x00,                       /* format; numbers */
                1,    2,    3,    0,    0,    0,    0, 0,   0, 0,   0, 0, /* checksum */
                0,    0,    0,    0,    't',  0,    4, 'a', 0, 'b', 0,    /* strings */
                0x82, 0x01, 2,    1,    0x80, 0x02,                       /* revision; copies */
        };
        const Record record = {
                .version = 129,
                .revision = 130,
                .size = 5,
                .mtime_usec = 7,
                .checksum = { { 1, 2, 3 } },
                .content_type = "t",
                .metadata = "a\0b",
                .metadata_size = 4,
                .n_copies = 2,
                .copies = { 1, 256 },
        };
        _cleanup_(buffer_done) Buffer buffer = {};

        record_encode(&record, "key", &buffer);
        assert_int_equal(buffer.size, sizeof(expected) + sizeof(uint64_t));
        assert_memory_equal(buffer.data, expected, sizeof(expected));
}

TEST(record_of_the_first_format_has_its_version_as_revision) {
        static const uint8_t data[] = {
                0x11, 0x81, 0x01, 0x05, 0x07, 0x00, 0x01, 0x02, 0x03, 0x00, 0x00, 0x00, 0x00, 0x00,
                0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x74, 0x00, 0x04, 0x61, 0x00, 0x62,
                0x00, 0x02, 0x01, 0x80, 0x02, 0x21, 0x44, 0xcc, 0xe4, 0x89, 0x87, 0x4f, 0x29,
        };
        Record record;

        assert_ok(record_decode(data, sizeof(data), "key", &record));
        assert_int_equal(record.version, 129);
        assert_int_equal(record.revision, 129);
        assert_int_equal(record.n_copies, 2);
        assert_int_equal(record.copies[1], 256);
}

TEST(encoding_appends) {
        _cleanup_(buffer_done) Buffer buffer = {};
        Record record;
        Object object;
        size_t middle;

        buffer_put_u8(&buffer, 0);
        record_encode(&small, "key", &buffer);
        middle = buffer.size;
        object_encode(&(Object){ .record = small, .key = "key" }, &buffer);

        assert_ok(record_decode(buffer.data + 1, middle - 1, "key", &record));
        assert_ok(object_decode(buffer.data + middle, buffer.size - middle, &object));
}

TEST(record_of_another_key_is_refused) {
        _cleanup_(buffer_done) Buffer buffer = {};
        Record record;

        record_encode(&small, "key", &buffer);
        assert_int_equal(record_decode(buffer.data, buffer.size, "kez", &record), -EBADMSG);
        assert_int_equal(record_decode(buffer.data, buffer.size, "", &record), -EBADMSG);
}

/* Copies to the end of a block, so that a sanitizer sees each byte read too many. */
static int decode_copy(const void *data, size_t size, bool is_object) {
        _cleanup_free_ uint8_t *copy = malloc(1 + size);
        Record record;
        Object object;

        memcpy(copy + 1, data, size);
        return is_object ? object_decode(copy + 1, size, &object)
                         : record_decode(copy + 1, size, "key", &record);
}

static void assert_damage_is_found(const Buffer *buffer, size_t head_size, bool is_object) {
        _cleanup_free_ uint8_t *longer = malloc(buffer->size + 1);

        assert_ok(decode_copy(buffer->data, buffer->size, is_object));

        for (size_t bit = 0; bit < 8 * head_size; bit++) {
                buffer->data[bit / 8] ^= (uint8_t) (1 << bit % 8);
                assert_int_equal(
                                decode_copy(buffer->data, buffer->size, is_object),
                                bit < 8 ? -EPROTONOSUPPORT : -EBADMSG);
                buffer->data[bit / 8] ^= (uint8_t) (1 << bit % 8);
        }

        for (size_t size = 0; size < buffer->size; size++)
                assert_int_equal(decode_copy(buffer->data, size, is_object), -EBADMSG);

        memcpy(longer, buffer->data, buffer->size);
        longer[buffer->size] = 0;
        assert_int_equal(decode_copy(longer, buffer->size + 1, is_object), -EBADMSG);
}

TEST(damaged_record_is_refused) {
        _cleanup_(buffer_done) Buffer one = {}, two = {};

        record_encode(&small, "key", &one);
        assert_damage_is_found(&one, one.size, false);
        record_encode(&full, "key", &two);
        assert_damage_is_found(&two, two.size, false);
}

TEST(damaged_object_is_refused) {
        static const char value[] = "the value";
        _cleanup_(buffer_done) Buffer file = {}, inlined = {};
        Object object = { .record = full, .key = "users/42" };

        object_encode(&object, &file);
        assert_damage_is_found(&file, file.size, true);

        object.record.size = sizeof(value);
        object.is_inline = true;
        object.value = value;
        object_encode(&object, &inlined);
        assert_damage_is_found(&inlined, inlined.size - sizeof(value), true);
}

TEST(kinds_are_not_mixed_up) {
        _cleanup_(buffer_done) Buffer record = {}, object = {};

        record_encode(&small, "key", &record);
        object_encode(&(Object){ .record = small, .key = "key" }, &object);
        assert_int_equal(decode_copy(record.data, record.size, true), -EPROTONOSUPPORT);
        assert_int_equal(decode_copy(object.data, object.size, false), -EPROTONOSUPPORT);
}

TEST(object_comes_back) {
        char key[KEY_MAX + 1], value[300];

        memset(key, 'k', KEY_MAX);
        key[KEY_MAX] = '\0';
        memset(value, 'v', sizeof(value));

        for (size_t size = 0; size <= sizeof(value); size += 100) {
                _cleanup_(buffer_done) Buffer buffer = {};
                Object object = { .record = full, .key = key, .is_inline = true, .value = value };
                Object decoded;

                object.record.n_copies = 0;
                object.record.created = false;
                object.record.revision = 0;
                memset(object.record.copies, 0, sizeof(object.record.copies));
                object.record.size = size;
                object.record.checksum = checksum_of(value, size);

                object_encode(&object, &buffer);
                assert_ok(buffer_error(&buffer));
                assert_ok(object_decode(buffer.data, buffer.size, &decoded));
                assert_same(&decoded.record, &object.record);
                assert_string_equal(decoded.key, key);
                assert_true(decoded.is_inline);
                assert_memory_equal(decoded.value, value, size);
                assert_ok(object_verify(&decoded));
        }
}

TEST(object_without_value_comes_back) {
        _cleanup_(buffer_done) Buffer buffer = {};
        Object object = { .record = small, .key = "key" }, decoded;

        object_encode(&object, &buffer);
        assert_ok(object_decode(buffer.data, buffer.size, &decoded));
        assert_true(decoded.record.size == small.size);
        assert_string_equal(decoded.key, "key");
        assert_false(decoded.is_inline);
        assert_null(decoded.value);
        assert_int_equal(decoded.record.n_copies, 0);
}

TEST(damaged_value_is_found_by_verify) {
        static const char value[] = "the value";
        _cleanup_(buffer_done) Buffer buffer = {};
        Object object = { .record = small, .key = "key", .is_inline = true, .value = value };

        object.record.size = sizeof(value);
        object.record.checksum = checksum_of(value, sizeof(value));
        object_encode(&object, &buffer);

        for (size_t bit = 8 * (buffer.size - sizeof(value)); bit < 8 * buffer.size; bit++) {
                Object decoded;

                buffer.data[bit / 8] ^= (uint8_t) (1 << bit % 8);
                assert_ok(object_decode(buffer.data, buffer.size, &decoded));
                assert_int_equal(object_verify(&decoded), -EBADMSG);
                buffer.data[bit / 8] ^= (uint8_t) (1 << bit % 8);
        }
}

TEST(failed_allocation_stays_in_the_buffer) {
        _cleanup_(buffer_done) Buffer buffer = { .error = -ENOMEM };

        record_encode(&small, "key", &buffer);
        object_encode(&(Object){ .record = small, .key = "key" }, &buffer);
        assert_int_equal(buffer_error(&buffer), -ENOMEM);
        assert_int_equal(buffer.size, 0);
}

TEST(metadata_steps_through_what_was_appended) {
        _cleanup_(buffer_done) Buffer buffer = {};
        const char *name, *value;
        size_t position = 0;

        assert_ok(metadata_append(&buffer, "color", "red"));
        assert_ok(metadata_append(&buffer, "empty", ""));
        assert_int_equal(buffer.size, sizeof(metadata));
        assert_memory_equal(buffer.data, metadata, sizeof(metadata));

        assert_true(metadata_next(metadata, sizeof(metadata), &position, &name, &value));
        assert_string_equal(name, "color");
        assert_string_equal(value, "red");
        assert_true(metadata_next(metadata, sizeof(metadata), &position, &name, &value));
        assert_string_equal(name, "empty");
        assert_string_equal(value, "");
        assert_false(metadata_next(metadata, sizeof(metadata), &position, &name, &value));
        assert_int_equal(position, sizeof(metadata));

        position = 0;
        assert_false(metadata_next(NULL, 0, &position, &name, &value));
}

TEST(metadata_cut_short_ends_early) {
        for (size_t size = 0; size < sizeof(metadata); size++) {
                _cleanup_free_ char *copy = malloc(size + 1);
                const char *name, *value;
                size_t position = 0, n = 0;

                memcpy(copy, metadata, size);
                copy[size] = 'x';
                while (metadata_next(copy, size, &position, &name, &value))
                        n++;
                assert_int_equal(n, size >= sizeof("color\0red") ? 1 : 0);
        }
}

TEST(metadata_is_limited) {
        _cleanup_(buffer_done) Buffer buffer = {};
        char value[METADATA_MAX - 2];

        memset(value, 'v', sizeof(value));
        value[sizeof(value) - 1] = '\0';
        assert_int_equal(metadata_append(&buffer, "", "value"), -EINVAL);
        assert_int_equal(metadata_append(&buffer, "ab", value), -E2BIG);
        assert_ok(metadata_append(&buffer, "a", value));
        assert_int_equal(buffer.size, METADATA_MAX);
        assert_int_equal(metadata_append(&buffer, "b", ""), -E2BIG);
        assert_int_equal(buffer.size, METADATA_MAX);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(record_comes_back),
                cmocka_unit_test(small_record_is_small),
                cmocka_unit_test(layout_is_known),
                cmocka_unit_test(record_of_the_first_format_has_its_version_as_revision),
                cmocka_unit_test(encoding_appends),
                cmocka_unit_test(record_of_another_key_is_refused),
                cmocka_unit_test(damaged_record_is_refused),
                cmocka_unit_test(damaged_object_is_refused),
                cmocka_unit_test(kinds_are_not_mixed_up),
                cmocka_unit_test(object_comes_back),
                cmocka_unit_test(object_without_value_comes_back),
                cmocka_unit_test(damaged_value_is_found_by_verify),
                cmocka_unit_test(failed_allocation_stays_in_the_buffer),
                cmocka_unit_test(metadata_steps_through_what_was_appended),
                cmocka_unit_test(metadata_cut_short_ends_early),
                cmocka_unit_test(metadata_is_limited),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
