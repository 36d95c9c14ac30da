/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "core/blocks.h"
#include "core/xxh3.h"

/* A page: the mark, the sums, and a checksum over both. */
#define PAGE_MARK UINT64_C(0x31736b636f6c6264) /* "dblocks1" */
#define PAGE_SUMS (BLOCK_PAGE_SIZE / sizeof(uint64_t) - 2)

static uint64_t count_blocks(uint64_t size) {
        uint64_t n = size / BLOCK_SIZE + (size % BLOCK_SIZE > 0);

        return n > 1 ? n : 0;
}

uint64_t blocks_trailer_size(uint64_t size) {
        uint64_t n = count_blocks(size);
        uint64_t n_pages = n / PAGE_SUMS + (n % PAGE_SUMS > 0);

        return (n + 2 * n_pages) * sizeof(uint64_t);
}

uint64_t block_sum(const void *data, size_t size) {
        return XXH3_FOR(XXH3_64bits, size)(data, size);
}

void block_sums_done(BlockSums *sums) {
        (void) XXH3_freeState(sums->state);
        buffer_done(&sums->sums);
        *sums = (BlockSums){};
}

static void end_block(BlockSums *sums) {
        buffer_put_u64(&sums->sums, XXH3_64bits_digest(sums->state));
        (void) XXH3_64bits_reset(sums->state);
        sums->filled = 0;
}

void block_sums_update(BlockSums *sums, const void *data, size_t size) {
        const uint8_t *p = data;

        if (!sums->state) {
                sums->state = XXH3_createState();
                if (!sums->state) {
                        sums->sums.error = -ENOMEM;
                        return;
                }
                (void) XXH3_64bits_reset(sums->state);
        }

        sums->size += size;
        while (size > 0) {
                size_t n = MIN(size, BLOCK_SIZE - sums->filled);

                (void) XXH3_FOR(XXH3_64bits_update, n)(sums->state, p, n);
                sums->filled += n;
                p += n;
                size -= n;
                if (sums->filled == BLOCK_SIZE)
                        end_block(sums);
        }
}

/* The seed keeps a page from being accepted in the place of another page or of another value. */
static uint64_t sum_of_page(const void *page, size_t size, uint64_t version, uint64_t number) {
        return XXH3_64bits_withSeed(page, size, version * UINT64_C(0x9e3779b97f4a7c15) + number);
}

int block_sums_finish(BlockSums *sums, uint64_t version, Buffer *ret) {
        size_t n, start;

        if (sums->state && sums->filled > 0)
                end_block(sums);
        if (buffer_error(&sums->sums) < 0)
                return buffer_error(&sums->sums);

        n = count_blocks(sums->size);
        for (size_t i = 0; i < n; i += PAGE_SUMS) {
                start = ret->size;
                buffer_put_u64(ret, PAGE_MARK);
                buffer_put(ret, sums->sums.data + i * sizeof(uint64_t),
                           MIN(n - i, PAGE_SUMS) * sizeof(uint64_t));
                if (buffer_error(ret) < 0)
                        break;
                buffer_put_u64(ret, sum_of_page(ret->data + start, ret->size - start, version,
                                                i / PAGE_SUMS));
        }
        return buffer_error(ret);
}

BlockPlace block_place(uint64_t size, uint64_t block) {
        uint64_t n = count_blocks(size), page = block / PAGE_SUMS;

        assert(block < n);

        return (BlockPlace){
                .page = page,
                .offset = page * BLOCK_PAGE_SIZE,
                .size = (size_t) (MIN(n - page * PAGE_SUMS, PAGE_SUMS) + 2) * sizeof(uint64_t),
                .index = (size_t) (block % PAGE_SUMS),
        };
}

static uint64_t get_u64(const void *page, size_t offset) {
        uint64_t value;

        memcpy(&value, (const uint8_t *) page + offset, sizeof(value));
        return le64toh(value);
}

int block_page_check(const void *page, const BlockPlace *place, uint64_t version) {
        size_t size = place->size - sizeof(uint64_t);

        return get_u64(page, 0) == PAGE_MARK && get_u64(page, size) == sum_of_page(page, size,
                                                                                   version,
                                                                                   place->page)
                               ? 0
                               : -EBADMSG;
}

uint64_t block_page_get(const void *page, size_t index) {
        return get_u64(page, (index + 1) * sizeof(uint64_t));
}
