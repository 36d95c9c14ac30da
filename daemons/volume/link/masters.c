/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "core/url.h"
#include "volume/link/masters.h"

#define KNOWN_MAX (4 * URLS_MAX) /* members of a group come and go */

struct Masters {
        char *_Atomic current; /* one of these: */
        char *urls[KNOWN_MAX]; /* with the lock; they are only added */
        size_t n, n_listed;
        size_t next; /* of those in the list, with the lock */
        pthread_mutex_t lock;
};

int masters_new(const char *list, Masters **ret) {
        _cleanup_(masters_freep) Masters *masters = calloc(1, sizeof(*masters));
        int r;

        if (!masters)
                return -ENOMEM;

        (void) pthread_mutex_init(&masters->lock, NULL);
        while ((r = url_list_take(&list, masters->urls + masters->n)) > 0)
                masters->n++;
        if (r < 0)
                return r;

        masters->n_listed = masters->n;
        masters->current = masters->urls[0];
        *ret = TAKE_PTR(masters);
        return 0;
}

Masters *masters_free(Masters *masters) {
        if (!masters)
                return NULL;

        for (size_t i = 0; i < masters->n; i++)
                free(masters->urls[i]);
        (void) pthread_mutex_destroy(&masters->lock);
        free(masters);
        return NULL;
}

const char *masters_url(const Masters *masters) {
        return atomic_load(&masters->current);
}

size_t masters_count(const Masters *masters) {
        return masters->n_listed;
}

/* With the lock. NULL if there is no room for another one. */
static char *find_or_add(Masters *masters, const char *url) {
        for (size_t i = 0; i < masters->n; i++)
                if (strcmp(masters->urls[i], url) == 0)
                        return masters->urls[i];
        if (masters->n == KNOWN_MAX)
                return NULL;

        masters->urls[masters->n] = strdup(url);
        return masters->urls[masters->n] ? masters->urls[masters->n++] : NULL;
}

bool masters_turn_to(Masters *masters, const char *url) {
        char *known;

        (void) pthread_mutex_lock(&masters->lock);
        known = find_or_add(masters, url);
        if (known)
                atomic_store(&masters->current, known);
        (void) pthread_mutex_unlock(&masters->lock);
        return known;
}

void masters_turn_from(Masters *masters, const char *url) {
        (void) pthread_mutex_lock(&masters->lock);
        if (strcmp(atomic_load(&masters->current), url) == 0) {
                char *next = masters->urls[masters->next++ % masters->n_listed];

                if (strcmp(next, url) == 0)
                        next = masters->urls[masters->next++ % masters->n_listed];
                atomic_store(&masters->current, next);
        }
        (void) pthread_mutex_unlock(&masters->lock);
}
