/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "core/call/wire.h"
#include "core/key.h"
#include "master/link/order.h"
#include "master/upkeep/damage.h"
#include "master/upkeep/stale.h"
#include "store/index/rollback.h"

#define STATE_FORMAT 2
#define STATE_NAME   "stale-%" PRIu32
#define NAME_SIZE    sizeof("stale-4294967295")

#define STORES_MAX 1024
#define PAGE_MAX   256 /* keys that are looked at before the volume is asked */
#define RETRY_USEC USEC_PER_SEC
#define TRIES_MAX  3 /* of a page; then another store has its turn */

/* A store that went back. */
typedef struct StaleStore {
        uint32_t volume;
        uint64_t since_usec; /* since the epoch; tells one time from another */
        uint64_t version;    /* the highest that it had when this was noticed */
        bool is_rollback; /* it is the index that went back, and an administrator accepted that */
        bool is_checked;
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

        pthread_mutex_t lock; /* for the rest */
        pthread_cond_t changed;
        bool stopping;
        HttpCall *call;        /* of the thread; a reference */
        atomic_uint n_avoided; /* stores that are the last choice for readers */
        StaleStore stores[STORES_MAX];
        size_t n_stores;
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
} Save;

static void on_saved(IndexRequest *request, IndexResult result) {
        Save *save = CONTAINER_OF(request, Save, set.request);

        /* After a restart it is found out anew, unless something was stored there meanwhile. */
        if (result.error < 0)
                (void) log_warning_errno(
                                result.error, "Failed to store that a volume is older: %m");
        buffer_done(&save->buffer);
        free(save);
}

/* STORE of NULL deletes. */
static void save(Stale *stale, uint32_t volume, const StaleStore *store) {
        Save *save = calloc(1, sizeof(*save));

        if (!save)
                return;

        (void) snprintf(save->name, sizeof(save->name), STATE_NAME, volume);
        if (store) {
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

/* A page of keys that name a copy on the volume. */
typedef struct Page {
        uint32_t volume;
        size_t n, n_seen;
        DamageCopy copies[PAGE_MAX];
        char cursor[KEY_MAX + 1];
        int errors[PAGE_MAX];
        int result;
        sem_t done;
} Page;

static void page_clear(Page *page) {
        for (size_t i = 0; i < page->n; i++)
                free(page->copies[i].key);
        page->n = page->n_seen = 0;
}

static int on_entry(const char *key, const Record *record, void *userdata) {
        Page *page = userdata;
        char *copy;

        (void) snprintf(page->cursor, sizeof(page->cursor), "%s", key);
        page->n_seen++;
        for (size_t i = 0; i < record->n_copies; i++) {
                if (record->copies[i] != page->volume)
                        continue;
                copy = strdup(key);
                if (!copy)
                        return -ENOMEM;
                page->copies[page->n++] = (DamageCopy){ record->version, copy };
        }
        return 0;
}

static void on_checked(HttpCall *call, const HttpResult *result, void *userdata) {
        Page *page = userdata;
        Reader answer = READER(result->body, result->body_size);

        page->result = order_result(result);
        for (size_t i = 0; i < page->n && page->result >= 0; i++)
                page->errors[i] = wire_get_error(&answer);
        if (page->result >= 0)
                page->result = reader_end(&answer);
        (void) sem_post(&page->done);
}

/* Returns 0 if the call is under way. */
static int start_call(Stale *stale, Page *page) {
        Order order = {
                .volume = page->volume,
                .kind = CALL_CHECK,
                .client = stale->options.client,
                .on_done = on_checked,
                .userdata = page,
        };
        _cleanup_(buffer_done) Buffer body = {};
        int r;

        buffer_put_u8(&body, WIRE_CHECK_PRESENT);
        for (size_t i = 0; i < page->n; i++)
                buffer_put_u64(&body, page->copies[i].version);
        r = buffer_error(&body);
        if (r < 0)
                return r;

        (void) pthread_mutex_lock(&stale->lock);
        order.body = &body;
        r = stale->stopping ? -ESHUTDOWN : order_send(stale->options.volumes, &order, &stale->call);
        (void) pthread_mutex_unlock(&stale->lock);
        return r;
}

/* Asks the volume, and marks what it does not have. */
static int check_page(Stale *stale, Page *page) {
        int r;

        if (page->n == 0)
                return 0;
        r = start_call(stale, page);
        if (r < 0)
                return r;
        while (sem_wait(&page->done) < 0)
                ; /* interrupted by a signal */

        (void) pthread_mutex_lock(&stale->lock);
        stale->call = http_call_unref(stale->call);
        (void) pthread_mutex_unlock(&stale->lock);
        if (page->result < 0)
                return page->result;

        for (size_t i = 0; i < page->n; i++) {
                DamageKind kind = page->errors[i] < 0 ? damage_kind_of_error(page->errors[i])
                                                      : DAMAGE_NONE;

                if (kind != DAMAGE_NONE)
                        damage_mark(stale->options.index, page->copies[i].key,
                                    page->copies[i].version, page->volume, kind);
        }
        return 0;
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

/* With the lock held: the one that is to be checked after that of volume AFTER, round and round. */
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
static int check_store(Stale *stale, Page *page) {
        int r;

        *page->cursor = '\0';
        do {
                page_clear(page);
                r = index_scan(stale->options.index, "", page->cursor, PAGE_MAX, on_entry, page);
                if (r < 0)
                        return r;
                for (unsigned n = 1; (r = check_page(stale, page)) < 0; n++)
                        if (n == TRIES_MAX || !rest(stale))
                                return r;
        } while (page->n_seen == PAGE_MAX);

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

/* Waits for a store that is to be checked, behind the one in *STORE. Returns whether there is one;
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
        Page *page = calloc(1, sizeof(*page));
        StaleStore store = {};
        int r;

        (void) pthread_setname_np(pthread_self(), "stale");
        if (!page)
                return NULL; /* the next start has more */
        (void) sem_init(&page->done, 0, 0);

        while (take(stale, &store)) {
                page->volume = store.volume;
                r = lead_is_leading(stale->options.lead) ? check_store(stale, page) : -EAGAIN;
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

        page_clear(page);
        (void) sem_destroy(&page->done);
        free(page);
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
        if (stale->call)
                http_call_cancel(stale->call);
        (void) pthread_cond_broadcast(&stale->changed);
        (void) pthread_mutex_unlock(&stale->lock);
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
        free(stale->seen);
        free(stale);
        return NULL;
}
