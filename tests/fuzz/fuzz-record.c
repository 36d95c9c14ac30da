/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>
#include <xxhash.h>

#include "core/record.h"
#include "fuzz.h"

/* Steps through the metadata, whose strings have to lie within it. Put together again they are the
 * same, if the record is one that may be stored. */
static void check_metadata(const Record *record) {
        const char *name, *value, *end = record->metadata + record->metadata_size;
        _cleanup_(buffer_done) Buffer again = {};
        size_t position = 0;
        int r = 0;

        while (metadata_next(record->metadata, record->metadata_size, &position, &name, &value)) {
                assert(name + strlen(name) < value && value + strlen(value) < end);
                r = r < 0 ? r : metadata_append(&again, name, value);
        }
        if (record_check(record) < 0)
                return;
        assert(r == 0 && again.size == record->metadata_size);
        assert(again.size == 0 || memcmp(again.data, record->metadata, again.size) == 0);
}

/* What can be decoded can be encoded, and then is the same again. */
static void check_record(const void *data, size_t size, const char *key) {
        _cleanup_(buffer_done) Buffer first = {}, second = {};
        Record record;

        if (record_decode(data, size, key, &record) < 0)
                return;

        check_metadata(&record);
        record_encode(&record, key, &first);
        assert(buffer_error(&first) == 0);
        assert(record_decode(first.data, first.size, key, &record) == 0);
        record_encode(&record, key, &second);
        assert(first.size == second.size && memcmp(first.data, second.data, first.size) == 0);
}

static void check_object(const void *data, size_t size) {
        _cleanup_(buffer_done) Buffer first = {}, second = {};
        Object object;

        if (object_decode(data, size, &object) < 0)
                return;

        check_metadata(&object.record);
        if (object.is_inline)
                (void) object_verify(&object);
        object_encode(&object, &first);
        assert(buffer_error(&first) == 0);
        assert(object_decode(first.data, first.size, &object) == 0);
        object_encode(&object, &second);
        assert(first.size == second.size && memcmp(first.data, second.data, first.size) == 0);
}

/* The input is an encoded record or object; and, behind a byte that says how long the value at its
 * end is, one that lacks the check sum, since no fuzzer finds the right one. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(buffer_done) Buffer record = {}, object = {};
        size_t head_size;

        check_record(data, size, "key");
        check_object(data, size);
        if (size < 1)
                return 0;

        head_size = size - 1 - MIN((size_t) data[0], size - 1);
        data++;
        size--;

        buffer_put(&record, data, size);
        buffer_put_u64(&record, XXH3_64bits_withSeed(data, size, XXH3_64bits("key", 3)));
        check_record(record.data, record.size, "key");

        buffer_put(&object, data, head_size);
        buffer_put_u64(&object, XXH3_64bits(data, head_size));
        buffer_put(&object, data + head_size, size - head_size);
        check_object(object.data, object.size);
        return 0;
}
