/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Blocks: checksums of the parts of a large value, so that a part can be verified without the rest.
 *
 * They follow the value in its file, in pages that have checksums of their own. A value of one
 * block has none, since its own checksum is enough. All integers are little-endian. */

#include "base/buffer.h"
#include "base/macro.h"

#define BLOCK_SIZE (64 * KIB)

/* Returns how many bytes follow a value of SIZE bytes; 0 for a value of at most one block. */
uint64_t blocks_trailer_size(uint64_t size) _const_;

/* XXH3-64 of a block; only the last one is shorter than BLOCK_SIZE. */
uint64_t block_sum(const void *data, size_t size) _pure_;

/* Computes the sums of a value that comes in pieces. */
typedef struct BlockSums {
        struct XXH3_state_s *state; /* of the block at hand; NULL at first */
        size_t filled;              /* bytes of it */
        Buffer sums;                /* of those before it */
        uint64_t size;              /* of all that came */
} BlockSums;

void block_sums_done(BlockSums *sums);
void block_sums_update(BlockSums *sums, const void *data, size_t size);

/* Writes what follows the value of this VERSION. Returns 0, or -ENOMEM if memory ran out at any
 * time. */
int block_sums_finish(BlockSums *sums, uint64_t version, Buffer *ret);

/* Where the sum of a block is: in which page, at which offset after the value, how long the page
 * is, and which of its sums it is. */
#define BLOCK_PAGE_SIZE 4096

typedef struct BlockPlace {
        uint64_t page, offset;
        size_t size, index;
} BlockPlace;

BlockPlace block_place(uint64_t size, uint64_t block);

/* Returns 0, or -EBADMSG for a damaged page or one of another value or place. */
int block_page_check(const void *page, const BlockPlace *place, uint64_t version);

/* Takes a sum out of a page that was checked. */
uint64_t block_page_get(const void *page, size_t index) _pure_;
