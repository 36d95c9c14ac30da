/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Replay: recognises numbers that were seen before, as in RFC 6479. A sender gives each number
 * once, and gives greater ones later; they may arrive out of order by up to REPLAY_WINDOW. */

#include "base/macro.h"

#define REPLAY_WINDOW 4096

typedef struct Replay {
        uint64_t highest;
        uint64_t seen[REPLAY_WINDOW / 64]; /* of the numbers up to the highest, by their lowest bits
                                            */
} Replay;

/* Takes note of NUMBER. Returns 0, or -EALREADY if it was seen before, is 0, or lies too far back
 * to know. */
int replay_note(Replay *replay, uint64_t number);
