/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Entry: how something lies in a segment of a log.
 *
 * A header of 32 bytes, then the data, padded to a multiple of 8. The header has a checksum of its
 * own, so that an entry whose data are damaged can be stepped over, and both checksums depend on
 * the log, the segment and the offset: what is left of a segment's former life, or was copied from
 * elsewhere, is never taken for an entry.
 *
 * The header also says where the append began that the entry is part of. An append is not begun
 * before the one before it is on the disk. So a whole entry proves that everything before that was
 * there once: this tells damage from a tail that was torn by a loss of power. */

#include "base/buffer.h"

#define ENTRY_HEADER_SIZE ((size_t) 32)
#define ENTRY_ALIGNMENT   ((size_t) 8)
#define ENTRY_DATA_MAX    (4 * MIB)

typedef struct LogEntry {
        uint8_t kind; /* what it is, and a number: both are the owner's */
        uint64_t tag;
        uint32_t size;       /* of the data */
        uint32_t begun;      /* where the append began */
        bool is_damaged;     /* the header is sound, and the data are not */
        const uint8_t *data; /* borrowed */
} LogEntry;

/* How many bytes an entry takes, with its header. */
size_t entry_size(size_t data_size) _const_;

/* The seed of all entries of one segment of one log. */
uint64_t entry_seed(uint64_t log_id, uint32_t segment) _const_;

/* Adds the entry as it will lie at OFFSET. */
void entry_encode(const LogEntry *entry, uint64_t seed, uint32_t offset, Buffer *buffer);

/* Reads a header of ENTRY_HEADER_SIZE bytes that was found at OFFSET. Returns 0 or -EBADMSG. */
int entry_decode_header(const uint8_t *header, uint64_t seed, uint32_t offset, LogEntry *ret);

/* Compares the data, which follow the header. Returns 0 or -EBADMSG. */
int entry_verify(const uint8_t *header, const LogEntry *entry, uint64_t seed, uint32_t offset);
