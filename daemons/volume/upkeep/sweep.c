/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "volume/upkeep/sweep.h"

#define STATE_NAME "sweep"

struct Sweep {
        ObjectStore *store; /* not owned */
        pthread_mutex_t lock;
        uint64_t token;       /* of the last one; 0 if there was none */
        uint64_t after, last; /* versions: up to which all is done, and up to which all has to be;
                                 equal at the end */
};

typedef struct Save {
        ObjectStoreSet set;
        Buffer buffer;
} Save;

static void on_saved(Operation *operation, int result) {
        Save *save = CONTAINER_OF(operation, Save, set.operation);

        /* After a restart the sweep goes on where it was stored last, or the master asks for it
         * again. */
        buffer_done(&save->buffer);
        free(save);
}

static void save(const Sweep *sweep) {
        Save *save = calloc(1, sizeof(*save));

        if (!save)
                return;

        buffer_put_u64(&save->buffer, sweep->token);
        buffer_put_u64(&save->buffer, sweep->after);
        buffer_put_u64(&save->buffer, sweep->last);
        save->set = (ObjectStoreSet){
                .operation.done = on_saved,
                .name = STATE_NAME,
                .data = save->buffer.data,
                .size = save->buffer.size,
        };
        object_store_set(sweep->store, &save->set);
}

int sweep_new(ObjectStore *store, Sweep **ret) {
        _cleanup_(sweep_freep) Sweep *sweep = malloc(sizeof(*sweep));
        _cleanup_(buffer_done) Buffer buffer = {};
        Reader reader;
        int r;

        if (!sweep)
                return -ENOMEM;

        *sweep = (Sweep){ .store = store, .lock = PTHREAD_MUTEX_INITIALIZER };
        r = object_store_get_state(store, STATE_NAME, &buffer);
        if (r < 0 && r != -ENOENT)
                return r;
        if (r >= 0) {
                reader = READER(buffer.data, buffer.size);
                sweep->token = reader_get_u64(&reader);
                sweep->after = reader_get_u64(&reader);
                sweep->last = reader_get_u64(&reader);
                if (reader_end(&reader) < 0)
                        return -EBADMSG;
        }

        *ret = TAKE_PTR(sweep);
        return 0;
}

Sweep *sweep_free(Sweep *sweep) {
        if (!sweep)
                return NULL;

        (void) pthread_mutex_destroy(&sweep->lock);
        free(sweep);
        return NULL;
}

void sweep_hear(Sweep *sweep, uint64_t token, uint64_t version) {
        (void) pthread_mutex_lock(&sweep->lock);
        if (token != sweep->token) {
                sweep->token = token;
                sweep->after = 0;
                sweep->last = version;
                save(sweep);
        }
        (void) pthread_mutex_unlock(&sweep->lock);
}

/* With the lock held. Returns how many versions come after what is done. */
static size_t read_versions(Sweep *sweep, uint64_t *ret, size_t max) {
        int n = 0;

        while (sweep->after < sweep->last) {
                n = object_store_versions(sweep->store, sweep->after, ret, max);
                if (n != -EBADMSG)
                        break;
                if (object_store_skip_damage(sweep->store, sweep->after, &sweep->after) < 0)
                        sweep->after = sweep->last;
        }
        while (n > 0 && ret[n - 1] > sweep->last)
                n--;
        if (n == 0 && sweep->after < sweep->last) {
                sweep->after = sweep->last;
                save(sweep);
        }
        return n > 0 ? (size_t) n : 0;
}

size_t sweep_next(Sweep *sweep, uint64_t *ret, size_t max) {
        size_t n = 0;

        (void) pthread_mutex_lock(&sweep->lock);
        if (max > 0 && sweep->after < sweep->last)
                n = read_versions(sweep, ret, max);
        (void) pthread_mutex_unlock(&sweep->lock);
        return n;
}

void sweep_done(Sweep *sweep, uint64_t version) {
        (void) pthread_mutex_lock(&sweep->lock);
        if (version > sweep->after && version <= sweep->last) {
                sweep->after = version;
                save(sweep);
        }
        (void) pthread_mutex_unlock(&sweep->lock);
}
