/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "master/lead/strangers.h"

#define GONE_USEC (10 * USEC_PER_SEC)

static Stranger *find(Strangers *strangers, uint32_t volume) {
        for (size_t i = 0; i < strangers->n; i++)
                if (strangers->all[i].volume == volume)
                        return strangers->all + i;
        return NULL;
}

const Stranger *strangers_find(const Strangers *strangers, uint32_t volume) {
        return find((Strangers *) strangers, volume);
}

void strangers_note(Strangers *strangers, const LeadReport *report, uint64_t now) {
        Stranger *stranger = find(strangers, report->volume);

        if (!stranger && strangers->n < STRANGERS_MAX)
                stranger = strangers->all + strangers->n++;
        if (stranger)
                *stranger = (Stranger){
                        .volume = report->volume,
                        .objects = report->objects,
                        .seen_usec = now,
                        .is_bound = report->is_bound,
                };
}

void strangers_forget(Strangers *strangers, uint64_t now) {
        for (size_t i = strangers->n; i > 0; i--)
                if (now >= strangers->all[i - 1].seen_usec + GONE_USEC)
                        strangers->all[i - 1] = strangers->all[--strangers->n];
}

static int compare(const void *a, const void *b) {
        const Stranger *x = a, *y = b;

        return (x->volume > y->volume) - (x->volume < y->volume);
}

void strangers_explain(Strangers *strangers, char *ret, size_t size) {
        char numbers[64] = "", *end = numbers, *limit = numbers + sizeof(numbers);
        uint64_t objects = 0;
        size_t n = strangers->n, shown = MIN(n, (size_t) 4);

        qsort(strangers->all, n, sizeof(*strangers->all), compare);
        for (size_t i = 0; i < n; i++) {
                objects += strangers->all[i].objects;
                if (i < shown)
                        end += snprintf(end, (size_t) (limit - end), "%s%" PRIu32,
                                        i == 0       ? ""
                                        : i + 1 == n ? " and "
                                                     : ", ",
                                        strangers->all[i].volume);
        }
        if (n > shown)
                (void) snprintf(end, (size_t) (limit - end), " and %zu others", n - shown);

        (void) snprintf(ret, size,
                        "Volume%s %s hold%s %" PRIu64 " value%s that this index does not know",
                        n == 1 ? "" : "s", numbers, n == 1 ? "s" : "", objects,
                        objects == 1 ? "" : "s");
}
