/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "store/object/workers.h"

void workers_init(Workers *workers) {
        *workers = (Workers){};
        (void) pthread_mutex_init(&workers->mutex, NULL);
        (void) pthread_cond_init(&workers->changed, NULL);
}

void workers_done(Workers *workers) {
        (void) pthread_mutex_lock(&workers->mutex);
        workers->stop = true;
        (void) pthread_cond_broadcast(&workers->changed);
        (void) pthread_mutex_unlock(&workers->mutex);

        for (size_t i = 0; i < workers->n_threads; i++)
                (void) pthread_join(workers->threads[i], NULL);

        (void) pthread_cond_destroy(&workers->changed);
        (void) pthread_mutex_destroy(&workers->mutex);
}

/* Waits for a task. Returns NULL when there will be none. */
static Task *take(Workers *workers) {
        Task *task;

        (void) pthread_mutex_lock(&workers->mutex);
        while (!workers->first && !workers->stop)
                (void) pthread_cond_wait(&workers->changed, &workers->mutex);

        task = workers->first;
        if (task)
                workers->first = task->next;
        (void) pthread_mutex_unlock(&workers->mutex);

        return task;
}

static void *worker_main(void *userdata) {
        Workers *workers = userdata;
        Task *task;

        (void) pthread_setname_np(pthread_self(), "store-worker");

        while ((task = take(workers)))
                task->run(task);

        return NULL;
}

int workers_start(Workers *workers, size_t n_threads) {
        assert(n_threads <= WORKERS_MAX);

        for (; workers->n_threads < n_threads; workers->n_threads++) {
                int r;

                r = pthread_create(
                                &workers->threads[workers->n_threads], NULL, worker_main, workers);
                if (r > 0)
                        return -r;
        }

        return 0;
}

void workers_submit(Workers *workers, Task *task) {
        task->next = NULL;

        (void) pthread_mutex_lock(&workers->mutex);
        if (workers->first)
                workers->last->next = task;
        else
                workers->first = task;
        workers->last = task;
        (void) pthread_cond_signal(&workers->changed);
        (void) pthread_mutex_unlock(&workers->mutex);
}
