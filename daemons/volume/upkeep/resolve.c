/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/periodic.h"
#include "core/call/wire.h"
#include "volume/link/caller.h"
#include "volume/upkeep/report.h"
#include "volume/upkeep/resolve.h"
#include "volume/volume.h"

#define BATCH_MAX     1024
#define INTERVAL_USEC USEC_PER_SEC

/* A sweep reads what nobody has read for long, and the main loop is not to be away for longer. */
#define SWEEP_USEC (200 * USEC_PER_MSEC)

struct Settle {
        VolumeDaemon *volume; /* not owned */
        Periodic *timer;
        bool busy; /* atomic: a call is under way, and the rest belongs to it */
        uint64_t versions[BATCH_MAX];
        size_t n_versions;
        uint64_t swept; /* the last of those that a sweep has asked for; 0 for none */
};

static void on_answer(HttpCall *call, const HttpResult *result, void *userdata) {
        Settle *settle = userdata;

        /* Current or garbage, the master knows about it now. Without an answer we ask again. */
        if (master_call_result(settle->volume, result) == 0) {
                for (size_t i = 0; i < settle->n_versions; i++)
                        pending_remove(settle->volume->pending, settle->versions[i]);
                if (settle->swept > 0)
                        sweep_done(settle->volume->sweep, settle->swept);
        }

        __atomic_store_n(&settle->busy, false, __ATOMIC_RELEASE);
}

/* A damaged one is asked about as well, if its record tells its key; if it is current, the master
 * hears that it is damaged. */
static int put_damaged(VolumeDaemon *volume, uint64_t version, int error, Buffer *body) {
        _cleanup_(buffer_done) Buffer key = {};
        int r;

        if (damage_kind_of_error(error) == DAMAGE_NONE)
                return error;
        r = object_store_key(volume->store, version, &key);
        if (r < 0)
                return r;

        (void) damage_found(volume->damage, (const char *) key.data, version, error);
        buffer_put_u64(body, version);
        wire_put_key(body, (const char *) key.data);
        return buffer_error(body);
}

/* Adds the object's key. One that is not there is being stored right now. */
static int put_item(VolumeDaemon *volume, uint64_t version, Buffer *scratch, Buffer *body) {
        _cleanup_close_ int fd = -1;
        Object object;
        int r;

        r = object_store_get(volume->store, version, scratch, &object, &fd);
        if (r == -ENOENT)
                return r;
        if (version > RECORD_VERSION_MAX)
                return -EINVAL; /* of no master; it would have all others refused */
        if (r < 0)
                return put_damaged(volume, version, r, body);

        buffer_put_u64(body, version);
        wire_put_key(body, object.key);
        return buffer_error(body);
}

static int ask(Settle *settle) {
        VolumeDaemon *volume = settle->volume;
        _cleanup_(buffer_done) Buffer body = {}, scratch = {};
        uint64_t versions[BATCH_MAX], grace = report_grace_usec(volume->report), until_usec;
        size_t n, n_swept;
        int r;

        if (grace == 0)
                return 0;

        n = pending_old(volume->pending, grace, versions, BATCH_MAX);
        n_swept = sweep_next(volume->sweep, versions + n, BATCH_MAX - n);
        settle->swept = 0;
        buffer_put_u32(&body, (uint32_t) volume->conf.number);
        settle->n_versions = 0;
        until_usec = clock_monotonic() + SWEEP_USEC;
        for (size_t i = 0; i < n + n_swept; i++) {
                if (i > n && clock_monotonic() >= until_usec)
                        break; /* the rest of the sweep goes on from there */
                if (i >= n)
                        settle->swept = versions[i];
                /* What a sweep finds and is pending has its own time. */
                if (i >= n && pending_contains(volume->pending, versions[i]))
                        continue;
                if (put_item(volume, versions[i], &scratch, &body) >= 0)
                        settle->versions[settle->n_versions++] = versions[i];
        }
        if (settle->n_versions == 0) {
                sweep_done(volume->sweep, settle->swept);
                return 0;
        }

        __atomic_store_n(&settle->busy, true, __ATOMIC_RELAXED);
        r = master_call(volume, CALL_SETTLE, &body, on_answer, settle);
        if (r < 0)
                __atomic_store_n(&settle->busy, false, __ATOMIC_RELAXED);
        return r == -EINPROGRESS ? 0 : r;
}

static void on_tick(void *userdata) {
        Settle *settle = userdata;
        int r;

        if (__atomic_load_n(&settle->busy, __ATOMIC_ACQUIRE))
                return;

        pending_save(settle->volume->pending);
        r = ask(settle);
        if (r < 0)
                (void) log_warning_errno(
                                r, "Failed to ask about pending objects, trying again: %m");
}

int settle_new(VolumeDaemon *volume, Settle **ret) {
        _cleanup_(settle_freep) Settle *settle = NULL;
        int r;

        settle = malloc(sizeof(*settle));
        if (!settle)
                return -ENOMEM;

        *settle = (Settle){ .volume = volume };
        r = periodic_new(
                        volume->event, INTERVAL_USEC, INTERVAL_USEC, on_tick, settle,
                        &settle->timer);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(settle);
        return 0;
}

Settle *settle_free(Settle *settle) {
        if (!settle)
                return NULL;

        (void) periodic_free(settle->timer);
        free(settle);
        return NULL;
}
