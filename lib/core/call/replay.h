/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Replay: tells numbers that were seen already, as RFC 6479 does. A sender gives each number once,
 * and gives greater ones later; they may overtake each other by REPLAY_WINDOW. */

#include "base/macro.h"

#define REPLAY_WINDOW 4096

typedef struct Replay {
        uint64_t highest;
        uint64_t seen[REPLAY_WINDOW / 64]; /* of the numbers up to the highest, by their lowest bits
                                            */
} Replay;

/* Takes note of NUMBER. Returns 0, or -EALREADY if it was seen before, is 0, or lies so far back
 * that nobody knows. */
int replay_note(Replay *replay, uint64_t number);
