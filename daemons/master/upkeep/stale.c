/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "master/upkeep/stale.h"
#include "master/upkeep/store-check.h"
#include "store/index/rollback.h"

#define STATE_FORMAT 2
#define STATE_NAME   "stale-%" PRIu32
#define NAME_SIZE    sizeof("stale-4294967295")

#define STORES_MAX 1024
#define RETRY_USEC USEC_PER_SEC
#define TRIES_MAX  3 /* of a page; then another store has its turn */

/* A store that went back. */
typedef struct StaleStore {
        uint32_t volume;
        uint64_t since_usec; /* since the epoch; tells one time from another */
        uint64_t version;    /* the highest that it had when this was noticed */
        bool is_rollback; /* it is the index that went back, and an administrator accepted that */
        bool is_checked;
        bool is_unsaved; /* the index has not taken what is said above */
} StaleStore;

/* What was seen of a store before. */
typedef struct Seen {
        uint64_t mark;    /* of the index, when it reported last: it has this, or is stale */
        uint64_t objects; /* that it had ever stored */
        uint64_t damaged_pages;
        bool is_suspect; /* a report that comes late looks alike, so two are needed */
        bool is_known;
} Seen;

struct Stale {
        StaleOptions options;
        pthread_t thread;
        bool has_thread;
        StoreCheck *check; /* of the thread; owned */

        pthread_mutex_t lock; /* for the rest */
        pthread_cond_t changed;
        bool stopping;
        atomic_uint n_avoided; /* stores that are the last choice for readers */
        StaleStore stores[STORES_MAX];
        size_t n_stores;
        bool has_failed_to_save;
        Seen *seen; /* by number */
        size_t n_seen;
};

static StaleStore *find(Stale *stale, uint32_t volume) {
        for (size_t i = 0; i < stale->n_stores; i++)
                if (stale->stores[i].volume == volume)
                        return stale->stores + i;
        return NULL;
}

/* With the lock held: what the others may have to know. */
static void note(Stale *stale) {
        unsigned n = 0;

        for (size_t i = 0; i < stale->n_stores; i++) {
                const StaleStore *store = stale->stores + i;

                if (store->is_checked || store->is_rollback)
                        continue;
                n++;
                troubles_note(stale->options.troubles, TROUBLE_WENT_BACK, store->volume,
                              "what it has is compared with the index");
        }
        atomic_store(&stale->n_avoided, n);
        (void) pthread_cond_broadcast(&stale->changed);
}

typedef struct Save {
        IndexSet set;
        char name[NAME_SIZE];
        Buffer buffer;
        Stale *stale; /* not owned */
        uint32_t volume;
        uint64_t since_usec; /* 0 if this deletes */
} Save;

/* The next report stores it then: after a restart nobody could find it out again, if something was
 * stored on the volume meanwhile. */
static void note_unsaved(Stale *stale, const Save *save, int error) {
        StaleStore *store;

        (void) pthread_mutex_lock(&stale->lock);
        store = find(stale, save->volume);
        if (store && store->since_usec == save->since_usec)
                store->is_unsaved = true;
        if (!stale->has_failed_to_save)
                (void) log_warning_errno(
                                error,
                                "Failed to store that a volume is older, trying again with its next report: %m");
        stale->has_failed_to_save = true;
        (void) pthread_mutex_unlock(&stale->lock);
}

static void on_saved(IndexRequest *request, IndexResult result) {
        Save *save = CONTAINER_OF(request, Save, set.request);

        if (result.error < 0 && save->since_usec > 0) /* else it is looked through once more */
                note_unsaved(save->stale, save, result.error);
        buffer_done(&save->buffer);
        free(save);
}

/* With the lock held. STORE of NULL deletes. */
static void save(Stale *stale, uint32_t volume, const StaleStore *store) {
        Save *save = calloc(1, sizeof(*save));

        if (!save)
                return;

        (void) snprintf(save->name, sizeof(save->name), STATE_NAME, volume);
        save->stale = stale;
        save->volume = volume;
        if (store) {
                save->since_usec = store->since_usec;
                buffer_put_u8(&save->buffer, STATE_FORMAT);
                buffer_put_u64(&save->buffer, store->since_usec);
                buffer_put_u64(&save->buffer, store->version);
                buffer_put_u8(&save->buffer, store->is_rollback);
                buffer_put_u8(&save->buffer, store->is_checked);
        }
        save->set = (IndexSet){
                .request.done = on_saved,
                .name = save->name,
                .data = save->buffer.data,
                .size = save->buffer.size,
        };
        index_set(stale->options.index, &save->set);
}

