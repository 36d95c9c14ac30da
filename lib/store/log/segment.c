/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "core/checksum.h"
#include "store/log/segment.h"

#define MAGIC  UINT64_C(0x676f6c746e766b64) /* "dkvntlog" */
#define FORMAT 1

typedef struct Header {
        uint64_t magic;
        uint32_t format;
        uint32_t number;
        uint64_t log_id;
        uint32_t previous, previous_end;
        uint8_t reserved[24]; /* 0 */
        uint64_t sum;         /* of what is before it */
} Header;

static_assert(sizeof(Header) == SEGMENT_HEADER_SIZE);

void segment_name(uint32_t number, char ret_name[static SEGMENT_NAME_SIZE]) {
        (void) snprintf(ret_name, SEGMENT_NAME_SIZE, "%010" PRIu32, number);
}

int segment_parse_name(const char *name, uint32_t *ret) {
        uint64_t number;

        if (strlen(name) != SEGMENT_NAME_SIZE - 1 || parse_u64(name, UINT32_MAX, &number) < 0 ||
            number == 0)
                return -EINVAL;

        *ret = (uint32_t) number;
        return 0;
}

static uint64_t header_sum(const Header *header) {
        return checksum_seeded(header, offsetof(Header, sum), 0);
}

void segment_header_encode(const SegmentHeader *header, uint8_t ret[static SEGMENT_HEADER_SIZE]) {
        Header encoded = {
                .magic = htole64(MAGIC),
                .format = htole32(FORMAT),
                .number = htole32(header->number),
                .log_id = htole64(header->log_id),
                .previous = htole32(header->previous.file),
                .previous_end = htole32(header->previous.offset),
        };

        encoded.sum = htole64(header_sum(&encoded));
        memcpy(ret, &encoded, sizeof(encoded));
}

int segment_header_decode(const uint8_t data[static SEGMENT_HEADER_SIZE], SegmentHeader *ret) {
        Header encoded;

        memcpy(&encoded, data, sizeof(encoded));
        if (le64toh(encoded.magic) != MAGIC || le64toh(encoded.sum) != header_sum(&encoded))
                return -EBADMSG;
        if (le32toh(encoded.format) != FORMAT)
                return -EPROTONOSUPPORT;

        *ret = (SegmentHeader){
                .log_id = le64toh(encoded.log_id),
                .number = le32toh(encoded.number),
                .previous = { le32toh(encoded.previous), le32toh(encoded.previous_end) },
        };
        return 0;
}
