/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/periodic.h"
#include "core/call/wire.h"
#include "volume/upkeep/resolve.h"

#define BATCH_MAX     1024
#define INTERVAL_USEC USEC_PER_SEC

/* A sweep reads objects that nobody has read for a long time. The main loop must not be away
 * longer than this. */
#define SWEEP_USEC (200 * USEC_PER_MSEC)

struct Resolver {
        ResolverOptions options;
        Periodic *timer;
        atomic_bool is_busy; /* a call is under way, and owns the rest */
        uint64_t versions[BATCH_MAX];
        size_t n_versions;
        uint64_t swept; /* the last version that a sweep asked about; 0 for none */
};

static void on_answer(const RpcResult *result, void *userdata) {
        Resolver *resolver = userdata;

        /* Whether they are current or garbage, the master knows about them now. Without an
         * answer they are asked about again. */
        if (master_link_result(resolver->options.master, result) == 0) {
                for (size_t i = 0; i < resolver->n_versions; i++)
                        pending_remove(resolver->options.copies->pending, resolver->versions[i]);
                if (resolver->swept > 0)
                        sweep_done(resolver->options.sweep, resolver->swept);
        }

        atomic_store(&resolver->is_busy, false);
}

static int put_version(Buffer *body, uint64_t version, const char *key) {
        buffer_put_u64(body, version);
        wire_put_key(body, key);
        return buffer_error(body);
}

/* A damaged object is asked about as well, if its record tells its key. If it is current, the
 * master hears that it is damaged. */
static int put_damaged(const Copies *copies, uint64_t version, int error, Buffer *body) {
        _cleanup_(buffer_done) Buffer key = {};
        int r;

        if (damage_kind_of_error(error) == DAMAGE_NONE)
                return error;
        r = object_store_key(copies->store, version, &key);
        if (r < 0)
                return r;

        (void) damage_found(copies->damage, (const char *) key.data, version, error);
        return put_version(body, version, (const char *) key.data);
}

/* Adds the object's key. An object that is not there is being stored right now. */
static int put_item(const Copies *copies, uint64_t version, Buffer *scratch, Buffer *body) {
        _cleanup_close_ int fd = -1;
        Object object;
        int r;

        r = object_store_get(copies->store, version, scratch, &object, &fd);
        if (r == -ENOENT)
                return r;
        if (version > RECORD_VERSION_MAX)
                return -EINVAL; /* no master gave it out, and would refuse the whole question */
        if (r < 0)
                return put_damaged(copies, version, r, body);

        return put_version(body, version, object.key);
}

/* Chooses what to ask about, and writes it to the body. */
static void choose(Resolver *resolver, uint64_t grace_usec, Buffer *body) {
        const ResolverOptions *options = &resolver->options;
        _cleanup_(buffer_done) Buffer scratch = {};
        uint64_t versions[BATCH_MAX], until_usec;
        size_t n, n_swept;

        n = pending_old(options->copies->pending, grace_usec, versions, BATCH_MAX);
        n_swept = sweep_next(options->sweep, versions + n, BATCH_MAX - n);
        resolver->swept = 0;
        resolver->n_versions = 0;

        until_usec = clock_monotonic() + SWEEP_USEC;
        for (size_t i = 0; i < n + n_swept; i++) {
                if (i > n && clock_monotonic() >= until_usec)
                        break; /* the sweep goes on from there the next time */
                if (i >= n)
                        resolver->swept = versions[i];
                /* An object in doubt is asked about in its own time, not by the sweep. */
                if (i >= n && pending_contains(options->copies->pending, versions[i]))
                        continue;
                if (put_item(options->copies, versions[i], &scratch, body) >= 0)
                        resolver->versions[resolver->n_versions++] = versions[i];
        }
}

static int ask(Resolver *resolver) {
        const ResolverOptions *options = &resolver->options;
        uint64_t grace_usec = report_grace_usec(options->report);
        _cleanup_(buffer_done) Buffer body = {};
        int r;

        if (grace_usec == 0)
                return 0; /* the master has not told it yet */

        buffer_put_u32(&body, options->number);
        choose(resolver, grace_usec, &body);
        if (resolver->n_versions == 0) {
                sweep_done(options->sweep, resolver->swept);
                return 0;
        }

        atomic_store(&resolver->is_busy, true);
        r = master_link_call(options->master, CALL_SETTLE, &body, on_answer, resolver);
        if (r < 0)
                atomic_store(&resolver->is_busy, false);
        return r == -EINPROGRESS ? 0 : r;
}

static void on_tick(void *userdata) {
        Resolver *resolver = userdata;
        int r;

        if (atomic_load(&resolver->is_busy))
                return;

        pending_save(resolver->options.copies->pending);
        r = ask(resolver);
        if (r < 0)
                (void) log_warning_errno(
                                r, "Failed to ask about pending objects, trying again: %m");
}

int resolver_new(const ResolverOptions *options, Resolver **ret) {
        _cleanup_(resolver_freep) Resolver *resolver = NULL;
        int r;

        resolver = malloc(sizeof(*resolver));
        if (!resolver)
                return -ENOMEM;

        *resolver = (Resolver){ .options = *options };
        r = periodic_new(
                        options->event, INTERVAL_USEC, INTERVAL_USEC, on_tick, resolver,
                        &resolver->timer);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(resolver);
        return 0;
}

Resolver *resolver_free(Resolver *resolver) {
        if (!resolver)
                return NULL;

        (void) periodic_free(resolver->timer);
        free(resolver);
        return NULL;
}
