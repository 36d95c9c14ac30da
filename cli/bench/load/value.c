/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "bench/load/value.h"

#define WORD sizeof(uint64_t)

/* A counter through one multiplication and two shifts: not for secrets, but each bit of the index
 * reaches each byte, and it is faster than memory. */
static inline uint64_t stream_word(uint64_t seed, uint64_t i) {
        uint64_t x = seed + i * UINT64_C(0x9e3779b97f4a7c15);

        x = (x ^ (x >> 32)) * UINT64_C(0xd6e8feb86659fd93);
        return htole64(x ^ (x >> 32));
}

static uint64_t value_word(const Value *value, uint64_t i) {
        if (value->size >= VALUE_HEAD_SIZE && i == 0)
                return htole64(value->generation);
        if (value->size >= VALUE_HEAD_SIZE && i == 1)
                return htole64(value->size) ^ stream_word(value->seed, i);

        return stream_word(value->seed, i);
}

/* Writes what is left of the word at OFFSET, at most SIZE bytes. Returns how many. */
static size_t fill_word(const Value *value, uint64_t offset, uint8_t *ret, size_t size) {
        uint64_t word = value_word(value, offset / WORD);
        size_t skip = offset % WORD, n = MIN(size, WORD - skip);

        memcpy(ret, (const uint8_t *) &word + skip, n);
        return n;
}

/* Words of the plain stream that start at a multiple of their size. */
static bool in_stream(uint64_t offset, size_t size) {
        return offset >= VALUE_HEAD_SIZE && offset % WORD == 0 && size >= WORD;
}

Value value_make(uint64_t key, uint64_t generation, uint64_t size) {
        uint64_t g = size >= VALUE_HEAD_SIZE ? generation : 0;

        return (Value){
                .generation = generation,
                .size = size,
                .seed = key ^ stream_word(UINT64_C(0x5851f42d4c957f2d), g),
        };
}

void value_fill(const Value *value, uint64_t offset, void *ret, size_t size) {
        uint8_t *p = ret;

        assert(offset + size <= value->size);

        while (size > 0) {
                size_t n;

                if (in_stream(offset, size)) {
                        uint64_t seed = value->seed, first = offset / WORD;
                        size_t n_words = size / WORD;

                        for (size_t i = 0; i < n_words; i++) {
                                uint64_t word = stream_word(seed, first + i);

                                memcpy(p + i * WORD, &word, WORD);
                        }
                        n = n_words * WORD;
                } else
                        n = fill_word(value, offset, p, size);

                p += n;
                offset += n;
                size -= n;
        }
}

static bool equals(const Value *value, uint64_t offset, const uint8_t *data, size_t size) {
        while (size > 0) {
                size_t n;

                if (in_stream(offset, size)) {
                        uint64_t seed = value->seed, first = offset / WORD, difference = 0;
                        size_t n_words = size / WORD;

                        for (size_t i = 0; i < n_words; i++) {
                                uint64_t word;

                                memcpy(&word, data + i * WORD, WORD);
                                difference |= word ^ stream_word(seed, first + i);
                        }
                        if (difference != 0)
                                return false;
                        n = n_words * WORD;
                } else {
                        uint8_t expected[WORD];

                        n = fill_word(value, offset, expected, size);
                        if (memcmp(expected, data, n) != 0)
                                return false;
                }

                data += n;
                offset += n;
                size -= n;
        }

        return true;
}

void value_check_begin(ValueCheck *check, uint64_t key) {
        *check = (ValueCheck){ .key = key };
}

/* Gathers the first bytes. Returns how many it took. */
static size_t update_head(ValueCheck *check, const uint8_t *data, size_t size) {
        size_t n = MIN(size, VALUE_HEAD_SIZE - check->offset);
        uint64_t words[2];

        memcpy(check->head + check->offset, data, n);
        check->offset += n;

        if (check->offset == VALUE_HEAD_SIZE) {
                memcpy(words, check->head, sizeof(words));
                check->value = value_make(check->key, le64toh(words[0]), VALUE_HEAD_SIZE);
                check->value.size = le64toh(words[1] ^ stream_word(check->value.seed, 1));
        }
        return n;
}

void value_check_update(ValueCheck *check, const void *data, size_t size) {
        const uint8_t *p = data;

        if (check->offset < VALUE_HEAD_SIZE) {
                size_t n = update_head(check, p, size);

                p += n;
                size -= n;
        }

        if (size == 0)
                return;

        /* A head that lies about the size is a wrong value as soon as there is more. */
        if (size > check->value.size || check->offset > check->value.size - size)
                check->wrong = true;
        if (!check->wrong)
                check->wrong = !equals(&check->value, check->offset, p, size);
        check->offset += size;
}

int value_check_end(ValueCheck *check) {
        if (check->offset < VALUE_HEAD_SIZE) {
                Value value = value_make(check->key, 0, check->offset);

                check->wrong = !equals(&value, 0, check->head, check->offset);
        } else if (check->value.size != check->offset)
                check->wrong = true;

        return check->wrong ? -EBADMSG : 0;
}

uint64_t value_check_generation(const ValueCheck *check) {
        return check->value.generation;
}
