/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Room: by how much a database may grow, without asking the file system for each batch.
 *
 * A look is good for a second, if it has found plenty, and until batches have written so much that
 * they may have used it up: what is kept free (EnvironmentOptions.reserve_size) stays free as far
 * as batches go. Where there is little, each batch looks. Pure; one thread. */

#include "base/macro.h"

/* Below this there is little. */
#define ROOM_PLENTY (1 * GIB)

/* A byte that is written takes this many at most: in pages that are half full, or of its own, in
 * their mirror, and in the log. */
#define ROOM_PER_BYTE 16

#define ROOM_LOOK_USEC USEC_PER_SEC

typedef struct Room {
        uint64_t size;    /* that was found; 0 in the beginning */
        uint64_t written; /* since then */
        uint64_t looked_usec;
} Room;

/* Whether the last look tells that there is room. NOW_USEC is monotonic. */
bool room_is_certain(const Room *room, uint64_t now_usec) _pure_;

/* SIZE bytes were found to be left. */
void room_note(Room *room, uint64_t size, uint64_t now_usec);

/* A batch has written so many. */
void room_use(Room *room, uint64_t size);
