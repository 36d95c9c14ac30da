/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <inttypes.h>

#include "core/limits.h"
#include "master/health/clocks.h"

#define TOLD_USEC (int64_t)(CLOCK_SKEW_TOLD_SEC * USEC_PER_SEC)

/* Volumes that differ from each other by no more than this agree. */
#define AGREE_USEC (int64_t)(2 * USEC_PER_SEC)

static int64_t size_of(int64_t skew) {
        return skew < 0 ? -skew : skew;
}

static int64_t seconds_of(int64_t skew) {
        return (size_of(skew) + (int64_t) USEC_PER_SEC / 2) / (int64_t) USEC_PER_SEC;
}

/* Whether all that report, and there is more than one, agree with each other and not with us. */
static bool find_common(const VolumeStatus volumes[], size_t n, int64_t *ret) {
        size_t n_reports = 0;
        int64_t first = 0;

        for (size_t i = 0; i < n; i++) {
                if (!volumes[i].reports)
                        continue;
                if (n_reports++ == 0)
                        first = volumes[i].skew_usec;
                if (size_of(volumes[i].skew_usec - first) > AGREE_USEC)
                        return false;
        }
        *ret = first;
        return n_reports > 1 && size_of(first) >= TOLD_USEC;
}

void clocks_look(Troubles *troubles, const VolumeStatus volumes[], size_t n) {
        int64_t common;
        bool is_ours = find_common(volumes, n, &common);

        if (is_ours)
                troubles_note(troubles, TROUBLE_MASTER_CLOCK, 0, "%" PRIi64 " s %s",
                              seconds_of(common), common > 0 ? "behind" : "ahead of");
        else
                troubles_clear(troubles, TROUBLE_MASTER_CLOCK, 0);

        for (size_t i = 0; i < n; i++) {
                int64_t skew = volumes[i].skew_usec;

                if (!is_ours && volumes[i].reports && size_of(skew) >= TOLD_USEC)
                        troubles_note(troubles, TROUBLE_CLOCK, volumes[i].number,
                                      "%" PRIi64 " s %s", seconds_of(skew),
                                      skew > 0 ? "ahead of" : "behind");
                else
                        troubles_clear(troubles, TROUBLE_CLOCK, volumes[i].number);
        }
}
