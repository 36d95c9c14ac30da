/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "bench/http/body.h"

static const uint64_t sizes[] = {
        0, 1, 15, 16, 17, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 128 * KIB, 200000
};

static Body make(uint64_t size, bool chunked) {
        return (Body){ .value = value_make(7, 9, size), .chunked = chunked };
}

/* All of it, read in pieces of STEP bytes; a new buffer. */
static uint8_t *read_all(const Body *body, size_t step) {
        uint64_t size = body_size(body), offset = 0;
        uint8_t *data = malloc(size + 1);
        size_t n;

        assert_non_null(data);
        while ((n = body_read(body, offset, data + offset, MIN(step, size - offset))) > 0)
                offset += n;
        assert_int_equal(offset, size);
        return data;
}

/* Takes the chunks apart. Returns the size of what is in them, which RET gets. */
static size_t decode(const uint8_t *data, uint64_t size, uint8_t *ret) {
        const char *p = (const char *) data, *end = p + size;
        size_t sum = 0;

        for (;;) {
                char *line;
                size_t n = strtoul(p, &line, 16);

                assert_memory_equal(line, "\r\n", 2);
                p = line + 2;
                memcpy(ret + sum, p, n);
                sum += n;
                p += n;
                assert_memory_equal(p, "\r\n", 2);
                p += 2;
                if (n == 0)
                        break;
        }
        assert_ptr_equal(p, end);
        return sum;
}

TEST(plain_body_is_the_value) {
        for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
                Body body = make(sizes[i], false);
                uint8_t *data = read_all(&body, 1000), *value = malloc(sizes[i] + 1);

                assert_int_equal(body_size(&body), sizes[i]);
                value_fill(&body.value, 0, value, sizes[i]);
                assert_memory_equal(data, value, sizes[i]);
                free(data);
                free(value);
        }
}

TEST(chunks_hold_the_value) {
        for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
                Body body = make(sizes[i], true);
                uint8_t *data = read_all(&body, 1000), *found = malloc(sizes[i] + 1),
                        *value = malloc(sizes[i] + 1);

                value_fill(&body.value, 0, value, sizes[i]);
                assert_int_equal(decode(data, body_size(&body), found), sizes[i]);
                assert_memory_equal(found, value, sizes[i]);
                free(data);
                free(found);
                free(value);
        }
}

/* After a short write it is made again from any place. */
TEST(pieces_of_any_size_give_the_same) {
        static const size_t steps[] = { 1, 2, 3, 7, 11, 4096, 64 * KIB, 1 << 20 };

        for (unsigned chunked = 0; chunked <= 1; chunked++) {
                Body body = make(64 * KIB + 100, chunked);
                uint8_t *whole = read_all(&body, SIZE_MAX);

                for (size_t i = 0; i < ELEMENTSOF(steps); i++) {
                        uint8_t *data = read_all(&body, steps[i]);

                        assert_memory_equal(data, whole, body_size(&body));
                        free(data);
                }
                free(whole);
        }
}

TEST(there_is_nothing_behind_the_end) {
        for (unsigned chunked = 0; chunked <= 1; chunked++) {
                Body body = make(100, chunked);
                uint8_t data[16];

                assert_int_equal(body_read(&body, body_size(&body), data, sizeof(data)), 0);
                assert_int_equal(body_read(&body, body_size(&body) - 1, data, sizeof(data)), 1);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(plain_body_is_the_value),
                cmocka_unit_test(chunks_hold_the_value),
                cmocka_unit_test(pieces_of_any_size_give_the_same),
                cmocka_unit_test(there_is_nothing_behind_the_end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
