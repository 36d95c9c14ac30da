/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>
#include <xxhash.h>

#include "core/call/wire.h"
#include "core/key.h"
#include "fuzz.h"

/* What was read is written, and what was written is read and written: that has to be the same. Of
 * what came, only the lengths have several forms. */
typedef int Copy(Reader *reader, Buffer *ret);

static int copy_commit(Reader *reader, Buffer *ret) {
        WireCommit commit;
        int r = wire_get_commit(reader, &commit);

        if (r < 0)
                return r;
        assert(strlen(commit.key) >= 1 && strlen(commit.key) <= KEY_MAX);
        assert(commit.record.n_copies <= COPIES_MAX);
        wire_put_commit(ret, &commit);
        return 0;
}

/* As the body of /-/settle goes on: a version and its key. */
static int copy_settled(Reader *reader, Buffer *ret) {
        uint64_t version = reader_get_u64(reader);
        const char *key = wire_get_key(reader);

        if (!key)
                return -1;
        assert(strlen(key) >= 1 && strlen(key) <= KEY_MAX);
        buffer_put_u64(ret, version);
        wire_put_key(ret, key);
        return 0;
}

static int copy_damage(Reader *reader, Buffer *ret) {
        WireDamage damage;
        int r = wire_get_damage(reader, &damage);

        if (r < 0)
                return r;
        assert(strlen(damage.key) >= 1 && strlen(damage.key) <= KEY_MAX);
        wire_put_damage(ret, &damage);
        return 0;
}

static int copy_commit_result(Reader *reader, Buffer *ret) {
        WireCommitResult result = wire_get_commit_result(reader);

        if (reader_error(reader) < 0)
                return -1;
        assert(result.error <= 0);
        wire_put_commit_result(ret, &result);
        return 0;
}

static int copy_error(Reader *reader, Buffer *ret) {
        int error = wire_get_error(reader);

        if (reader_error(reader) < 0)
                return -1;
        assert(error <= 0);
        wire_put_error(ret, error);
        return 0;
}

/* The commit of a key, a condition, and a record that lacks its check sum, which no fuzzer finds.
 */
static void put_sealed_commit(Reader *reader, Buffer *ret) {
        size_t key_size = reader_get_u8(reader) % 8;
        const char *key = reader_get(reader, key_size);
        Condition condition;
        uint64_t seed;

        if (!key || condition_decode(reader, &condition) < 0)
                return;
        seed = XXH3_64bits(key, strnlen(key, key_size));
        buffer_put_varint(ret, key_size + 1);
        buffer_put(ret, key, key_size);
        buffer_put_u8(ret, 0);
        condition_encode(&condition, ret);
        buffer_put_u32(ret, (uint32_t) (reader->size + sizeof(uint64_t)));
        buffer_put(ret, reader->data, reader->size);
        buffer_put_u64(ret, XXH3_64bits_withSeed(reader->data, reader->size, seed));
}

/* Returns whether all of it could be read. */
static bool copy_all(Copy *copy, const void *data, size_t size, Buffer *ret) {
        Reader reader = READER(data, size);

        while (reader.size > 0)
                if (copy(&reader, ret) < 0)
                        return false;
        assert(buffer_error(ret) == 0 && reader_end(&reader) == 0);
        return true;
}

static void check(Copy *copy, const void *data, size_t size) {
        _cleanup_(buffer_done) Buffer first = {}, second = {};

        if (!copy_all(copy, data, size, &first))
                return;
        assert(copy_all(copy, first.data, first.size, &second));
        assert(first.size == second.size &&
               (first.size == 0 || memcmp(first.data, second.data, first.size) == 0));
}

/* The first byte says what the others are a list of: the bodies of calls to the master, and the
 * answers. They are also taken for one commit. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static Copy *const copies[] = { copy_commit, copy_settled, copy_damage, copy_commit_result,
                                        copy_error };
        _cleanup_(buffer_done) Buffer commit = {};
        Reader reader = READER(data, size);

        if (size == 0)
                return 0;
        check(copies[data[0] % ELEMENTSOF(copies)], data + 1, size - 1);
        put_sealed_commit(&reader, &commit);
        if (commit.size > 0)
                check(copy_commit, commit.data, commit.size);
        return 0;
}
