/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <string.h>

/* The set holds what is in flight; without memory for that there is nothing left to do. */
#define uthash_fatal(message) abort()
#include <uthash.h>

#include "base/clock.h"
#include "base/log.h"
#include "pending.h"

#define MARK "settled-version"

typedef struct PendingObject {
        uint64_t version;
        uint64_t since_usec; /* monotonic */
        unsigned n_begun;    /* pending_begin() without pending_end() */
        bool is_there;       /* somebody said so, or will say if it is not */
        UT_hash_handle hh;
} PendingObject;

typedef struct MarkUpdate {
        ObjectStoreSet set;
        uint64_t encoded;
} MarkUpdate;

struct Pending {
        ObjectStore *store; /* not owned */
        pthread_mutex_t lock;
        PendingObject *objects; /* in the order in which they were added */
        uint64_t mark; /* objects up to this version are settled, or on their way to the store with
                          the mark below */
        uint64_t highest; /* version ever seen */
};

static PendingObject *find(Pending *pending, uint64_t version) {
        PendingObject *entry;

        HASH_FIND(hh, pending->objects, &version, sizeof(version), entry);
        return entry;
}

static PendingObject *add(Pending *pending, uint64_t version) {
        PendingObject *entry = malloc(sizeof(*entry));

        if (!entry)
                abort();

        *entry = (PendingObject){ .version = version, .since_usec = clock_monotonic() };
        HASH_ADD(hh, pending->objects, version, sizeof(entry->version), entry);
        pending->highest = MAX(pending->highest, version);
        return entry;
}

/* Goes on behind a damaged page. Returns 1, or 0 if there is nothing behind it. */
static int skip_damage(Pending *pending) {
        uint64_t before = pending->highest;
        int r;

        r = object_store_skip_damage(pending->store, before, &pending->highest);
        if (r < 0 && r != -ENOENT)
                return r;

        log_warning("Objects after version %" PRIu64
                    " cannot be listed, since a page of the database is damaged; those on it whose "
                    "write failed will be left over.",
                    before);
        return r == 0;
}

/* All objects above the mark are pending. */
static int load_objects(Pending *pending) {
        uint64_t versions[256];
        int n;

        pending->highest = pending->mark;
        do {
                n = object_store_versions(
                                pending->store, pending->highest, versions, ELEMENTSOF(versions));
                for (int i = 0; i < n; i++)
                        add(pending, versions[i])->is_there = true;
                if (n == -EBADMSG)
                        n = skip_damage(pending);
        } while (n > 0);

        return n;
}

static int load(Pending *pending) {
        _cleanup_(buffer_done) Buffer mark = {};
        int r;

        r = object_store_get_state(pending->store, MARK, &mark);
        if (r < 0 && r != -ENOENT)
                return r;
        if (r >= 0) {
                if (mark.size != sizeof(pending->mark))
                        return -EBADMSG;
                memcpy(&pending->mark, mark.data, sizeof(pending->mark));
                pending->mark = le64toh(pending->mark);
        }

        return load_objects(pending);
}

int pending_new(ObjectStore *store, Pending **ret) {
        _cleanup_(pending_freep) Pending *pending = NULL;
        int r;

        assert(store);
        assert(ret);

        pending = malloc(sizeof(*pending));
        if (!pending)
                return -ENOMEM;

        *pending = (Pending){ .store = store, .lock = PTHREAD_MUTEX_INITIALIZER };
        r = load(pending);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(pending);
        return 0;
}

Pending *pending_free(Pending *pending) {
        PendingObject *entry, *next;

        if (!pending)
                return NULL;

        HASH_ITER(hh, pending->objects, entry, next) {
                HASH_DEL(pending->objects, entry);
                free(entry);
        }
        (void) pthread_mutex_destroy(&pending->lock);
        free(pending);
        return NULL;
}

static void on_mark_stored(Operation *operation, int result) {
        /* A mark that is too low only makes the next start look at more objects. One that could not
         * be lowered may leave an object over that nobody names, if the daemon crashes at this
         * moment. */
        free(CONTAINER_OF(operation, MarkUpdate, set.operation));
}