static int load_store(Stale *stale, uint32_t volume) {
        StaleStore *store = stale->stores + stale->n_stores;
        _cleanup_(buffer_done) Buffer buffer = {};
        char name[NAME_SIZE];
        Reader reader;
        int r;

        (void) snprintf(name, sizeof(name), STATE_NAME, volume);
        r = index_get_state(stale->options.index, name, &buffer);
        if (r < 0 || stale->n_stores == STORES_MAX)
                return r == -ENOENT ? 0 : MIN(r, 0);

        reader = READER(buffer.data, buffer.size);
        if (reader_get_u8(&reader) != STATE_FORMAT)
                return reader_error(&reader) < 0 ? -EBADMSG : -EPROTONOSUPPORT;
        store->volume = volume;
        store->since_usec = reader_get_u64(&reader);
        store->version = reader_get_u64(&reader);
        store->is_rollback = reader_get_u8(&reader);
        store->is_checked = reader_get_u8(&reader);
        if (reader_end(&reader) < 0)
                return -EBADMSG;

        stale->n_stores++;
        return 0;
}

static int load(Stale *stale) {
        _cleanup_free_ VolumeStatus *volumes = NULL;
        uint64_t epoch;
        size_t n;
        int r;

        r = volumes_list(stale->options.volumes, &volumes, &n, &epoch);
        for (size_t i = 0; i < n && r >= 0; i++)
                r = load_store(stale, volumes[i].number);
        note(stale);
        return r;
}

static Seen *seen_of(Stale *stale, uint32_t volume) {
        Seen *seen;

        if (volume >= stale->n_seen) {
                seen = reallocarray(stale->seen, (size_t) volume + 1, sizeof(*seen));
                if (!seen)
                        return NULL;
                memset(seen + stale->n_seen, 0, (volume + 1 - stale->n_seen) * sizeof(*seen));
                stale->seen = seen;
                stale->n_seen = (size_t) volume + 1;
        }
        seen = stale->seen + volume;
        if (!seen->is_known)
                *seen = (Seen){ .mark = index_mark(stale->options.index, volume),
                                .is_known = true };
        return seen;
}

/* What begins now is later than what it follows, also if the clock was put back. */
static uint64_t later_usec(const StaleStore *last, const IndexRollback *rollback) {
        uint64_t now = clock_realtime();

        now = MAX(now, rollback ? rollback->accepted_usec : 0);
        return last ? MAX(now, last->since_usec + 1) : now;
}

static void begin(Stale *stale, const VolumeReport *report, const IndexRollback *rollback) {
        StaleStore *store = find(stale, report->number);
        uint64_t since_usec = later_usec(store, rollback);

        if (!store && stale->n_stores < STORES_MAX)
                store = stale->stores + stale->n_stores++;
        if (!store)
                return; /* its turn comes */

        *store = (StaleStore){
                .volume = report->number,
                .since_usec = since_usec,
                .version = rollback ? rollback->version_end : report->version_max,
                .is_rollback = rollback,
        };
        save(stale, report->number, store);
        note(stale);
}

static void end(Stale *stale, StaleStore *store) {
        save(stale, store->volume, NULL);
        *store = stale->stores[--stale->n_stores];
        note(stale);
}

/* With the lock held: after a rollback each volume is looked through once. It may have copies that
 * were moved there in the time that the index has lost, and lack others. Returns whether there was
 * a rollback, after which what is known of the volume is kept. */
static bool follow_rollback(Stale *stale, const VolumeReport *report) {
        const StaleStore *store = find(stale, report->number);
        IndexRollback rollback;

        index_rollback(stale->options.index, &rollback);
        if (rollback.version_end == 0)
                return false;
        if (!store || store->since_usec < rollback.accepted_usec)
                begin(stale, report, &rollback);
        return true;
}

/* With the lock held. The volume does not know what is in pages that are damaged: it is looked
 * through, too. More of them that turn up meanwhile are a reason to do it once more. */
