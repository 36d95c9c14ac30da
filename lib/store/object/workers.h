/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Workers: a few threads for what blocks on the disk, and the queue of tasks for them. */

#include <pthread.h>

#include "base/macro.h"

typedef struct Task Task;

/* Embedded in what knows the details. */
struct Task {
        void (*run)(Task *task); /* the task is the caller's again when this is called */
        Task *next;              /* private */
};

#define WORKERS_MAX 8

typedef struct Workers {
        pthread_t threads[WORKERS_MAX];
        size_t n_threads;
        pthread_mutex_t mutex;
        pthread_cond_t changed;
        Task *first, *last;
        bool stop;
} Workers;

void workers_init(Workers *workers);

/* Completes what was submitted, ends the threads. */
void workers_done(Workers *workers);

int workers_start(Workers *workers, size_t n_threads);

/* Never blocks on the disk. */
void workers_submit(Workers *workers, Task *task);