static void set_mark(Pending *pending, uint64_t mark) {
        MarkUpdate *update = malloc(sizeof(*update));

        if (!update)
                abort();

        *update = (MarkUpdate){
                .set = { .operation.done = on_mark_stored,
                         .name = MARK,
                         .size = sizeof(update->encoded) },
                .encoded = htole64(mark),
        };
        update->set.data = &update->encoded;
        pending->mark = mark;
        object_store_set(pending->store, &update->set);
}

static void lower_mark(Pending *pending, uint64_t version) {
        if (version <= pending->mark)
                set_mark(pending, version - 1);
}

static void drop(Pending *pending, uint64_t version) {
        PendingObject *entry = find(pending, version);

        if (entry)
                HASH_DEL(pending->objects, entry);
        free(entry);
}

void pending_add(Pending *pending, uint64_t version) {
        PendingObject *entry;

        (void) pthread_mutex_lock(&pending->lock);
        entry = find(pending, version) ?: add(pending, version);
        entry->is_there = true;
        lower_mark(pending, version);
        (void) pthread_mutex_unlock(&pending->lock);
}

void pending_begin(Pending *pending, uint64_t version) {
        PendingObject *entry;

        (void) pthread_mutex_lock(&pending->lock);
        entry = find(pending, version);
        if (entry) { /* to the end of the order */
                HASH_DEL(pending->objects, entry);
                HASH_ADD(hh, pending->objects, version, sizeof(entry->version), entry);
                entry->since_usec = clock_monotonic();
        } else
                entry = add(pending, version);
        entry->n_begun++;
        lower_mark(pending, version);
        (void) pthread_mutex_unlock(&pending->lock);
}

void pending_end(Pending *pending, uint64_t version, bool is_there) {
        PendingObject *entry;

        (void) pthread_mutex_lock(&pending->lock);
        entry = find(pending, version);
        if (entry) {
                entry->is_there = entry->is_there || is_there;
                if (entry->n_begun > 0)
                        entry->n_begun--;
                if (entry->n_begun == 0 && !entry->is_there)
                        drop(pending, version);
        }
        (void) pthread_mutex_unlock(&pending->lock);
}

bool pending_contains(Pending *pending, uint64_t version) {
        bool found;

        (void) pthread_mutex_lock(&pending->lock);
        found = find(pending, version);
        (void) pthread_mutex_unlock(&pending->lock);
        return found;
}

void pending_remove(Pending *pending, uint64_t version) {
        (void) pthread_mutex_lock(&pending->lock);
        drop(pending, version);
        (void) pthread_mutex_unlock(&pending->lock);
}

size_t pending_count(Pending *pending) {
        size_t n;

        (void) pthread_mutex_lock(&pending->lock);
        n = HASH_COUNT(pending->objects);
        (void) pthread_mutex_unlock(&pending->lock);
        return n;
}

size_t pending_old(Pending *pending, uint64_t age_usec, uint64_t *ret, size_t max) {
        PendingObject *entry, *next;
        uint64_t now;
        size_t n = 0;

        (void) pthread_mutex_lock(&pending->lock);
        now = clock_monotonic(); /* under the lock, so that nothing was added after it */
        HASH_ITER(hh, pending->objects, entry, next) {
                if (n == max || now - entry->since_usec < age_usec)
                        break;
                ret[n++] = entry->version;
        }
        (void) pthread_mutex_unlock(&pending->lock);
        return n;
}

void pending_save(Pending *pending) {
        uint64_t mark;
        PendingObject *entry, *next;

        (void) pthread_mutex_lock(&pending->lock);
        mark = pending->highest;
        HASH_ITER(hh, pending->objects, entry, next) {
                mark = MIN(mark, entry->version - 1);
        }
        if (mark > pending->mark)
                set_mark(pending, mark);
        (void) pthread_mutex_unlock(&pending->lock);
}
