/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <endian.h>
#include <string.h>

#include "core/checksum.h"
#include "store/log/entry.h"

#define FORMAT 0x41

/* As it lies on the disk, little-endian. */
typedef struct Header {
        uint32_t size;
        uint8_t format;
        uint8_t kind;
        uint16_t reserved; /* 0 */
        uint64_t tag;
        uint32_t begun;
        uint32_t header_sum; /* of what is before it */
        uint64_t data_sum;
} Header;

static_assert(sizeof(Header) == ENTRY_HEADER_SIZE);

size_t entry_size(size_t data_size) {
        return (ENTRY_HEADER_SIZE + data_size + ENTRY_ALIGNMENT - 1) / ENTRY_ALIGNMENT *
               ENTRY_ALIGNMENT;
}

uint64_t entry_seed(uint64_t log_id, uint32_t segment) {
        return checksum_seeded(&segment, sizeof(segment), log_id);
}

static uint32_t header_sum(const Header *header, uint64_t seed, uint32_t offset) {
        return (uint32_t) checksum_seeded(header, offsetof(Header, header_sum), seed + offset);
}

static uint64_t data_sum(const uint8_t *data, size_t size, uint64_t seed, uint32_t offset) {
        return checksum_seeded(data, size, seed + offset);
}

void entry_encode(const LogEntry *entry, uint64_t seed, uint32_t offset, Buffer *buffer) {
        static const uint8_t padding[ENTRY_ALIGNMENT];
        size_t unpadded = ENTRY_HEADER_SIZE + entry->size;
        Header header = {
                .size = htole32(entry->size),
                .format = FORMAT,
                .kind = entry->kind,
                .tag = htole64(entry->tag),
                .begun = htole32(entry->begun),
                .data_sum = htole64(data_sum(entry->data, entry->size, seed, offset)),
        };

        assert(entry->size <= ENTRY_DATA_MAX);

        header.header_sum = htole32(header_sum(&header, seed, offset));
        buffer_put(buffer, &header, sizeof(header));
        buffer_put(buffer, entry->data, entry->size);
        buffer_put(buffer, padding, entry_size(entry->size) - unpadded);
}

int entry_decode_header(const uint8_t *data, uint64_t seed, uint32_t offset, LogEntry *ret) {
        Header header;

        memcpy(&header, data, sizeof(header));
        if (header.format != FORMAT || header.reserved != 0 ||
            le32toh(header.size) > ENTRY_DATA_MAX ||
            le32toh(header.header_sum) != header_sum(&header, seed, offset))
                return -EBADMSG;

        *ret = (LogEntry){
                .kind = header.kind,
                .tag = le64toh(header.tag),
                .size = le32toh(header.size),
                .begun = le32toh(header.begun),
        };
        return 0;
}

int entry_verify(const uint8_t *data, const LogEntry *entry, uint64_t seed, uint32_t offset) {
        uint64_t expected;

        memcpy(&expected, data + offsetof(Header, data_sum), sizeof(expected));
        return data_sum(data + ENTRY_HEADER_SIZE, entry->size, seed, offset) == le64toh(expected)
                               ? 0
                               : -EBADMSG;
}