static void follow_damage(Stale *stale, const VolumeReport *report, Seen *seen) {
        const IndexRollback all = { .version_end = report->version_max };
        const StaleStore *store = find(stale, report->number);

        if (report->damaged_pages > seen->damaged_pages) {
                if (store && !store->is_checked)
                        return; /* when that is done */
                begin(stale, report, &all);
        }
        seen->damaged_pages = report->damaged_pages;
}

/* With the lock held: what the index did not take when it was begun, or done. */
static void save_again(Stale *stale, uint32_t volume) {
        StaleStore *store = find(stale, volume);

        if (!store || !store->is_unsaved)
                return;
        store->is_unsaved = false;
        save(stale, volume, store);
}

static void judge(Stale *stale, const VolumeReport *report, Seen *seen) {
        bool is_old = report->version_max < seen->mark || report->objects_ever < seen->objects;
        bool keep = follow_rollback(stale, report);
        StaleStore *store = find(stale, report->number);

        if (store && !store->is_rollback) { /* it is known; one may be older still */
                is_old = report->version_max < store->version;
                if (!is_old && !keep && store->is_checked && report->version_max >= seen->mark)
                        end(stale, store);
        }
        if (is_old && !seen->is_suspect) {
                seen->is_suspect = true;
                return;
        }
        if (is_old)
                begin(stale, report, NULL);

        seen->is_suspect = false;
        seen->objects = report->objects_ever;
        seen->mark = index_mark(stale->options.index, report->number);
        follow_damage(stale, report, seen);
}

void stale_hear(Stale *stale, const VolumeReport *report) {
        Seen *seen;

        if (!stale)
                return;

        (void) pthread_mutex_lock(&stale->lock);
        save_again(stale, report->number);
        seen = seen_of(stale, report->number);
        if (seen)
                judge(stale, report, seen);
        (void) pthread_mutex_unlock(&stale->lock);
}

unsigned stale_avoid(Stale *stale, const Record *record) {
        unsigned avoid = 0;

        if (!stale || atomic_load_explicit(&stale->n_avoided, memory_order_relaxed) == 0)
                return 0;

        (void) pthread_mutex_lock(&stale->lock);
        for (size_t i = 0; i < record->n_copies; i++) {
                const StaleStore *store = find(stale, record->copies[i]);

                if (store && !store->is_checked && !store->is_rollback)
                        avoid |= 1U << i;
        }
        (void) pthread_mutex_unlock(&stale->lock);
        return avoid;
}

bool stale_sweep(Stale *stale, uint32_t volume, uint64_t *ret_token, uint64_t *ret_version) {
        const StaleStore *store;

        if (!stale)
                return false;

        (void) pthread_mutex_lock(&stale->lock);
        store = find(stale, volume);
        if (store) {
                *ret_token = store->since_usec;
                *ret_version = store->version;
        }
        (void) pthread_mutex_unlock(&stale->lock);
        return store;
}

/* Returns whether the thread is to go on. */
static bool rest(Stale *stale) {
        uint64_t until_usec = clock_monotonic() + RETRY_USEC;
        struct timespec until = {
                .tv_sec = (time_t) (until_usec / USEC_PER_SEC),
                .tv_nsec = (long) (until_usec % USEC_PER_SEC * 1000),
        };
        bool stopping;

        (void) pthread_mutex_lock(&stale->lock);
        if (!stale->stopping)
                (void) pthread_cond_timedwait(&stale->changed, &stale->lock, &until);
        stopping = stale->stopping;
        (void) pthread_mutex_unlock(&stale->lock);
        return !stopping;
}

/* With the lock held: the next unchecked store behind that of volume AFTER, round and round. */
static const StaleStore *find_unchecked(Stale *stale, uint32_t after) {
        const StaleStore *next = NULL;

        for (size_t i = 0; i < stale->n_stores; i++) {
                const StaleStore *store = stale->stores + i;

                if (!store->is_checked &&
                    (!next || store->volume - after - 1 < next->volume - after - 1))
                        next = store;
        }
        return next;
}

/* Goes over the whole index. Returns 0 when that is done. */
static int check_store(Stale *stale, uint32_t volume) {
        int r;

        store_check_begin(stale->check, volume);
        do
                for (unsigned n = 1; (r = store_check_page(stale->check)) < 0; n++)
                        if (n == TRIES_MAX || !rest(stale))
                                return r;
        while (r > 0);

        return 0;
}

