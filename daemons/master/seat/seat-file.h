/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Seat file: which member of which group a master is. It lies in the master's directory, which is
 * of a master alone if it is not there. It is made once, with the group or when the master joins
 * it, and says from its first start on that there is a log: whose log is missing then has forgotten
 * what it has promised, and must not take part. */

#include "base/buffer.h"
#include "consensus/message.h"

#define SEAT_FILE "seat"

typedef struct SeatFile {
        uint8_t group[GROUP_ID_SIZE]; /* random, for ever */
        uint64_t self;                /* the member's number */
        bool has_log;
} SeatFile;

/* Returns 0; -ENOENT if this is no member of a group; -EBADMSG for a damaged file;
 * -EPROTONOSUPPORT for one of a later release; or another negative errno. */
int seat_file_read(const char *directory, SeatFile *ret);

/* Replaces the file, durably. Returns 0 or a negative errno. */
int seat_file_write(const char *directory, const SeatFile *file);

/* From bytes and to them: also what members are told of each other. */
void seat_file_encode(const SeatFile *file, Buffer *buffer);
int seat_file_decode(const void *data, size_t size, SeatFile *ret);
