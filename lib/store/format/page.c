/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "store/format/page.h"

/* Where things are in a page of Berkeley DB 5.3, in the byte order of this machine. */
enum {
        NUMBER_OFFSET = 8, /* behind the LSN */
        FREE_FROM_OFFSET = 22,
        TYPE_OFFSET = 25,
        CHECKSUM_OFFSET = 28, /* behind the header and its padding */

        META_FIRST_FREE_OFFSET = 28,
        META_LAST_OFFSET = 32,
        META_CHECKSUM_OFFSET = 492,
        META_SIZE = 512, /* this much of a meta page is checked */

        TYPE_INVALID = 0, /* free, or never written */
        TYPE_BRANCH = 3,
        TYPE_META = 9,

        UNLOGGED_LSN_OFFSET = 1,
};

/* Four bytes a step, because one at a time waits for the multiplication each time. */
static uint32_t hash_more(uint32_t hash, const uint8_t *p, size_t size) {
        enum { P1 = 33, P2 = P1 * P1, P3 = P2 * P1, P4 = P3 * P1 };

        for (; size >= 4; p += 4, size -= 4)
                hash = hash * P4 + p[0] * (uint32_t) P3 + p[1] * (uint32_t) P2 +
                       p[2] * (uint32_t) P1 + p[3];
        for (; size > 0; p++, size--)
                hash = hash * P1 + *p;

        return hash;
}

uint32_t page_hash(const uint8_t *data, size_t size) {
        return hash_more(0, data, size);
}

static uint32_t read_u32(const uint8_t *p) {
        uint32_t value;

        memcpy(&value, p, sizeof(value));
        return value;
}

bool page_is_hole(const uint8_t page[static PAGE_SIZE]) {
        static const uint8_t zeroes[NUMBER_OFFSET + sizeof(uint32_t)] = {};

        return page[TYPE_OFFSET] == TYPE_INVALID && memcmp(page, zeroes, sizeof(zeroes)) == 0;
}

bool page_leads(const uint8_t page[static PAGE_SIZE], uint32_t number) {
        return !page_is_hole(page) &&
               (number < PAGES_ALWAYS_LEADING || page[TYPE_OFFSET] == TYPE_BRANCH);
}

bool page_is_sound(const uint8_t page[static PAGE_SIZE], uint32_t number) {
        static const uint8_t zeroes[sizeof(uint32_t)] = {};
        bool is_meta = page[TYPE_OFFSET] == TYPE_META;
        size_t size = is_meta ? META_SIZE : PAGE_SIZE;
        size_t checksum = is_meta ? META_CHECKSUM_OFFSET : CHECKSUM_OFFSET;
        uint32_t hash;

        if (page_is_hole(page))
                return true;

        /* The checksum counts as zero in its own calculation. */
        hash = hash_more(0, page, checksum);
        hash = hash_more(hash, zeroes, sizeof(uint32_t));
        hash = hash_more(
                        hash, page + checksum + sizeof(uint32_t),
                        size - checksum - sizeof(uint32_t));

        return hash == read_u32(page + checksum) && read_u32(page + NUMBER_OFFSET) == number;
}

void page_make_unlogged(uint32_t number, uint8_t ret_page[static PAGE_SIZE]) {
        const uint32_t lsn[] = { 0, UNLOGGED_LSN_OFFSET };
        const uint16_t free_from = PAGE_SIZE;
        uint32_t hash;

        memset(ret_page, 0, PAGE_SIZE);
        memcpy(ret_page, lsn, sizeof(lsn));
        memcpy(ret_page + NUMBER_OFFSET, &number, sizeof(number));
        memcpy(ret_page + FREE_FROM_OFFSET, &free_from, sizeof(free_from));
        hash = hash_more(0, ret_page, PAGE_SIZE);
        memcpy(ret_page + CHECKSUM_OFFSET, &hash, sizeof(hash));
}

void page_spoil(uint8_t page[static PAGE_SIZE]) {
        memset(page + NUMBER_OFFSET, 0xff, sizeof(uint32_t));
}

PageExtent page_extent(const uint8_t meta[static PAGE_SIZE]) {
        return (PageExtent){
                .size = (read_u32(meta + META_LAST_OFFSET) + UINT64_C(1)) * PAGE_SIZE,
                .has_free = read_u32(meta + META_FIRST_FREE_OFFSET) != 0,
        };
}