/* A volume that was removed does not come back. */
static void forget_removed(Stale *stale, uint32_t volume) {
        _cleanup_free_ VolumeStatus *volumes = NULL;
        StaleStore *store;
        uint64_t epoch;
        size_t n, i = 0;

        if (volumes_list(stale->options.volumes, &volumes, &n, &epoch) < 0)
                return;
        while (i < n && (volumes[i].number != volume || volumes[i].state != VOLUME_REMOVED))
                i++;
        if (i == n)
                return;

        (void) pthread_mutex_lock(&stale->lock);
        store = find(stale, volume);
        if (store)
                end(stale, store);
        (void) pthread_mutex_unlock(&stale->lock);
        troubles_clear(stale->options.troubles, TROUBLE_WENT_BACK, volume);
}

/* With the lock held. */
static void note_checked(Stale *stale, const StaleStore *checked) {
        StaleStore *store = find(stale, checked->volume);

        if (!store || store->since_usec != checked->since_usec)
                return; /* it went back once more */

        store->is_checked = true;
        save(stale, store->volume, store);
        troubles_clear(stale->options.troubles, TROUBLE_WENT_BACK, store->volume);
        note(stale);
}

/* Waits for an unchecked store, behind the one in *STORE. Returns whether there is one;
 * if not, it is the end. */
static bool take(Stale *stale, StaleStore *store) {
        const StaleStore *found = NULL;

        (void) pthread_mutex_lock(&stale->lock);
        while (!stale->stopping && !(found = find_unchecked(stale, store->volume)))
                (void) pthread_cond_wait(&stale->changed, &stale->lock);
        if (found)
                *store = *found;
        (void) pthread_mutex_unlock(&stale->lock);
        return found;
}

static void *run(void *userdata) {
        Stale *stale = userdata;
        StaleStore store = {};
        int r;

        (void) pthread_setname_np(pthread_self(), "stale");
        while (take(stale, &store)) {
                r = lead_is_leading(stale->options.lead) ? check_store(stale, store.volume)
                                                         : -EAGAIN;
                if (r < 0) {
                        forget_removed(stale, store.volume);
                        if (!rest(stale))
                                break;
                        continue;
                }
                (void) pthread_mutex_lock(&stale->lock);
                note_checked(stale, &store);
                (void) pthread_mutex_unlock(&stale->lock);
        }
        return NULL;
}

int stale_new(const StaleOptions *options, Stale **ret) {
        _cleanup_(stale_freep) Stale *stale = calloc(1, sizeof(*stale));
        pthread_condattr_t attributes;
        int r;

        if (!stale)
                return -ENOMEM;

        stale->options = *options;
        (void) pthread_mutex_init(&stale->lock, NULL);
        (void) pthread_condattr_init(&attributes);
        (void) pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        (void) pthread_cond_init(&stale->changed, &attributes);
        (void) pthread_condattr_destroy(&attributes);

        r = load(stale);
        if (r < 0)
                return r;
        r = store_check_new(
                        &(StoreCheckOptions){
                                        .index = options->index,
                                        .volumes = options->volumes,
                                        .peers = options->peers,
                        },
                        &stale->check);
        if (r < 0)
                return r;
        r = pthread_create(&stale->thread, NULL, run, stale);
        if (r > 0)
                return -r;
        stale->has_thread = true;

        *ret = TAKE_PTR(stale);
        return 0;
}

void stale_stop(Stale *stale) {
        if (!stale)
                return;

        (void) pthread_mutex_lock(&stale->lock);
        stale->stopping = true;
        (void) pthread_cond_broadcast(&stale->changed);
        (void) pthread_mutex_unlock(&stale->lock);
        if (stale->check)
                store_check_stop(stale->check);
        if (stale->has_thread)
                (void) pthread_join(stale->thread, NULL);
        stale->has_thread = false;
}

Stale *stale_free(Stale *stale) {
        if (!stale)
                return NULL;

        stale_stop(stale);
        (void) pthread_cond_destroy(&stale->changed);
        (void) pthread_mutex_destroy(&stale->lock);
        (void) store_check_free(stale->check);
        free(stale->seen);
        free(stale);
        return NULL;
}
