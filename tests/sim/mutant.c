/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "sim/mutant.h"

Mutant mutant;

static const char *const names[_MUTANT_MAX] = {
        [MUTANT_NONE] = "none",
        [MUTANT_FIGURE_8] = "figure-8",
        [MUTANT_SHORT_LOG] = "short-log",
        [MUTANT_TWO_VOTES] = "two-votes",
        [MUTANT_NO_CUT] = "no-cut",
        [MUTANT_STALE_WRITTEN] = "stale-written",
        [MUTANT_EARLY_ANSWER] = "early-answer",
        [MUTANT_EARLY_CHANGE] = "early-change",
        [MUTANT_TWO_CHANGES] = "two-changes",
        [MUTANT_LEASE_OF_TWO] = "lease-of-two",
        [MUTANT_FORGOTTEN_VOTE] = "forgotten-vote",
        [MUTANT_UNFLUSHED_VOTE] = "unflushed-vote",
        [MUTANT_UNFLUSHED_WRITE] = "unflushed-write",
        [MUTANT_NO_PROBE] = "no-probe",
        [MUTANT_LOSSY_SNAPSHOT] = "lossy-snapshot",
        [MUTANT_ENDLESS_LEASE] = "endless-lease",
        [MUTANT_LOST_RESET] = "lost-reset",
        [MUTANT_UNFLUSHED_APPEND] = "unflushed-append",
        [MUTANT_UNSETTLED_START] = "unsettled-start",
        [MUTANT_TORN_TAIL] = "torn-tail",
        [MUTANT_GREEDY_COMPACTION] = "greedy-compaction",
};

const char *mutant_name(Mutant which) {
        return names[which];
}

Mutant mutant_from_name(const char *name) {
        Mutant which = MUTANT_NONE;

        while (which < _MUTANT_MAX && strcmp(names[which], name) != 0)
                which++;
        return which;
}
