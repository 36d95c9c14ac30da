/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <pthread.h>

#include "volume/upkeep/verify.h"

struct Verify {
        pthread_t thread;
        bool has_thread;
        pthread_mutex_t lock;
        pthread_cond_t wake;
        VerifyTask *tasks, **tail;
        bool stop;
};

static void *verify_thread(void *userdata) {
        Verify *verify = userdata;

        (void) pthread_mutex_lock(&verify->lock);
        for (;;) {
                VerifyTask *task = verify->tasks;

                if (!task) {
                        if (verify->stop)
                                break;
                        (void) pthread_cond_wait(&verify->wake, &verify->lock);
                        continue;
                }

                verify->tasks = task->next;
                if (!verify->tasks)
                        verify->tail = &verify->tasks;
                (void) pthread_mutex_unlock(&verify->lock);
                task->run(task);
                (void) pthread_mutex_lock(&verify->lock);
        }
        (void) pthread_mutex_unlock(&verify->lock);

        return NULL;
}

int verify_new(Verify **ret) {
        _cleanup_(verify_freep) Verify *verify = NULL;
        int r;

        assert(ret);

        verify = malloc(sizeof(*verify));
        if (!verify)
                return -ENOMEM;

        *verify = (Verify){ .lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER };
        verify->tail = &verify->tasks;
        r = pthread_create(&verify->thread, NULL, verify_thread, verify);
        if (r != 0)
                return -r;
        verify->has_thread = true;

        *ret = TAKE_PTR(verify);
        return 0;
}

Verify *verify_free(Verify *verify) {
        if (!verify)
                return NULL;

        if (verify->has_thread) {
                (void) pthread_mutex_lock(&verify->lock);
                verify->stop = true;
                (void) pthread_cond_signal(&verify->wake);
                (void) pthread_mutex_unlock(&verify->lock);
                (void) pthread_join(verify->thread, NULL);
        }
        (void) pthread_cond_destroy(&verify->wake);
        (void) pthread_mutex_destroy(&verify->lock);
        free(verify);
        return NULL;
}

void verify_submit(Verify *verify, VerifyTask *task) {
        task->next = NULL;

        (void) pthread_mutex_lock(&verify->lock);
        *verify->tail = task;
        verify->tail = &task->next;
        (void) pthread_cond_signal(&verify->wake);
        (void) pthread_mutex_unlock(&verify->lock);
}
