/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* The set holds what is in flight; without memory for that there is nothing left to do. */
#define uthash_fatal(message) abort()
#include <uthash.h>

#include "base/clock.h"
#include "base/log.h"
#include "volume/upkeep/pending.h"

#define MARK           "settled-version"
#define LIST_NAME      "pending-%u"
#define LIST_NAME_SIZE sizeof("pending-4294967295")
#define LISTS_MAX      256

struct PendingList {
        unsigned number; /* of its place */
        size_t n_users;  /* its maker, and the pending objects on it */
};

typedef struct PendingObject {
        uint64_t version;
        uint64_t since_usec; /* monotonic */
        unsigned n_begun;    /* pending_begin() without pending_end() */
        bool is_there;       /* somebody has said so, or will say that it is not */
        PendingList *list;   /* instead of the mark; NULL for none */
        UT_hash_handle hh;
} PendingObject;

typedef struct MarkUpdate {
        ObjectStoreSet set;
        uint64_t encoded;
} MarkUpdate;

typedef struct ListUpdate {
        ObjectStoreSet set;
        char name[LIST_NAME_SIZE];
        uint64_t encoded[];
} ListUpdate;

struct Pending {
        ObjectStore *store; /* not owned */
        pthread_mutex_t lock;
        PendingObject *objects; /* in the order in which they were added */
        uint64_t mark; /* objects up to this version are settled, on a list, or on their way to the
                          store with the mark below */
        uint64_t highest;              /* version ever seen */
        PendingList *lists[LISTS_MAX]; /* NULL where there is room; owned */
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

static void on_list_stored(Operation *operation, int result) {
        /* A list that is left over is read in vain by the next start. One that could not be
         * stored may leave objects behind if the daemon crashes now; it is the same with the
         * mark. */
        free(CONTAINER_OF(operation, ListUpdate, set.operation));
}

/* Stores the list, or without versions deletes it. */
static int store_list(
                Pending *pending, const PendingList *list, const uint64_t versions[], size_t n) {
        ListUpdate *update = malloc(sizeof(*update) + n * sizeof(*update->encoded));

        if (!update)
                return -ENOMEM;

        update->set = (ObjectStoreSet){
                .operation.done = on_list_stored,
                .name = update->name,
                .data = n > 0 ? update->encoded : NULL,
                .size = n * sizeof(*update->encoded),
        };
        (void) snprintf(update->name, sizeof(update->name), LIST_NAME, list->number);
        for (size_t i = 0; i < n; i++)
                update->encoded[i] = htole64(versions[i]);
        object_store_set(pending->store, &update->set);
        return 0;
}

/* The list has one user at first. Returns NULL if there is no place or no memory. */
static PendingList *list_at(Pending *pending, unsigned number) {
        PendingList *list = number < LISTS_MAX ? malloc(sizeof(*list)) : NULL;

        if (list) {
                *list = (PendingList){ .number = number, .n_users = 1 };
                pending->lists[number] = list;
        }
        return list;
}

static void list_unuse(Pending *pending, PendingList *list) {
        if (!list || --list->n_users > 0)
                return;

        /* If it cannot be removed, its place is overwritten sooner or later. */
        (void) store_list(pending, list, NULL, 0);
        pending->lists[list->number] = NULL;
        free(list);
}

static bool is_stored(Pending *pending, uint64_t version) {
        uint64_t next;

        return object_store_versions(pending->store, version - 1, &next, 1) == 1 && next == version;
}

/* The objects on the list that have arrived are pending. */
static int load_list(Pending *pending, unsigned number) {
        _cleanup_(buffer_done) Buffer encoded = {};
        char name[LIST_NAME_SIZE];
        PendingList *list;
        int r;

        (void) snprintf(name, sizeof(name), LIST_NAME, number);
        r = object_store_get_state(pending->store, name, &encoded);
        if (r < 0)
                return r == -ENOENT ? 0 : r;

        list = list_at(pending, number);
        if (!list)
                return -ENOMEM;
        for (size_t i = 0; i + sizeof(uint64_t) <= encoded.size; i += sizeof(uint64_t)) {
                PendingObject *entry;
                uint64_t version;

                memcpy(&version, encoded.data + i, sizeof(version));
                version = le64toh(version);
                if (version == 0 || find(pending, version) || !is_stored(pending, version))
                        continue;
                entry = add(pending, version);
                entry->is_there = true;
                entry->list = list;
                list->n_users++;
        }
        list_unuse(pending, list);
        return 0;
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

        r = load_objects(pending);
        for (unsigned i = 0; i < LISTS_MAX && r >= 0; i++)
                r = load_list(pending, i);
        return r;
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
        for (unsigned i = 0; i < LISTS_MAX; i++)
                free(pending->lists[i]);
        (void) pthread_mutex_destroy(&pending->lock);
        free(pending);
        return NULL;
}

static void on_mark_stored(Operation *operation, int result) {
        /* A mark that is too low only makes the next start look at more objects. If it cannot be
         * lowered and the daemon crashes at this moment, an object that nobody names may stay
         * behind. */
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

        if (!entry)
                return;

        HASH_DEL(pending->objects, entry);
        list_unuse(pending, entry->list);
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

PendingList *pending_list_new(Pending *pending, const uint64_t versions[], size_t n) {
        PendingList *list = NULL;
        bool is_old = false;
        unsigned number = 0;

        (void) pthread_mutex_lock(&pending->lock);
        for (size_t i = 0; i < n && !is_old; i++)
                is_old = versions[i] <= pending->mark;
        while (number < LISTS_MAX && pending->lists[number])
                number++;
        if (is_old)
                list = list_at(pending, number);
        if (list && store_list(pending, list, versions, n) < 0) {
                pending->lists[number] = NULL;
                free(TAKE_PTR(list));
        }
        (void) pthread_mutex_unlock(&pending->lock);
        return list;
}

void pending_list_end(Pending *pending, PendingList *list) {
        (void) pthread_mutex_lock(&pending->lock);
        list_unuse(pending, list);
        (void) pthread_mutex_unlock(&pending->lock);
}

/* Makes sure that the object will be pending after a crash, too. */
static void secure(Pending *pending, PendingObject *entry, PendingList *list) {
        if (entry->version > pending->mark)
                return;

        if (list) {
                entry->list = list;
                list->n_users++;
        } else
                lower_mark(pending, entry->version);
}

void pending_begin(Pending *pending, uint64_t version, PendingList *list) {
        PendingObject *entry;

        (void) pthread_mutex_lock(&pending->lock);
        entry = find(pending, version);
        if (entry) { /* to the end of the order */
                HASH_DEL(pending->objects, entry);
                HASH_ADD(hh, pending->objects, version, sizeof(entry->version), entry);
                entry->since_usec = clock_monotonic();
        } else {
                entry = add(pending, version);
                secure(pending, entry, list);
        }
        entry->n_begun++;
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
                if (!entry->list)
                        mark = MIN(mark, entry->version - 1);
        }
        if (mark > pending->mark)
                set_mark(pending, mark);
        (void) pthread_mutex_unlock(&pending->lock);
}
