/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "store/environment/room.h"

bool room_is_certain(const Room *room, uint64_t now_usec) {
        return room->size >= ROOM_PLENTY && room->written < room->size / ROOM_PER_BYTE &&
               now_usec < room->looked_usec + ROOM_LOOK_USEC;
}

void room_note(Room *room, uint64_t size, uint64_t now_usec) {
        *room = (Room){ .size = size, .looked_usec = now_usec };
}

void room_use(Room *room, uint64_t size) {
        room->written += size;
}
