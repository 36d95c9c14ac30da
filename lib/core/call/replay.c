/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "core/call/replay.h"

/* Forgets the old numbers whose bits the numbers after the highest one use. */
static void advance(Replay *replay, uint64_t number) {
        if (number - replay->highest >= REPLAY_WINDOW)
                memset(replay->seen, 0, sizeof(replay->seen));
        else
                for (uint64_t n = replay->highest + 1; n <= number; n++)
                        replay->seen[n % REPLAY_WINDOW / 64] &= ~(UINT64_C(1) << n % 64);
        replay->highest = number;
}

int replay_note(Replay *replay, uint64_t number) {
        uint64_t bit = UINT64_C(1) << number % 64;
        uint64_t *word = replay->seen + number % REPLAY_WINDOW / 64;

        if (number == 0)
                return -EALREADY;
        if (number > replay->highest)
                advance(replay, number);
        else if (replay->highest - number >= REPLAY_WINDOW)
                return -EALREADY;

        if (*word & bit)
                return -EALREADY;
        *word |= bit;
        return 0;
}
