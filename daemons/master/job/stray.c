/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "master/job/pass.h"
#include "master/job/stray.h"
#include "master/master.h"

#define ITEMS_MAX 4096

bool stray_is_there(Jobs *jobs, const Stray *stray) {
        return index_is_stray(jobs->master->index, stray->version, stray->volume);
}

/* Of more than ITEMS_MAX this finds a moment that is too early rather than none. */
uint64_t stray_due(Jobs *jobs, const Stray *stray) {
        _cleanup_free_ Garbage *items = calloc(ITEMS_MAX, sizeof(*items));
        uint64_t due = 0;
        int n;

        if (!items)
                return 0;

        n = index_garbage(jobs->master->index, stray->volume, UINT64_MAX - 1, items, ITEMS_MAX);
        for (int i = 0; i < n; i++) {
                due = items[i].due_usec;
                if (items[i].version == stray->version)
                        break;
        }
        return due;
}

bool pass_wait_for_strays(Pass *pass) {
        Job *job = pass->job;
        uint64_t due, now = clock_realtime();
        time_t seconds;
        struct tm tm;
        char time[16];

        if (pass->n_strays == 0)
                return false;

        due = stray_due(pass->jobs, &pass->stray);
        seconds = (time_t) (due / USEC_PER_SEC);
        if (due <= now || !localtime_r(&seconds, &tm) ||
            strftime(time, sizeof(time), "%H:%M:%S", &tm) == 0)
                return false; /* at any moment */

        job_explain(job, "Waits until %s, when old copies are deleted.", time);
        (void) pthread_mutex_lock(&job->jobs->lock);
        job->status.waits_until_usec = due;
        (void) pthread_mutex_unlock(&job->jobs->lock);
        return true;
}
